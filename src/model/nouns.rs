//! The list of all nouns.

use super::{action, lead, process};
use crate::base::error::{Code, Error};
use crate::model::kind::{OnDelete, Target};
use crate::model::noun::Noun;

/// All nouns. Each refers only to those before it.
pub const NOUNS: [&Noun; 3] = [&lead::LEAD, &action::ACTION, &process::PROCESS];

/// The records that can keep a record of a noun from being deleted: `actions and processes`. `None` if there are none.
pub fn owned(noun: &'static Noun) -> Option<String> {
    let refusing = noun
        .referrers(&NOUNS)
        .filter(|one| one.2 == OnDelete::Refuse);
    let plurals: Vec<&str> = refusing.map(|one| one.0.plural).collect();
    (!plurals.is_empty()).then(|| plurals.join(" and "))
}

/// The noun that a reference points to.
pub fn target(target: Target) -> Option<&'static Noun> {
    NOUNS.into_iter().find(|noun| noun.plural == target.plural)
}

/// The error for a record that cannot be deleted because other records refer to it. `counts` has each noun that refers to
/// it with the number of its records.
pub fn in_use(noun: &Noun, id: i64, counts: &[(&Noun, u64)]) -> Error {
    let message = format!(
        "{} {id} has {}; delete them first, or all together (?cascade=true)",
        noun.title,
        counted(counts).join(" and ")
    );
    Error::new(Code::Conflict, message)
}

/// Numbers of records in words: `2 actions`, `1 process`. Without those that are 0.
pub fn counted(counts: &[(&Noun, u64)]) -> Vec<String> {
    let some = counts.iter().filter(|(_, count)| *count > 0);
    some.map(|(noun, count)| match count {
        1 => format!("1 {}", noun.name),
        count => format!("{count} {}", noun.plural),
    })
    .collect()
}
