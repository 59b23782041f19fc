//! The guard of cells that a spreadsheet would run as a formula (OWASP, "CSV Injection").
//!
//! A cell that begins with `=`, `+`, `-`, `@`, a tab or a line break gets an apostrophe before it. Taking the guard off gives the
//! cell back exactly: a cell that has an apostrophe before such a character of itself gets one more, in every CSV.

use std::borrow::Cow;

/// Whether a text begins with a character that a spreadsheet may take for a formula.
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])
}

/// Whether a text looks like a guarded one.
fn is_guarded(text: &str) -> bool {
    text.starts_with('\'') && is_formula(text.trim_start_matches('\''))
}

/// The cell for a CSV. `spreadsheet` guards against formulas.
pub fn guarded(text: &str, spreadsheet: bool) -> Cow<'_, str> {
    match is_guarded(text) || spreadsheet && is_formula(text) {
        true => format!("'{text}").into(),
        false => text.into(),
    }
}

/// The cell without its guard.
pub fn bare(cell: &str) -> &str {
    match is_guarded(cell) {
        true => &cell[1..],
        false => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_comes_off_exactly() {
        for text in [
            "", "a", "'", "'a", "''a", "=1+1", "'=1", "''=1", "-5", "+49 171", "@x", "\t=1", "a=1",
            "'+'",
        ] {
            for spreadsheet in [false, true] {
                let cell = guarded(text, spreadsheet);
                assert_eq!(bare(&cell), text);
                assert!(!spreadsheet || !is_formula(&cell), "{cell}");
            }
        }
        assert_eq!(guarded("=1", true), "'=1");
        assert_eq!(guarded("=1", false), "=1");
    }
}
