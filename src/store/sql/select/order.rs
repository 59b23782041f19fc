//! The `ORDER BY` of a list, and the condition that continues after its cursor.

use super::filters::is_indexed;
use super::text::{Dialect, Select};
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::query::{Column, Query, SORTED_LETTERS, Sort};
use crate::model::value::Value;
use crate::store::sql::statements::{column, key, table};

/// Whether the filters leave only few records: those with an address.
///
/// PostgreSQL has no statistics of the expression of an index with a condition. It takes such a filter for one that thousands
/// of records pass, and walks through the whole table in the order of the list instead of using the index of the addresses. So
/// the order is hidden from it.
fn finds_few(query: &Query) -> bool {
    query.filters.iter().any(|filter| match filter.column {
        Column::Field(at) => query.noun.fields[at].kind == Kind::Email && is_indexed(&filter.test),
        Column::Attribute(_) => false,
    })
}

impl Select {
    /// Appends the expression for one sort key.
    ///
    /// `attribute_order(attributes, key)` is a function that every connection to SQLite has. PostgreSQL has none. There crm
    /// sorts by attributes itself.
    fn key(&mut self, noun: &Noun, sort: &Sort) -> &mut Select {
        let field = &noun.fields[sort.at];
        let column = column(noun, field);
        match &sort.key {
            Some(key) => self
                .push("attribute_order(")
                .push(&column)
                .push(", ")
                .value(key.as_str())
                .push(")"),
            None if field.searchable() => {
                self.push(&format!("substr({column}, 1, {SORTED_LETTERS})"))
            }
            None => self.push(&column),
        }
    }

    pub(super) fn order(&mut self, query: &Query) -> &mut Select {
        let mut before = " ORDER BY ";
        let hides = self.dialect == Dialect::Postgres && finds_few(query);
        for sort in &query.order {
            self.push(before).key(query.noun, sort);
            if hides {
                self.push(match query.noun.fields[sort.at].kind {
                    Kind::Id | Kind::Reference(_) | Kind::Count(..) => " + 0",
                    _ => " || ''",
                });
            }
            if sort.descending {
                self.push(" DESC");
            }
            // The default differs from one database to the other.
            if sort.nullable(query.noun) {
                self.push(match sort.ends_with_null() {
                    true => " NULLS LAST",
                    false => " NULLS FIRST",
                });
            }
            before = ", ";
        }
        self
    }

    /// Appends the value of a sort key at the cursor. Another program may have stored a text that is not shown as it is
    /// stored, and a list in the order of what is stored would then leave out the records between the two. So such a text
    /// is read from its record, which the cursor names.
    fn at_cursor(&mut self, noun: &Noun, sort: &Sort, value: &Value, last: &Value) -> &mut Select {
        match value {
            Value::Text(text) if text.is_empty() || text.contains(char::REPLACEMENT_CHARACTER) => {
                let table = table(noun);
                self.push("coalesce((SELECT ")
                    .key(noun, sort)
                    .push(" FROM ");
                self.push(&table).push(" WHERE ").push(&key(noun));
                self.push(" = ").value(last.clone()).push("), ");
                self.value(value.clone()).push(")")
            }
            value => self.value(value.clone()),
        }
    }

    /// `(a > $1 OR (a = $1 AND (b > $2 OR …)))`: the records after the cursor.
    pub(super) fn after(&mut self, noun: &Noun, order: &[Sort], values: &[Value]) -> &mut Select {
        let (Some((sort, order)), Some((value, values))) =
            (order.split_first(), values.split_first())
        else {
            return self.push("1 = 0");
        };
        // The order ends with the id.
        let last = values.last().unwrap_or(value);
        let nullable = sort.nullable(noun);
        if !nullable && !order.is_empty() {
            // Redundant, but it lets an index begin at the cursor.
            self.key(noun, sort)
                .push(if sort.descending { " <= " } else { " >= " })
                .at_cursor(noun, sort, value, last)
                .push(" AND ");
        }
        self.push("(");
        let sign = if sort.descending { " < " } else { " > " };
        match (value, sort.ends_with_null()) {
            (Value::Null, false) => self.key(noun, sort).push(" IS NOT NULL"),
            (Value::Null, true) => self.push("1 = 0"),
            (value, true) if nullable => {
                self.push("(").key(noun, sort).push(sign);
                self.at_cursor(noun, sort, value, last);
                self.push(" OR ").key(noun, sort).push(" IS NULL)")
            }
            (value, _) => {
                let select = self.key(noun, sort).push(sign);
                select.at_cursor(noun, sort, value, last)
            }
        };
        if !order.is_empty() {
            self.push(" OR (").key(noun, sort);
            match value {
                Value::Null => self.push(" IS NULL"),
                value => self.push(" = ").at_cursor(noun, sort, value, last),
            };
            self.push(" AND ").after(noun, order, values).push(")");
        }
        self.push(")")
    }
}
