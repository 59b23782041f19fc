//! The `ORDER BY` of a list, and the condition that continues after its cursor.

use super::text::Select;
use crate::model::noun::Noun;
use crate::model::query::{Query, SORTED_LETTERS, Sort};
use crate::model::value::Value;

impl Select {
    /// The expression for one sort key.
    fn key(noun: &Noun, sort: &Sort) -> String {
        let field = &noun.fields[sort.at];
        let column = format!("{}.{}", noun.plural, field.name);
        match field.searchable() {
            true => format!("substr({column}, 1, {SORTED_LETTERS})"),
            false => column,
        }
    }

    pub(super) fn order(&mut self, query: &Query) -> &mut Select {
        let mut before = " ORDER BY ";
        for sort in &query.order {
            self.push(before).push(&Self::key(query.noun, sort));
            if sort.descending {
                self.push(" DESC");
            }
            // The default differs from one database to the other.
            if query.noun.fields[sort.at].nullable() {
                self.push(match sort.ends_with_null() {
                    true => " NULLS LAST",
                    false => " NULLS FIRST",
                });
            }
            before = ", ";
        }
        self
    }

    /// `(a > $1 OR (a = $1 AND (b > $2 OR …)))`: the records after the cursor.
    pub(super) fn after(&mut self, noun: &Noun, order: &[Sort], values: &[Value]) -> &mut Select {
        let (Some((sort, order)), Some((value, values))) =
            (order.split_first(), values.split_first())
        else {
            return self.push("1 = 0");
        };
        let key = Self::key(noun, sort);
        let nullable = noun.fields[sort.at].nullable();
        if !nullable && !order.is_empty() {
            // Redundant, but it lets an index begin at the cursor.
            self.push(&key)
                .push(if sort.descending { " <= " } else { " >= " })
                .value(value.clone())
                .push(" AND ");
        }
        self.push("(");
        let sign = if sort.descending { " < " } else { " > " };
        match (value, sort.ends_with_null()) {
            (Value::Null, false) => self.push(&key).push(" IS NOT NULL"),
            (Value::Null, true) => self.push("1 = 0"),
            (value, true) if nullable => {
                self.push("(").push(&key).push(sign).value(value.clone());
                self.push(" OR ").push(&key).push(" IS NULL)")
            }
            (value, _) => self.push(&key).push(sign).value(value.clone()),
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
