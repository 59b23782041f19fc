//! The `ORDER BY` of a list, and the condition that continues after its cursor.

use super::text::Select;
use crate::model::noun::Noun;
use crate::model::query::{LAST, Query, SORTED_LETTERS, Sort};
use crate::model::value::Value;

impl Select {
    /// The expression for one sort key.
    fn key(noun: &Noun, sort: &Sort) -> String {
        let field = &noun.fields[sort.at];
        let column = format!("{}.{}", noun.plural, field.name);
        match field.searchable() {
            true => format!("substr({column}, 1, {SORTED_LETTERS})"),
            false if sort.nulls_last => format!("coalesce({column}, '{LAST}')"),
            false => column,
        }
    }

    pub(super) fn order(&mut self, query: &Query) -> &mut Select {
        let mut before = " ORDER BY ";
        for sort in &query.order {
            self.push(before).push(&Self::key(query.noun, sort));
            // This is SQLite's default. PostgreSQL needs it in the text.
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

    /// `(a > $1 OR (a = $1 AND (b > $2 OR …)))`: the records after the cursor.
    pub(super) fn after(&mut self, noun: &Noun, order: &[Sort], values: &[Value]) -> &mut Select {
        let (Some((sort, order)), Some((value, values))) =
            (order.split_first(), values.split_first())
        else {
            return self.push("1 = 0");
        };
        let key = Self::key(noun, sort);
        let nullable = noun.fields[sort.at].nullable() && !sort.nulls_last;
        if !nullable && !order.is_empty() {
            // Redundant, but it lets an index begin at the cursor.
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
