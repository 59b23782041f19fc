//! The conditions of a list.

use super::text::{Dialect, Select};
use crate::base::text::fold;
use crate::model::email::MOST_SPELLINGS;
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::query::{Column, Comparison, Operand, Query, Test};
use crate::model::value::Value;
use crate::store::sql::statements::{column, key};

/// The longest text that is looked up by an index, in bytes. The indexes leave longer texts out, because PostgreSQL accepts
/// no entry beyond 2,704 bytes. A condition states that it matches only shorter texts, so that the index can be used.
pub(crate) const LONGEST_INDEXED: usize = 1_000;

const LIKE: &str = " LIKE ";
const ESCAPE: &str = " ESCAPE '\\'";

/// Whether all texts of a test are short enough for an index.
pub(super) fn is_indexed(test: &Test) -> bool {
    let is_short =
        |operand: &Operand| matches!(operand, Operand::Text(text) if text.len() <= LONGEST_INDEXED);
    match test {
        Test::Compare(Comparison::Eq, operand) => is_short(operand),
        Test::In(operands) => operands.iter().all(is_short),
        _ => false,
    }
}

/// How a list goes through its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walk {
    /// One statement in the list's order.
    Once,
    /// One statement for each chunk, each starting after an id. An index in another order than the ids would make each
    /// statement sort all remaining records, so conditions on ranges must not use their indexes.
    ById,
}

impl Select {
    /// `WHERE` and all conditions.
    pub(super) fn conditions(&mut self, query: &Query, walk: Walk, from_cursor: bool) {
        // This first condition is always true, so that every other one can begin with AND.
        self.push(" WHERE 1 = 1");
        for filter in &query.filters {
            self.push(" AND ");
            match &filter.column {
                Column::Field(at) => self.field(query.noun, *at, &filter.test, walk),
                Column::Attribute(key) => self.attribute(key, &filter.test),
            }
        }
        if let Some(pattern) = &query.search {
            let mut before = " AND (";
            for field in query.noun.fields.iter().filter(|field| field.searchable()) {
                self.push(before).like(&column(query.noun, field), pattern);
                before = " OR ";
            }
            if query.noun.has_attributes() {
                self.push(before).attributes_match(pattern);
            }
            self.push(")");
        }
        // Between ids, each statement has its own bounds.
        if let (Some(first), Walk::Once) = (query.lowest(), walk) {
            self.push(" AND ").push(&key(query.noun));
            self.push(" >= ").value(first);
        }
        if let (Some(last), Walk::Once) = (query.up_to, walk) {
            self.push(" AND ").push(&key(query.noun));
            self.push(" <= ").value(last);
        }
        if from_cursor && let Some(cursor) = &query.after {
            self.push(" AND ")
                .after(query.noun, &query.order, &cursor.0);
        }
    }

    fn field(&mut self, noun: &Noun, at: usize, test: &Test, walk: Walk) {
        let field = &noun.fields[at];
        let is_point = match test {
            Test::Compare(Comparison::Eq, Operand::Int(_) | Operand::Text(_)) | Test::Null => true,
            // The spellings of an address. Few records have it, so sorting them takes no time.
            Test::In(operands) => field.kind == Kind::Email && operands.len() <= MOST_SPELLINGS,
            _ => false,
        };
        let mut compared = match field.kind {
            Kind::Email => format!("lower({})", field.name),
            _ => column(noun, field),
        };
        // SQLite uses the first of two bounds. With a filter on the ids, each chunk would start at the filter's bound. The + keeps
        // that bound from being used.
        if walk == Walk::ById && !is_point && self.dialect == Dialect::Sqlite {
            compared.insert(0, '+');
        }
        if self.dialect == Dialect::Postgres && field.searchable() && is_indexed(test) {
            self.push("octet_length(")
                .push(&column(noun, field))
                .push(&format!(") <= {LONGEST_INDEXED} AND "));
        }
        let is_of_few = matches!(test, Test::Compare(Comparison::Eq, _) | Test::In(_));
        if let Some(keys) = noun.lookup(field)
            && is_of_few
            && self.dialect == Dialect::Sqlite
        {
            let known = &key(noun);
            let keys = format!("{known} IN ({keys}");
            match test {
                Test::Compare(comparison, operand) => self.compare(&keys, *comparison, operand),
                Test::In(operands) => self.within(&keys, operands),
                _ => self,
            };
            self.push(") AND ");
        }
        match test {
            Test::Null => self.push(&compared).push(" IS NULL"),
            Test::NotNull => self.push(&compared).push(" IS NOT NULL"),
            Test::Like(pattern) => self.like(&column(noun, field), pattern),
            Test::Compare(comparison, operand) => self.compare(&compared, *comparison, operand),
            Test::In(operands) => self.within(&compared, operands),
            Test::NotIn(operands) => {
                self.push("(NOT ").within(&compared, operands);
                self.push(" OR ").push(&compared).push(" IS NULL)")
            }
        };
    }

