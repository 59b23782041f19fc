//! Whether a change meets the conditions of a query, decided without a database: each change is read once for all streams.
//!
//! The rules are those of the statements in [`crate::store::sql`]. A test of all stores compares the two.

use std::cmp::Ordering;

use crate::base::text::Pattern;
use crate::model::query::filter::{Column, Comparison, Filter, Operand, Test};
use crate::model::record::Record;
use crate::model::value::Value;

/// The conditions of a query of a feed. Its records have no fields of users' own.
#[derive(Debug)]
pub struct Conditions {
    /// The position of a field, and what it has to meet.
    tests: Vec<(usize, Test)>,
    /// The patterns of the tests, at the same places.
    patterns: Vec<Option<Pattern>>,
    search: Option<Pattern>,
}

impl Conditions {
    /// These filters, and the pattern that one of the text fields has to match.
    pub(super) fn of(filters: &[Filter], search: Option<&str>) -> Conditions {
        let fields = filters.iter().filter_map(|filter| match filter.column {
            Column::Field(at) => Some((at, filter.test.clone())),
            // A filter of a feed is never of this kind.
            Column::Attribute(_) => None,
        });
        let tests: Vec<(usize, Test)> = fields.collect();
        let patterns = tests.iter().map(|(_, test)| match test {
            Test::Like(pattern) => Pattern::parse(pattern),
            _ => None,
        });
        Conditions {
            patterns: patterns.collect(),
            search: search.and_then(Pattern::parse),
            tests,
        }
    }

    /// Whether a record meets all of them.
    pub fn are_met(&self, record: &Record) -> bool {
        let mut tests = self.tests.iter().zip(&self.patterns);
        let all = tests.all(|((at, test), pattern)| meets(&record.values[*at], test, pattern));
        all && self.search.as_ref().is_none_or(|search| {
            let fields = record.noun.fields.iter().zip(&record.values);
            let mut texts = fields.filter(|(field, _)| field.searchable());
            texts.any(|(_, value)| matches(value, search))
        })
    }
}

fn matches(value: &Value, pattern: &Pattern) -> bool {
    let text = value.text();
    text.is_some_and(|text| pattern.matches(text, || false))
}

fn meets(value: &Value, test: &Test, pattern: &Option<Pattern>) -> bool {
    let equals = |operand: &Operand| compares(value, Comparison::Eq, operand);
    match test {
        Test::Null => *value == Value::Null,
        Test::NotNull => *value != Value::Null,
        Test::Compare(comparison, operand) => compares(value, *comparison, operand),
        Test::In(operands) => operands.iter().any(equals),
        Test::NotIn(operands) => !operands.iter().any(equals),
        Test::Like(_) => pattern
            .as_ref()
            .is_some_and(|pattern| matches(value, pattern)),
    }
}

fn compares(value: &Value, comparison: Comparison, operand: &Operand) -> bool {
    if *value == Value::Null {
        return comparison == Comparison::Ne;
    }
    let order = match (value, operand) {
        (Value::Int(int), Operand::Int(other)) => int.cmp(other),
        (Value::Text(text), Operand::Text(other)) => text.as_str().cmp(other),
        // Everything from the start to before the end is equal.
        (Value::Text(text), Operand::Range(range)) => match text.as_str() {
            text if text < range.start.as_str() => Ordering::Less,
            text if text >= range.end.as_str() => Ordering::Greater,
            _ => Ordering::Equal,
        },
        // The kind of a field decides about both.
        _ => return false,
    };
    match comparison {
        Comparison::Eq => order.is_eq(),
        Comparison::Ne => order.is_ne(),
        Comparison::Gt => order.is_gt(),
        Comparison::Gte => order.is_ge(),
        Comparison::Lt => order.is_lt(),
        Comparison::Lte => order.is_le(),
    }
}
