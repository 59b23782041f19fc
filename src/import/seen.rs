//! Rows of one file about the same record.
//!
//! A file may have an address twice. Whoever imports such a file twice would change the record there and back each time, and
//! the first row would be lost both times. So a row that says something else about a record than an earlier one of the same
//! file is refused, and can be imported by itself. A row that says the same once more does no harm.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

/// The most rows that are remembered, which take 30 MB. In a larger file later rows are not compared.
const MOST: usize = 900_000;

/// The keys of rows, and what they said.
#[derive(Debug, Default)]
pub struct SeenKeys {
    hasher: RandomState,
    keys: HashSet<u64>,
    rows: HashSet<u64>,
}

/// Whether a key was seen in an earlier row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It was not.
    New,
    /// It was, and the row said the same.
    Same,
    /// It was, and the row said something else.
    Differs,
}

impl SeenKeys {
    /// Remembers a row.
    pub fn see(&mut self, key: &str, row: &str) -> Seen {
        let (key, row) = (self.hasher.hash_one(key), self.hasher.hash_one((key, row)));
        if self.keys.contains(&key) {
            return match self.rows.contains(&row) {
                true => Seen::Same,
                false => Seen::Differs,
            };
        }
        if self.keys.len() < MOST {
            self.keys.insert(key);
            self.rows.insert(row);
        }
        Seen::New
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_compared_with_the_first_one_of_its_key() {
        let mut seen = SeenKeys::default();
        assert_eq!(seen.see("a", "1"), Seen::New);
        assert_eq!(seen.see("b", "1"), Seen::New);
        assert_eq!(seen.see("a", "1"), Seen::Same);
        assert_eq!(seen.see("a", "2"), Seen::Differs);
        assert_eq!(seen.see("a", "2"), Seen::Differs);
    }
}