    /// `(a OR b OR …)`, nested in halves, because databases limit the depth of a chain of ORs.
    fn any(&mut self, operands: &[Operand], each: &dyn Fn(&mut Select, &Operand)) -> &mut Select {
        self.push("(");
        match operands {
            [] => {
                self.push("1 = 0");
            }
            [one] => each(self, one),
            many => {
                let (left, right) = many.split_at(many.len() / 2);
                self.any(left, each).push(" OR ").any(right, each);
            }
        }
        self.push(")")
    }

    /// A column in a list of values: one `IN`, which can use an index, unless some values are spans of time.
    fn within(&mut self, column: &str, operands: &[Operand]) -> &mut Select {
        if operands
            .iter()
            .any(|operand| matches!(operand, Operand::Range(_) | Operand::Null))
        {
            return self.any(operands, &|select, operand| {
                select.compare(column, Comparison::Eq, operand);
            });
        }
        let mut before = " IN (";
        self.push(column);
        for operand in operands {
            self.push(before);
            match operand {
                Operand::Int(int) => self.value(*int),
                Operand::Text(text) => self.value(text.as_str()),
                Operand::Range(_) | Operand::Null => self,
            };
            before = ", ";
        }
        self.push(")")
    }

    fn compare(&mut self, column: &str, comparison: Comparison, operand: &Operand) -> &mut Select {
        let value: Value = match operand {
            Operand::Int(int) => (*int).into(),
            Operand::Text(text) => text.as_str().into(),
            Operand::Range(range) => {
                return self.compare_range(column, comparison, &range.start, &range.end);
            }
            Operand::Null => return self.push(column).push(" IS NULL"),
        };
        let sign = match comparison {
            Comparison::Eq => " = ",
            Comparison::Ne => {
                return self
                    .push("(")
                    .push(column)
                    .push(" <> ")
                    .value(value)
                    .push(" OR ")
                    .push(column)
                    .push(" IS NULL)");
            }
            Comparison::Gt => " > ",
            Comparison::Gte => " >= ",
            Comparison::Lt => " < ",
            Comparison::Lte => " <= ",
        };
        self.push(column).push(sign).value(value)
    }

    fn compare_range(
        &mut self,
        column: &str,
        comparison: Comparison,
        start: &str,
        end: &str,
    ) -> &mut Select {
        match comparison {
            Comparison::Eq => {
                self.push("(").push(column).push(" >= ").value(start);
                self.push(" AND ")
                    .push(column)
                    .push(" < ")
                    .value(end)
                    .push(")")
            }
            Comparison::Ne => {
                self.push("(").push(column).push(" < ").value(start);
                self.push(" OR ").push(column).push(" >= ").value(end);
                self.push(" OR ").push(column).push(" IS NULL)")
            }
            Comparison::Gt => self.push(column).push(" >= ").value(end),
            Comparison::Gte => self.push(column).push(" >= ").value(start),
            Comparison::Lt => self.push(column).push(" < ").value(start),
            Comparison::Lte => self.push(column).push(" < ").value(end),
        }
    }

