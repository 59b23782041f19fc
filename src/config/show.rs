//! The table of settings as users see it: `crm config` and the manual.

use crate::config::backups::Backups;
use crate::config::kind::SettingKind;
use crate::config::listen::Listen;
use crate::config::row::Row;
use crate::config::service::ServiceSettings;
use crate::config::settings::Settings;
use crate::config::table::{DefaultValue, KNOBS, Knob};

/// The rows of `crm config`, in the order of the table. The row of the token also stands for the token's file.
pub fn rows(
    settings: &Settings,
    listen: &Listen,
    backups: &Backups,
    service: &ServiceSettings,
) -> Vec<Row> {
    let mut rows = settings.rows();
    rows.extend(listen.rows());
    rows.extend(backups.rows());
    rows.extend(service.rows());
    rows.sort_by_key(|row| KNOBS.iter().position(|knob| knob.name == row.setting));
    rows
}

/// The manual's table of settings in Markdown, one row per setting.
pub fn markdown() -> String {
    let mut text = String::from(
        "| setting | flag | environment variable | config file | default | what it does |\n\
         |---|---|---|---|---|---|\n",
    );
    for knob in KNOBS {
        let code = |name: Option<&str>| name.map_or(String::new(), |name| format!("`{name}`"));
        let cells = [
            knob.name.to_string(),
            code(knob.flag),
            code(knob.variable),
            code(knob.key),
            default(knob),
            match knob.kind.range() {
                Some(range) => format!("{}: {range}", knob.about),
                None => knob.about.to_string(),
            },
        ];
        let cells = cells.map(|cell| match cell.is_empty() {
            true => "| ".to_string(),
            false => format!("| {cell} "),
        });
        text.push_str(&cells.concat());
        text.push_str("|\n");
    }
    text
}

fn default(knob: &Knob) -> String {
    match (knob.default, knob.kind) {
        (DefaultValue::Value(text), _) => format!("`{text}`"),
        (DefaultValue::Rule(text), _) => text.into(),
        (DefaultValue::Unset, SettingKind::Switch) => "off".into(),
        (DefaultValue::Unset, _) => "none".into(),
    }
}
