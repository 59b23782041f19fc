//! The conditions of a list that PostgreSQL cannot decide as crm means them: `LIKE` without case, and the attributes.
//!
//! PostgreSQL folds case by the locale of the database, and has no numbers of any size compared as such in a JSON text
//! whose digits are kept. It answers all that may fit ([`Select::may_differ`](crate::store::sql::Select)), by conditions
//! that leave out most of what does not, and the last word is crm's own, which is the very code that SQLite calls. So
//! both databases find the same.

use std::cmp::Ordering;

use crate::base::text::Pattern;
use crate::model::attributes;
use crate::model::query::{Column, Comparison, Operand, Query, Test};
use crate::model::record::Cell;

/// What has to hold beside the conditions that a statement has.
pub(super) struct Residue {
    tests: Vec<(usize, Part)>,
    /// One of these has to fit.
    search: Option<(Vec<usize>, Pattern)>,
}

enum Part {
    Like(Pattern),
    /// Of one key of the attributes.
    Attribute(String, Wanted),
}

enum Wanted {
    Nothing,
    Something,
    Like(Pattern),
    Compare(Comparison, String),
    /// A JSON array of texts.
    OneOf(String),
    /// What no attribute can be.
    Never,
}

impl Residue {
    /// `None` where the statement decides everything.
    pub(super) fn of(query: &Query) -> Option<Residue> {
        let attributes = query.noun.position("attributes")?;
        let tests = query.filters.iter().filter_map(|filter| {
            match (&filter.column, &filter.test) {
                // Every pattern of a query can be read; one that cannot finds nothing.
                (Column::Field(at), Test::Like(pattern)) => {
                    Some((*at, Part::Like(Pattern::parse(pattern)?)))
                }
                (Column::Field(_), _) => None,
                (Column::Attribute(key), test) => {
                    Some((attributes, Part::Attribute(key.clone(), Wanted::by(test))))
                }
            }
        });
        let tests: Vec<(usize, Part)> = tests.collect();
        let search = query.search.as_deref().and_then(Pattern::parse);
        let search = search.map(|pattern| {
            let fields = query.noun.fields.iter().enumerate();
            let searched = fields.filter(|(_, field)| field.searchable());
            (searched.map(|(at, _)| at).collect(), pattern)
        });
        (!tests.is_empty() || search.is_some()).then_some(Residue { tests, search })
    }

    /// Whether a record, one cell a field of its noun, fits.
    pub(super) fn holds(&self, cells: &[Cell<'_>]) -> bool {
        let like = |pattern: &Pattern, at: usize| matches!(cells[at], Cell::Text(text) if pattern.matches(text, || false));
        let tests = self.tests.iter().all(|(at, part)| match part {
            Part::Like(pattern) => like(pattern, *at),
            Part::Attribute(key, wanted) => match cells[*at] {
                Cell::Text(stored) => wanted.holds(stored, key),
                _ => false,
            },
        });
        let found =
            |(fields, pattern): &(Vec<usize>, Pattern)| fields.iter().any(|at| like(pattern, *at));
        tests && self.search.as_ref().is_none_or(found)
    }
}

impl Wanted {
    fn by(test: &Test) -> Wanted {
        match test {
            Test::Null => Wanted::Nothing,
            Test::NotNull => Wanted::Something,
            Test::Like(pattern) => Pattern::parse(pattern).map_or(Wanted::Never, Wanted::Like),
            Test::Compare(comparison, Operand::Text(text)) => {
                Wanted::Compare(*comparison, text.clone())
            }
            Test::Compare(..) => Wanted::Never,
            Test::In(operands) => {
                let texts = operands.iter().filter_map(|operand| match operand {
                    Operand::Text(text) => Some(serde_json::Value::from(text.as_str())),
                    _ => None,
                });
                Wanted::OneOf(serde_json::Value::Array(texts.collect()).to_string())
            }
        }
    }

    fn holds(&self, stored: &str, key: &str) -> bool {
        match self {
            Wanted::Nothing => attributes::lookup(stored, key).is_none(),
            Wanted::Something => attributes::lookup(stored, key).is_some(),
            Wanted::Like(pattern) => {
                attributes::lookup(stored, key).is_some_and(|text| pattern.matches(&text, || false))
            }
            // No value is not equal to any.
            Wanted::Compare(Comparison::Ne, given) => {
                attributes::compare(stored, key, given) != Some(Ordering::Equal)
            }
            Wanted::Compare(comparison, given) => {
                let order = attributes::compare(stored, key, given);
                order.is_some_and(|order| match comparison {
                    Comparison::Eq | Comparison::Ne => order.is_eq(),
                    Comparison::Gt => order.is_gt(),
                    Comparison::Gte => order.is_ge(),
                    Comparison::Lt => order.is_lt(),
                    Comparison::Lte => order.is_le(),
                })
            }
            Wanted::OneOf(given) => attributes::any(stored, key, given) == Some(true),
            Wanted::Never => false,
        }
    }
}
