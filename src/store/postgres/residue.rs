//! The conditions of a list that PostgreSQL cannot decide as crm defines them: `LIKE` without case, and attributes.
//!
//! PostgreSQL folds case by the locale of the database. It also cannot compare numbers of any size in a JSON text whose
//! digits are kept. So PostgreSQL returns all records that may fit ([`Select::may_differ`](crate::store::sql::select)),
//! with conditions that leave out most others, and crm decides. It uses the same code that SQLite calls, so both databases
//! find the same records.

use std::cmp::Ordering;

use crate::base::text::Pattern;
use crate::model::attributes::{self, Given, GivenOneOf};
use crate::model::kind::Kind;
use crate::model::query::{Column, Comparison, Operand, Query, Test};
use crate::model::value::Cell;

/// The conditions that crm checks itself.
pub(super) struct Residue {
    tests: Vec<(usize, LocalTest)>,
    search: Option<Search>,
}

/// The parameter `q`: one of the fields must match, or a value of the attributes.
struct Search {
    pattern: Pattern,
    fields: Vec<usize>,
    attributes: Option<usize>,
}

enum LocalTest {
    Like(Pattern),
    /// A test of one key of the attributes.
    Attribute(String, AttributeTest),
}

enum AttributeTest {
    Nothing,
    Something,
    Like(Pattern),
    Compare(Comparison, Given),
    OneOf(GivenOneOf),
    /// No attribute fits.
    Never,
}

impl Residue {
    /// The residue of a query, `None` if the statement decides everything.
    pub(super) fn of(query: &Query) -> Option<Residue> {
        let fields = query.noun.fields;
        let attributes = fields
            .iter()
            .position(|field| field.kind == Kind::Attributes);
        let tests = query.filters.iter().filter_map(|filter| {
            match (&filter.column, &filter.test) {
                // Every pattern of a query was checked, so it can be read.
                (Column::Field(at), Test::Like(pattern)) => {
                    Some((*at, LocalTest::Like(Pattern::parse(pattern)?)))
                }
                (Column::Field(_), _) => None,
                (Column::Attribute(key), test) => Some((
                    attributes?,
                    LocalTest::Attribute(key.clone(), AttributeTest::by(test)),
                )),
            }
        });
        let tests: Vec<(usize, LocalTest)> = tests.collect();
        let search = query.search.as_deref().and_then(Pattern::parse);
        let search = search.map(|pattern| {
            let searched = fields
                .iter()
                .enumerate()
                .filter(|(_, field)| field.searchable());
            Search {
                pattern,
                fields: searched.map(|(at, _)| at).collect(),
                attributes,
            }
        });
        (!tests.is_empty() || search.is_some()).then_some(Residue { tests, search })
    }

    /// Whether a record fits. It has one cell for each field of its noun.
    pub(super) fn holds(&self, cells: &[Cell<'_>]) -> bool {
        let like = |pattern: &Pattern, at: usize| matches!(cells[at], Cell::Text(text) if pattern.matches(text, || false));
        let tests = self.tests.iter().all(|(at, part)| match part {
            LocalTest::Like(pattern) => like(pattern, *at),
            LocalTest::Attribute(key, wanted) => match cells[*at] {
                Cell::Text(stored) => wanted.holds(stored, key),
                _ => false,
            },
        });
        let found = |search: &Search| {
            let in_attributes = |at: usize| matches!(cells[at], Cell::Text(stored) if attributes::search(stored, &search.pattern, || false));
            search.fields.iter().any(|at| like(&search.pattern, *at))
                || search.attributes.is_some_and(in_attributes)
        };
        tests && self.search.as_ref().is_none_or(found)
    }
}

impl AttributeTest {
    fn by(test: &Test) -> AttributeTest {
        match test {
            Test::Null => AttributeTest::Nothing,
            Test::NotNull => AttributeTest::Something,
            Test::Like(pattern) => {
                Pattern::parse(pattern).map_or(AttributeTest::Never, AttributeTest::Like)
            }
            Test::Compare(comparison, Operand::Text(text)) => {
                AttributeTest::Compare(*comparison, Given::new(text))
            }
            Test::Compare(..) | Test::NotIn(_) => AttributeTest::Never,
            Test::In(operands) => {
                let texts = operands.iter().filter_map(|operand| match operand {
                    Operand::Text(text) => Some(text.as_str()),
                    _ => None,
                });
                AttributeTest::OneOf(GivenOneOf::new(texts))
            }
        }
    }

    fn holds(&self, stored: &str, key: &str) -> bool {
        match self {
            AttributeTest::Nothing => attributes::lookup(stored, key).is_none(),
            AttributeTest::Something => attributes::lookup(stored, key).is_some(),
            AttributeTest::Like(pattern) => {
                attributes::lookup(stored, key).is_some_and(|text| pattern.matches(&text, || false))
            }
            // A missing value differs from every value.
            AttributeTest::Compare(Comparison::Ne, given) => {
                given.compare(stored, key) != Some(Ordering::Equal)
            }
            AttributeTest::Compare(comparison, given) => {
                let order = given.compare(stored, key);
                order.is_some_and(|order| match comparison {
                    Comparison::Eq | Comparison::Ne => order.is_eq(),
                    Comparison::Gt => order.is_gt(),
                    Comparison::Gte => order.is_ge(),
                    Comparison::Lt => order.is_lt(),
                    Comparison::Lte => order.is_le(),
                })
            }
            AttributeTest::OneOf(given) => given.has(stored, key) == Some(true),
            AttributeTest::Never => false,
        }
    }
}
