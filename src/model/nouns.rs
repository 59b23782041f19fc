//! Every noun: the one list.

use super::{action, lead, process};
use crate::model::kind::OnDelete;
use crate::model::noun::Noun;

/// Every noun, in the order in which they refer to one another.
pub const NOUNS: [&Noun; 3] = [&lead::LEAD, &action::ACTION, &process::PROCESS];

/// What keeps a record of a noun from being deleted: `actions and processes`. `None` where nothing does.
pub fn owned(noun: &'static Noun) -> Option<String> {
    let refusing = noun
        .referrers(&NOUNS)
        .filter(|one| one.2 == OnDelete::Refuse);
    let plurals: Vec<&str> = refusing.map(|one| one.0.plural).collect();
    (!plurals.is_empty()).then(|| plurals.join(" and "))
}
