//! Counts what became of the rows, and keeps the first of each for the user.

use std::collections::BTreeMap;

use crate::base::error::{Code, Error};
use crate::import::draft::Refusal;
use crate::ops::bulk::Done;

/// How many rows are named of each.
pub(super) const FIRST: usize = 10;

/// How many reasons are told apart.
const MOST_REASONS: usize = 30;

/// The reason of rows without an address.
pub(super) const NO_ADDRESS: &str = "no e-mail address";

/// What became of rows.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// All rows.
    pub(super) rows: u64,
    pub(super) created: u64,
    pub(super) updated: u64,
    pub(super) unchanged: u64,
    pub(super) skipped: u64,
    pub(super) refused: u64,
    /// The reasons of refusals, with their number and their first lines.
    pub(super) reasons: BTreeMap<String, (u64, Vec<(u64, String)>)>,
    /// The first rows of a dry run, by what would be done.
    pub(super) first: BTreeMap<&'static str, Vec<(u64, String)>>,
}

impl Tally {
    /// Counts a row of which this was done, or would be.
    pub(super) fn done(&mut self, done: Done) {
        self.rows += 1;
        *match done {
            Done::Created => &mut self.created,
            Done::Updated => &mut self.updated,
            Done::Unchanged => &mut self.unchanged,
            Done::Skipped | Done::Deleted => &mut self.skipped,
        } += 1;
    }

    /// Names a row for the report of a dry run.
    pub(super) fn name(&mut self, done: Done, line: u64, what: impl FnOnce() -> String) {
        let first = self.first.entry(done.word()).or_default();
        if first.len() < FIRST {
            first.push((line, what()));
        }
    }

    /// Counts a row that was refused.
    pub(super) fn refused(&mut self, line: u64, kind: String, told: &str) {
        self.rows += 1;
        self.refused += 1;
        let kind = match self.reasons.len() < MOST_REASONS || self.reasons.contains_key(&kind) {
            true => kind,
            false => "other reasons".into(),
        };
        let reason = self.reasons.entry(kind).or_default();
        reason.0 += 1;
        if reason.1.len() < FIRST {
            reason.1.push((line, told.into()));
        }
    }

    /// The counts in words: `created 4,421, updated 30, refused 537`.
    pub(super) fn told(&self, conditional: bool) -> String {
        let counts = [
            ("created", self.created),
            ("updated", self.updated),
            ("unchanged", self.unchanged),
            ("skipped", self.skipped),
            ("refused", self.refused),
        ];
        let is_told = |(name, count): &(&str, u64)| *count > 0 || *name == "created";
        let told = counts.into_iter().filter(is_told);
        let told: Vec<String> = told
            .map(|(name, count)| format!("{name} {}", grouped(count)))
            .collect();
        let would = if conditional { "would be " } else { "" };
        format!("{would}{}", told.join(", "))
    }

    /// The reasons, those of the most rows first, in lines for the user.
    pub(super) fn reasons(&self) -> Vec<String> {
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
        let lines = reasons.into_iter().map(|(kind, (count, first))| {
            let rows = if *count == 1 { "row" } else { "rows" };
            let lines: Vec<String> = first.iter().map(|(line, _)| line.to_string()).collect();
            let more = if *count > first.len() as u64 {
                ", …"
            } else {
                ""
            };
            let word = if *count == 1 { "line" } else { "lines" };
            format!(
                "refused {} {rows}: {kind} ({word} {}{more})",
                grouped(*count),
                lines.join(", ")
            )
        });
        lines.collect()
    }
}

/// The kind of a refusal: its reason without what differs from row to row.
pub(super) fn kind(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NoAddress => NO_ADDRESS.into(),
        Refusal::Other(told) => general(told),
    }
}

/// The kind of an answer that refuses a line.
pub(super) fn kind_of(error: &Error) -> String {
    match error.code {
        Code::Conflict if error.message.contains("already has the address") => {
            "the address is taken already".into()
        }
        _ => general(&error.message),
    }
}

fn general(told: &str) -> String {
    let told = told.split(", got ").next().unwrap_or_default();
    let mut kind = String::with_capacity(told.len());
    let (mut in_quotes, mut in_number) = (false, false);
    for letter in told.chars() {
        match letter {
            '"' => {
                in_quotes = !in_quotes;
                if !in_quotes {
                    kind.push('…');
                }
            }
            _ if in_quotes => {}
            letter if letter.is_ascii_digit() => {
                if !in_number {
                    kind.push('N');
                }
            }
            letter => kind.push(letter),
        }
        in_number = letter.is_ascii_digit();
    }
    kind
}

/// A number with commas: 4,421.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told() {
        let mut tally = Tally::default();
        assert_eq!(tally.told(false), "created 0");
        for _ in 0..4421 {
            tally.done(Done::Created);
        }
        tally.done(Done::Updated);
        for line in 1..=12 {
            tally.refused(line, kind(&Refusal::NoAddress), "has no e-mail address");
        }
        let other = Refusal::Other("email: expected an address, got \"x\"".into());
        tally.refused(20, kind(&other), other.told());
        assert_eq!(tally.told(false), "created 4,421, updated 1, refused 13");
        assert_eq!(
            tally.reasons(),
            [
                "refused 12 rows: no e-mail address (lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …)",
                "refused 1 row: email: expected an address (line 20)",
            ]
        );
    }

    #[test]
    fn what_differs_from_row_to_row_is_left_out() {
        assert_eq!(
            general("has 10 cells, but the header has 9"),
            "has N cells, but the header has N"
        );
        assert_eq!(
            general("lead: no lead has the address \"a@b.de\""),
            "lead: no lead has the address …"
        );
        assert_eq!(
            (grouped(0), grouped(999), grouped(1_234_567)),
            ("0".into(), "999".into(), "1,234,567".into())
        );
    }
}
