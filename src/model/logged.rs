//! What logging an action has done: the action, the process whose follow-up it moved, and the lead.

use crate::model::action::ACTION;
use crate::model::attributes::Entries;
use crate::model::json::write_text;
use crate::model::lead::LEAD;
use crate::model::noun::Noun;
use crate::model::process::PROCESS;
use crate::model::record::Record;

/// What logging an action has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// The new action.
    pub action: Record,
    /// The process that it belongs to, if there is one.
    pub process: Option<Record>,
    /// The lead.
    pub lead: Record,
    /// What happened to the process.
    pub followup: Followup,
    /// The next follow-up of the process before and after it. `None` if the process stayed as it was.
    pub moved: Option<Moved>,
}

/// What happened to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followup {
    /// There is no open process.
    None,
    /// It got the action and a new date.
    Moved,
    /// It was opened.
    Opened,
    /// It was ended.
    Ended,
    /// It stayed as it was, because the action is older than its last one.
    Older,
}

/// The next follow-up of a process before and after a change. `None` stands for no date.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Before it.
    pub from: Option<String>,
    /// After it.
    pub to: Option<String>,
}

impl Followup {
    /// The words of the API.
    pub const WORDS: [(&'static str, Followup); 5] = [
        ("none", Followup::None),
        ("moved", Followup::Moved),
        ("opened", Followup::Opened),
        ("ended", Followup::Ended),
        ("older", Followup::Older),
    ];

    /// The word.
    pub fn word(self) -> &'static str {
        let known = Self::WORDS.iter().find(|known| known.1 == self);
        known.map_or("", |known| known.0)
    }
}

impl Logged {
    /// The JSON that the API answers.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = b"{\"action\":".to_vec();
        out.extend(self.action.to_json_bytes());
        out.extend_from_slice(b",\"process\":");
        match &self.process {
            Some(process) => out.extend(process.to_json_bytes()),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"lead\":");
        out.extend(self.lead.to_json_bytes());
        out.extend_from_slice(b",\"followup\":");
        write_text(self.followup.word(), &mut out);
        out.extend_from_slice(b",\"moved\":");
        match &self.moved {
            Some(moved) => {
                out.extend_from_slice(b"{\"from\":");
                time(moved.from.as_deref(), &mut out);
                out.extend_from_slice(b",\"to\":");
                time(moved.to.as_deref(), &mut out);
                out.push(b'}');
            }
            None => out.extend_from_slice(b"null"),
        }
        out.push(b'}');
        out
    }

    /// Reads what [`Logged::to_json`] wrote. `None` if it is something else.
    pub fn from_json(json: &[u8]) -> Option<Logged> {
        let entries: Entries = serde_json::from_slice(json).ok()?;
        let raw = |name: &str| {
            let found = entries.0.iter().find(|(key, _)| key == name)?;
            Some(found.1.get()).filter(|raw| *raw != "null")
        };
        let record = |noun: &'static Noun, raw: &str| {
            Record::from_json(noun, raw.as_bytes()).filter(|record| record.id() >= 1)
        };
        let word: String = serde_json::from_str(raw("followup")?).ok()?;
        let moved: Option<serde_json::Value> = match raw("moved") {
            Some(raw) => Some(serde_json::from_str(raw).ok()?),
            None => None,
        };
        Some(Logged {
            action: record(&ACTION, raw("action")?)?,
            process: match raw("process") {
                Some(raw) => Some(record(&PROCESS, raw)?),
                None => None,
            },
            lead: record(&LEAD, raw("lead")?)?,
            followup: Followup::WORDS.iter().find(|known| known.0 == word)?.1,
            moved: moved.map(|moved| Moved {
                from: moved["from"].as_str().map(str::to_string),
                to: moved["to"].as_str().map(str::to_string),
            }),
        })
    }
}

fn time(time: Option<&str>, out: &mut Vec<u8>) {
    match time {
        Some(time) => write_text(time, out),
        None => out.extend_from_slice(b"null"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_written() {
        let record = |noun, json: &str| Record::from_json(noun, json.as_bytes()).unwrap();
        let mut logged = Logged {
            action: record(&ACTION, r#"{"id":12,"attributes":{"b":1.50,"a":"x"}}"#),
            process: Some(record(&PROCESS, r#"{"id":4,"name":"\"Spring\""}"#)),
            lead: record(&LEAD, r#"{"id":7,"email":"ada@example.com"}"#),
            followup: Followup::Moved,
            moved: Some(Moved {
                from: None,
                to: Some("2026-02-07 09:00:00".into()),
            }),
        };
        assert_eq!(Logged::from_json(&logged.to_json()), Some(logged.clone()));
        (logged.process, logged.followup, logged.moved) = (None, Followup::None, None);
        assert_eq!(Logged::from_json(&logged.to_json()), Some(logged));
        for other in ["{}", "[]", r#"{"action":{"id":1}}"#, "", "null"] {
            assert_eq!(Logged::from_json(other.as_bytes()), None, "{other}");
        }
    }
}
