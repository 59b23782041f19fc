//! The settings of `crm serve` except its address and its backups: limits, TLS, tokens, the log.

use std::path::Path;
use std::time::Duration;

use crate::base::error::Result;
use crate::config::flags::Flags;
use crate::config::kind::{SettingKind, SettingValue};
use crate::config::levels::Levels;
use crate::config::origin::Setting;
use crate::config::row::Row;
use crate::config::surroundings::Surroundings;
use crate::config::table::{KNOBS, Knob, OPEN, REQUIRE_TOKEN, ReadBy, TLS_CERT, TLS_KEY};

/// The settings of the service, each with the name of its row in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSettings(Vec<(&'static str, Setting<SettingValue>)>);

impl ServiceSettings {
    /// Finds the settings. The error says which one is wrong and what was expected.
    pub fn find(flags: &Flags, around: &Surroundings) -> Result<ServiceSettings> {
        let levels = Levels::read(flags, around)?;
        let all = knobs().map(|knob| Ok((knob.name, levels.value(knob)?)));
        let mut found = ServiceSettings(all.collect::<Result<_>>()?);
        found.hide(&OPEN, &REQUIRE_TOKEN);
        found.hide(&REQUIRE_TOKEN, &OPEN);
        found.check_combinations()?;
        Ok(found)
    }

    /// Turns off a switch that contradicts one that is on at a higher level.
    fn hide(&mut self, hidden: &'static Knob, by: &'static Knob) {
        let (own, other) = (self.setting(hidden), self.setting(by));
        let both = own.value == SettingValue::On && other.value == SettingValue::On;
        if both && other.origin.beats(&own.origin) {
            let off = Setting::new(SettingValue::Unset, other.origin.clone());
            let at = self.position(hidden);
            self.0[at].1 = off;
        }
    }

    fn check_combinations(&self) -> Result<()> {
        if self.is_on(&OPEN) && self.is_on(&REQUIRE_TOKEN) {
            let (one, other) = (self.setting(&OPEN), self.setting(&REQUIRE_TOKEN));
            return Err(one.origin.refuse_both(&other.origin));
        }
        for (one, other) in [(&TLS_CERT, &TLS_KEY), (&TLS_KEY, &TLS_CERT)] {
            if self.file(one).is_some() && self.file(other).is_none() {
                let expected = format!("expected {} too", other.names());
                return Err(self.setting(one).origin.refuse(expected));
            }
        }
        Ok(())
    }

    fn position(&self, knob: &'static Knob) -> usize {
        let at = self.0.iter().position(|(name, _)| *name == knob.name);
        at.unwrap_or_default()
    }

    /// A setting with its origin.
    pub fn setting(&self, knob: &'static Knob) -> &Setting<SettingValue> {
        &self.0[self.position(knob)].1
    }

    /// A number of bytes or a count; 0 if it is off.
    pub fn number(&self, knob: &'static Knob) -> usize {
        self.setting(knob).value.number()
    }

    /// A time.
    pub fn time(&self, knob: &'static Knob) -> Duration {
        self.setting(knob).value.time()
    }

    /// Whether a switch is on.
    pub fn is_on(&self, knob: &'static Knob) -> bool {
        self.setting(knob).value == SettingValue::On
    }

    /// A word.
    pub fn word(&self, knob: &'static Knob) -> &'static str {
        self.setting(knob).value.word()
    }

    /// A file, if one was given.
    pub fn file(&self, knob: &'static Knob) -> Option<&Path> {
        self.setting(knob).value.path()
    }

    /// The parts of a list.
    pub fn many(&self, knob: &'static Knob) -> &[String] {
        self.setting(knob).value.many()
    }

    pub(super) fn rows(&self) -> Vec<Row> {
        let settings = knobs().zip(&self.0);
        settings
            .map(|(knob, (_, setting))| match (&setting.value, knob.kind) {
                (SettingValue::Unset, SettingKind::File | SettingKind::Many(..)) => {
                    Row::without_value(knob, "not set".into())
                }
                (value, _) => Row::new(knob, value, &setting.origin),
            })
            .collect()
    }
}

/// The rows of the table that the service reads here.
fn knobs() -> impl Iterator<Item = &'static Knob> {
    let all = KNOBS.iter().copied();
    all.filter(|knob| knob.read_by == ReadBy::ServiceSettings)
}
