//! Values of the body of a logged action.

use crate::base::error::{Error, Result, quoted};
use crate::base::time::{self, Zone};
use crate::model::draft::{Draft, Purpose, ReadIn, entries};
use crate::model::process::PROCESS;

/// The fields of a process that a request may open.
pub(super) const OF_PROCESS: [&str; 3] = ["name", "cadence_days", "attributes"];

/// What was expected, and the JSON that was given. A text is quoted once.
pub(super) fn wrong(expected: &str, raw: &str) -> String {
    let got = match serde_json::from_str::<String>(raw) {
        Ok(text) => quoted(&text),
        Err(_) => quoted(raw),
    };
    format!("{expected}, got {got}")
}

/// Reads the time of the next follow-up, or null for none.
pub(super) fn next(raw: &str, zone: &Zone) -> Result<Option<String>, String> {
    if raw == "null" {
        return Ok(None);
    }
    let expected = || wrong(&format!("{}, or null for none", time::EXPECTED), raw);
    let text: String = serde_json::from_str(raw).map_err(|_| expected())?;
    time::parse_in(&text, zone).map(Some).ok_or_else(expected)
}

/// Reads the process that is opened.
pub(super) fn opened(raw: &str) -> Result<Draft> {
    let mut draft = Draft::new(&PROCESS);
    if !raw.starts_with('{') {
        let expected = "expected an object like {\"name\": \"Spring\"}";
        return Err(Error::invalid(wrong(expected, raw)));
    }
    // Such as a key that is there twice.
    let members = entries(raw.as_bytes()).map_err(|mut error| {
        error.message = error.message.replacen("body: ", "", 1);
        error
    })?;
    for (key, raw) in members.0 {
        match OF_PROCESS.contains(&&*key) {
            true => draft.read(&key, raw.get(), Purpose::Create, ReadIn::UTC),
            false => {
                let key: String = key.chars().take(60).collect();
                draft.refuse(
                    &key,
                    format!("no such field; expected {}", OF_PROCESS.join(", ")),
                );
            }
        }
    }
    draft.row().map_err(Error::fields)?;
    Ok(draft)
}
