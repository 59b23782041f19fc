//! The list of all nouns.

use super::{action, lead, process};
use crate::model::kind::OnDelete;
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
