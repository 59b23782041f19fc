//! The settings that are rules of the records: of the service, and of the commands that work on a database.

use crate::base::error::Result;
use crate::config::kind::SettingValue;
use crate::config::levels::Levels;
use crate::config::origin::Setting;
use crate::config::row::Row;
use crate::config::table::{AUTO_PROCESS, CADENCE, FINISHED, Knob, ON_DUPLICATE};
use crate::model::lead::OnDuplicate;
use crate::model::rules::Rules;

/// The settings of the rules, in the order of the table.
const ALL: [&Knob; 4] = [&FINISHED, &CADENCE, &AUTO_PROCESS, &ON_DUPLICATE];

/// The rules, and where each comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSettings(Vec<Setting<SettingValue>>);

impl RuleSettings {
    pub(super) fn find(levels: &Levels) -> Result<RuleSettings> {
        let all = ALL.iter().map(|knob| levels.value(knob));
        Ok(RuleSettings(all.collect::<Result<_>>()?))
    }

    /// The rules.
    pub fn rules(&self) -> Rules {
        let [finished, cadence, auto_process, on_duplicate] =
            [0, 1, 2, 3].map(|at| &self.0[at].value);
        Rules {
            cadence: i64::try_from(cadence.number()).unwrap_or(i64::MAX),
            auto_process: *auto_process == SettingValue::On,
            on_duplicate: OnDuplicate::parse(on_duplicate.word()).unwrap_or_default(),
            finished: finished.many().to_vec(),
        }
    }

    pub(super) fn rows(&self) -> Vec<Row> {
        let all = ALL.iter().zip(&self.0);
        all.map(|(knob, setting)| Row::new(knob, &setting.value, &setting.origin))
            .collect()
    }

    /// The rows where they are not used.
    pub(super) fn unused() -> Vec<Row> {
        let why = "not used: the server at the URL decides";
        let all = ALL.iter().map(|knob| Row::without_value(knob, why.into()));
        all.collect()
    }
}
