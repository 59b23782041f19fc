//! The `ORDER BY` of a list, and the condition that continues after its cursor.

use super::text::Select;
use crate::model::noun::Noun;
use crate::model::query::{Query, SORTED_LETTERS, Sort};
use crate::model::value::Value;
use crate::store::sql::statements::{column, key, table};

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
        for sort in &query.order {
            self.push(before).key(query.noun, sort);
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
