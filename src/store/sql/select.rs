//! The selects of a list: filters, order and cursor as SQL, one text for both databases.

use std::fmt::Write;

use super::statements::{columns, table};
use crate::base::text::fold;
use crate::model::query::{Column, Comparison, LAST, Operand, Query, SORTED_LETTERS, Sort, Test};
use crate::model::record::{Kind, Noun, Value};

/// Whose functions and indexes a list has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Decides everything, with functions that crm adds to it.
    #[default]
    Sqlite,
    /// Has neither crm's `LIKE`, which ignores the case of all letters, nor its reading of attributes. It is asked for
    /// all that may fit, see [`Select::may_differ`].
    Postgres,
}

/// The longest text that is looked up by an index, in bytes: PostgreSQL's take no entry beyond 2,704. They leave longer
/// texts out, and are used where a condition says that it asks for none of these.
pub(crate) const LONGEST_INDEXED: usize = 1_000;

/// A select that is being put together: its text, and its parameters in the order of their markers.
#[derive(Debug, Default)]
pub(crate) struct Select {
    pub(crate) text: String,
    pub(crate) params: Vec<Value>,
    dialect: Dialect,
    /// Whether it answers also what only may fit.
    pub(crate) may_differ: bool,
}

const LIKE: &str = " LIKE ";
const ESCAPE: &str = " ESCAPE '\\'";

/// Whether all that a test of a text asks for is short enough to be in an index.
fn is_indexed(test: &Test) -> bool {
    let is_short =
        |operand: &Operand| matches!(operand, Operand::Text(text) if text.len() <= LONGEST_INDEXED);
    match test {
        Test::Compare(Comparison::Eq, operand) => is_short(operand),
        Test::In(operands) => operands.iter().all(is_short),
        _ => false,
    }
}

/// How a list walks its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Walk {
    /// One statement in the list's order.
    Once,
    /// A statement a chunk, each going on behind an id. An index that answers in another order than that of the ids
    /// would make each of them sort all that is left, so that ranges are kept from using theirs.
    ById,
}

impl Select {
    /// A text as it is.
    pub(crate) fn of(text: String, params: Vec<Value>) -> Select {
        Select {
            text,
            params,
            ..Select::default()
        }
    }

    /// These columns of a noun.
    fn from(dialect: Dialect, noun: &Noun, columns: &str) -> Select {
        Select {
            text: format!("SELECT {columns} FROM {}", table(noun)),
            dialect,
            ..Select::default()
        }
    }

    fn push(&mut self, text: &str) -> &mut Select {
        self.text.push_str(text);
        self
    }

    /// Appends a marker and its value.
    fn value(&mut self, value: impl Into<Value>) -> &mut Select {
        self.params.push(value.into());
        let _ = write!(self.text, "${}", self.params.len());
        self
    }

    /// `SELECT count(*)` of the records of all pages.
    pub(crate) fn count(dialect: Dialect, query: &Query) -> Select {
        let mut select = Select::from(dialect, query.noun, "count(*)");
        select.conditions(query, Walk::Once, false);
        select
    }

    /// The records in order, from the cursor on, at most `limit` of them.
    pub(crate) fn page(dialect: Dialect, query: &Query, limit: u64) -> Select {
        let mut select = Select::from(dialect, query.noun, &columns(query.noun));
        select.conditions(query, Walk::Once, true);
        select.order(query);
        select.limit(limit)
    }

    /// The records of all pages in no order.
    pub(crate) fn unordered(dialect: Dialect, query: &Query) -> Select {
        let mut select = Select::from(dialect, query.noun, &columns(query.noun));
        select.conditions(query, Walk::Once, false);
        select
    }

    /// The ids in order, from the cursor on.
    pub(crate) fn ids(dialect: Dialect, query: &Query) -> Select {
        let id = format!("{}.id", query.noun.plural);
        let mut select = Select::from(dialect, query.noun, &id);
        select.conditions(query, Walk::Once, true);
        select.order(query);
        select
    }

    /// The select with at most `limit` rows.
    pub(crate) fn limit(mut self, limit: u64) -> Select {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.push(" LIMIT ").value(limit);
        self
    }

    /// These [`columns`] of the records from one id to another, in the order of ids that the query has.
    pub(crate) fn between(
        dialect: Dialect,
        query: &Query,
        columns: &str,
        (low, high): (i64, i64),
    ) -> Select {
        let table = query.noun.plural;
        let mut select = Select::from(dialect, query.noun, columns);
        select.conditions(query, Walk::ById, true);
        select.push(" AND ").push(table).push(".id >= ").value(low);
        select.push(" AND ").push(table).push(".id <= ").value(high);
        select.order(query);
        select
    }