    /// A test of one key of the attributes, by functions that every connection to SQLite has: `attribute(attributes, key)` is
    /// the value as text, `attribute_compare(attributes, key, value)` is -1, 0 or 1. Both are null if there is no value.
    fn attribute(&mut self, key: &str, test: &Test) {
        if self.dialect == Dialect::Postgres {
            self.may_have_attribute(key, test);
            return;
        }
        match test {
            Test::Null => self
                .push("attribute(attributes, ")
                .value(key)
                .push(") IS NULL"),
            Test::NotNull => self
                .push("attribute(attributes, ")
                .value(key)
                .push(") IS NOT NULL"),
            Test::Like(pattern) => self
                .push("attribute(attributes, ")
                .value(key)
                .push(")")
                .push(LIKE)
                .value(pattern.as_str())
                .push(ESCAPE),
            Test::Compare(comparison, operand) => self.attribute_compare(key, *comparison, operand),
            Test::In(operands) => self.attribute_in(key, operands),
            // Filters of attributes are never of this kind.
            Test::NotIn(_) => self.push("1 = 0"),
        };
    }

    /// `attribute_in(attributes, key, values)` takes the values as a JSON array, so that the attributes are read only once.
    fn attribute_in(&mut self, key: &str, operands: &[Operand]) -> &mut Select {
        let texts = operands.iter().filter_map(|operand| match operand {
            Operand::Text(text) => Some(serde_json::Value::from(text.as_str())),
            _ => None,
        });
        let texts = serde_json::Value::Array(texts.collect()).to_string();
        self.push("attribute_in(attributes, ")
            .value(key)
            .push(", ")
            .value(texts.as_str())
            .push(")")
    }

    fn attribute_compare(
        &mut self,
        key: &str,
        comparison: Comparison,
        operand: &Operand,
    ) -> &mut Select {
        let Operand::Text(text) = operand else {
            // Filters of attributes always have text.
            return self.push("1 = 0");
        };
        let test = match comparison {
            Comparison::Eq => " = 0",
            Comparison::Ne => " <> 0",
            Comparison::Gt => " > 0",
            Comparison::Gte => " >= 0",
            Comparison::Lt => " < 0",
            Comparison::Lte => " <= 0",
        };
        // A missing value differs from every value.
        let call = if comparison == Comparison::Ne {
            "coalesce(attribute_compare(attributes, "
        } else {
            "attribute_compare(attributes, "
        };
        self.push(call)
            .value(key)
            .push(", ")
            .value(text.as_str())
            .push(")");
        if comparison == Comparison::Ne {
            self.push(", 1)");
        }
        self.push(test)
    }

    /// A test of attributes for a database that cannot read them: checks only whether the key may be present.
    fn may_have_attribute(&mut self, key: &str, test: &Test) -> &mut Select {
        self.may_differ = true;
        // A text that is no object is found under the empty key, which it need not contain.
        if key.is_empty() || matches!(test, Test::Null | Test::Compare(Comparison::Ne, _)) {
            return self.push("true");
        }
        // A key that is stored with an escape contains a backslash.
        let quoted = serde_json::Value::from(key).to_string();
        self.push("(strpos(attributes, ")
            .value(quoted.as_str())
            .push(") > 0 OR strpos(attributes, '\\') > 0)")
    }

    /// A text in a value of the attributes: `attribute_search(attributes, pattern)` on SQLite.
    fn attributes_match(&mut self, pattern: &str) -> &mut Select {
        if self.dialect == Dialect::Sqlite {
            let call = self.push("attribute_search(attributes, ");
            return call.value(pattern).push(")");
        }
        // A value that is stored with an escape may be any text.
        self.like("attributes", pattern);
        self.push(" OR strpos(attributes, '\\') > 0")
    }

    fn like(&mut self, column: &str, pattern: &str) -> &mut Select {
        if self.dialect == Dialect::Sqlite {
            return self.push(column).push(LIKE).value(pattern).push(ESCAPE);
        }
        // Both databases fold ASCII letters alike. A text with other letters may fit. A text of ASCII letters alone cannot
        // fit a pattern with other letters.
        self.may_differ = true;
        let folded: String = pattern.chars().map(fold).collect();
        let is_plain = folded.is_ascii();
        if is_plain {
            self.push("(lower(").push(column).push(")").push(LIKE);
            self.value(folded.as_str()).push(ESCAPE).push(" OR ");
        }
        self.push("octet_length(")
            .push(column)
            .push(") <> length(")
            .push(column)
            .push(if is_plain { "))" } else { ")" })
    }
}
