//! Which processes are open, as SQL. Whatever lists or finds open processes uses this condition, so that all agree.

use crate::model::rules;

/// The condition that a process is open: its status, in this column, is none of the setting `finished`. `lower()` of both
/// databases changes ASCII letters alone, as [`Rules::is_open`](rules::Rules::is_open) does.
pub(crate) fn is_open(status: &str) -> String {
    let finished = rules::get().finished.iter();
    let words = finished.map(|word| format!("'{}'", word.to_ascii_lowercase().replace('\'', "''")));
    let words: Vec<String> = words.collect();
    format!("lower({status}) NOT IN ({})", words.join(", "))
}