    /// `WHERE` and everything that has to hold.
    fn conditions(&mut self, query: &Query, walk: Walk, from_cursor: bool) {
        // Always there, so that every further condition begins with AND.
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
                self.push(before).like(field.name, pattern);
                before = " OR ";
            }
            self.push(")");
        }
        if from_cursor && let Some(cursor) = &query.after {
            self.push(" AND ")
                .after(query.noun, &query.order, &cursor.0);
        }
    }

    fn field(&mut self, noun: &Noun, at: usize, test: &Test, walk: Walk) {
        let field = &noun.fields[at];
        let is_point = matches!(
            test,
            Test::Compare(Comparison::Eq, Operand::Int(_) | Operand::Text(_)) | Test::Null
        );
        let mut column = match field.kind {
            Kind::Email => format!("lower({})", field.name),
            _ => format!("{}.{}", noun.plural, field.name),
        };
        // Of two bounds SQLite uses the first: that of a filter on the ids would make each chunk walk from its beginning.
        if walk == Walk::ById && !is_point && self.dialect == Dialect::Sqlite {
            column.insert(0, '+');
        }
        if self.dialect == Dialect::Postgres && field.searchable() && is_indexed(test) {
            self.push("octet_length(")
                .push(field.name)
                .push(&format!(") <= {LONGEST_INDEXED} AND "));
        }
        match test {
            Test::Null => self.push(&column).push(" IS NULL"),
            Test::NotNull => self.push(&column).push(" IS NOT NULL"),
            Test::Like(pattern) => self.like(&format!("{}.{}", noun.plural, field.name), pattern),
            Test::Compare(comparison, operand) => self.compare(&column, *comparison, operand),
            Test::In(operands) => self.within(&column, operands),
        };
    }

    /// `(a OR b OR …)`, in halves, as a database bounds how deep a chain of ORs may go.
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

    /// A column in a list of values: one `IN`, which keeps its index, unless some of them are spans of time.
    fn within(&mut self, column: &str, operands: &[Operand]) -> &mut Select {
        if operands
            .iter()
            .any(|operand| matches!(operand, Operand::Range(_)))
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
                Operand::Range(_) => self,
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

    /// A test of one key of the attributes, by functions that every connection has: `attribute(attributes, key)` is
    /// the value as text, `attribute_compare(attributes, key, value)` is -1, 0 or 1, both null where there is no value.
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
        };
    }

    /// `attribute_in(attributes, key, values)` takes the values as a JSON array, and the attributes are read once for all.
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
            // The attributes are always read as text.
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
        // No value is not equal to any.
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

    /// A test of attributes for a database that cannot read them: whether the key may be there.
    fn may_have_attribute(&mut self, key: &str, test: &Test) -> &mut Select {
        self.may_differ = true;
        if matches!(test, Test::Null | Test::Compare(Comparison::Ne, _)) {
            return self.push("true");
        }
        // A key that is written with an escape holds a backslash, however else it could be written.
        let quoted = serde_json::Value::from(key).to_string();
        self.push("(strpos(attributes, ")
            .value(quoted.as_str())
            .push(") > 0 OR strpos(attributes, '\\') > 0)")
    }

    fn like(&mut self, column: &str, pattern: &str) -> &mut Select {
        if self.dialect == Dialect::Sqlite {
            return self.push(column).push(LIKE).value(pattern).push(ESCAPE);
        }
        // Among the letters of ASCII both databases fold alike. A text that has others may fit, and one that has none
        // does not fit a pattern that has some.
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

    /// What a key of the order sorts by.
    fn key(noun: &Noun, sort: &Sort) -> String {
        let field = &noun.fields[sort.at];
        let column = format!("{}.{}", noun.plural, field.name);
        match field.searchable() {
            true => format!("substr({column}, 1, {SORTED_LETTERS})"),
            false if sort.nulls_last => format!("coalesce({column}, '{LAST}')"),
            false => column,
        }
    }

    fn order(&mut self, query: &Query) -> &mut Select {
        let mut before = " ORDER BY ";
        for sort in &query.order {
            self.push(before).push(&Self::key(query.noun, sort));
            // SQLite's own order, said for PostgreSQL.
            let has_null = query.noun.fields[sort.at].nullable() && !sort.nulls_last;
            match (has_null, sort.descending) {
                (true, false) => self.push(" NULLS FIRST"),
                (true, true) => self.push(" DESC NULLS LAST"),
                (false, false) => self,
                (false, true) => self.push(" DESC"),
            };
            before = ", ";
        }
        self
    }

    /// `(a > $1 OR (a = $1 AND (b > $2 OR …)))`: behind the cursor in the order.
    fn after(&mut self, noun: &Noun, order: &[Sort], values: &[Value]) -> &mut Select {
        let (Some((sort, order)), Some((value, values))) =
            (order.split_first(), values.split_first())
        else {
            return self.push("1 = 0");
        };
        let key = Self::key(noun, sort);
        let nullable = noun.fields[sort.at].nullable() && !sort.nulls_last;
        if !nullable && !order.is_empty() {
            // Says nothing new, but lets an index begin at the cursor.
            self.push(&key)
                .push(if sort.descending { " <= " } else { " >= " })
                .value(value.clone())
                .push(" AND ");
        }
        self.push("(");
        match (value, sort.descending) {
            (Value::Null, false) => self.push(&key).push(" IS NOT NULL"),
            (Value::Null, true) => self.push("1 = 0"),
            (value, false) => self.push(&key).push(" > ").value(value.clone()),
            (value, true) if nullable => {
                self.push("(").push(&key).push(" < ").value(value.clone());
                self.push(" OR ").push(&key).push(" IS NULL)")
            }
            (value, true) => self.push(&key).push(" < ").value(value.clone()),
        };
        if !order.is_empty() {
            self.push(" OR (").push(&key);
            match value {
                Value::Null => self.push(" IS NULL"),
                value => self.push(" = ").value(value.clone()),
            };
            self.push(" AND ").after(noun, order, values).push(")");
        }
        self.push(")")
    }
}
