//! Who makes a change. Every change is kept together with its author.

use std::borrow::Cow;
use std::sync::Arc;

use crate::base::error::quoted;

/// Who makes a change, and by which request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The name of the token; `local:` and the user of the system for a command on a database; `-` where a service is open.
    pub by: Arc<str>,
    /// For whom the author acts. The author names it, so it proves nothing.
    pub on_behalf_of: Option<Arc<str>>,
    /// The id of the request.
    pub request_id: Option<Arc<str>>,
    /// The id of the operation in the OpenAPI document.
    pub operation: Cow<'static, str>,
    /// The group that the changes join, named by its first change. `None` begins a new group.
    pub group: Option<i64>,
}

/// The name of an author who is not known.
pub const NOBODY: &str = "-";

/// The longest name of whom an author acts for, in characters.
pub const LONGEST_NAME: usize = 200;

impl Default for Author {
    fn default() -> Author {
        Author {
            by: NOBODY.into(),
            on_behalf_of: None,
            request_id: None,
            operation: "".into(),
            group: None,
        }
    }
}

/// Checks the name of whom an author acts for. The error says what was expected.
pub fn check_name(name: &str) -> Result<(), String> {
    let is_plain = !name.contains(char::is_control) && name.trim() == name;
    match is_plain && (1..=LONGEST_NAME).contains(&name.chars().count()) {
        true => Ok(()),
        false => Err(format!(
            "expected a name of 1 to {LONGEST_NAME} characters, without control characters, got {}",
            quoted(name)
        )),
    }
}
