//! A row of `crm config`: one setting with its value and its origin.

use std::fmt;

use crate::config::table::Knob;

/// One setting as `crm config` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub setting: &'static str,
    /// Its value, `None` if it has none.
    pub value: Option<String>,
    /// Where the value comes from, or why there is none.
    pub source: String,
}

impl Row {
    pub(super) fn new(knob: &Knob, value: impl fmt::Display, source: impl fmt::Display) -> Row {
        Row {
            setting: knob.name,
            value: Some(value.to_string()),
            source: source.to_string(),
        }
    }

    pub(super) fn without_value(knob: &Knob, why: String) -> Row {
        Row {
            setting: knob.name,
            value: None,
            source: why,
        }
    }
}
