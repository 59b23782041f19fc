//! What the lines of a bulk request have in common.

use super::finder::Finder;
use crate::base::time::Zone;
use crate::model::lead::OnDuplicate;
use crate::model::noun::Noun;
use crate::model::rules;

/// The largest record that is kept in memory beside others, in bytes. A portion has hundreds.
pub(super) const SMALL: usize = 16 * 1024;

/// What the lines of a request have in common.
#[derive(Clone)]
pub(super) struct Manner {
    pub(super) noun: &'static Noun,
    /// What to do if a record is there already. `None` leaves it to the line and the rules.
    pub(super) on_duplicate: Option<OnDuplicate>,
    pub(super) finder: Finder,
    /// Whether a delete also deletes what refers to the record.
    pub(super) cascade: bool,
    /// Whether one line that is refused refuses all.
    pub(super) is_atomic: bool,
    /// Whether the answers have the records.
    pub(super) shows: bool,
    pub(super) zone: Zone,
}

impl Manner {
    /// What a line does if a record is there already.
    pub(super) fn policy(&self, is_upsert: bool) -> OnDuplicate {
        match self.on_duplicate {
            Some(given) => given,
            None if is_upsert => OnDuplicate::Update,
            // The rules of the database are about addresses.
            None if self.noun.email().is_none() => OnDuplicate::Create,
            None => rules::get().on_duplicate,
        }
    }
}
