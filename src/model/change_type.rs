//! The types of changes: `lead.created`. The list is closed, so that a filter or a webhook with a slip in it does not wait for ever.

use crate::base::error::quoted;
use crate::model::nouns::NOUNS;
use crate::model::process::DUE;

/// What can happen to a record: the second word of a change's type.
const EVENTS: [&str; 4] = ["created", "updated", "deleted", "erased"];

/// The type of the change that stands after a restore.
pub const RESTORED: &str = "database.restored";

/// Stands for all types, or for everything that happens to the records of a noun.
pub const ALL: &str = "*";

/// Whether a word is a type, or stands for all types of a noun, as `lead.*` does.
pub fn is_type(word: &str) -> bool {
    let Some((noun, event)) = word.split_once('.') else {
        return false;
    };
    let is_known = NOUNS.iter().any(|known| known.name == noun);
    word == DUE || word == RESTORED || (is_known && (event == ALL || EVENTS.contains(&event)))
}

/// What is expected in place of a word that is no type.
pub fn expected(like: &str, got: &str) -> String {
    let nouns: Vec<&str> = NOUNS.iter().map(|noun| noun.name).collect();
    format!(
        "expected {like}{0}.* or {0}.created, where the first word is one of {1} and the second one of {2}, or {DUE} or {RESTORED}, got {3}",
        nouns[0],
        nouns.join(", "),
        EVENTS.join(", "),
        quoted(got)
    )
}
