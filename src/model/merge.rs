//! What becomes of the fields when leads are merged into one.
//!
//! What the request gives wins over all. Otherwise the lead that stays keeps what it has, and gets what it lacks from the first
//! of the others that has it; its own fields one by one. Every other value that differs is a conflict, which is told.

use std::collections::{HashMap, HashSet};

use crate::base::error::Problems;
use crate::model::attributes::Attributes;
use crate::model::draft::Draft;
use crate::model::email::email;
use crate::model::field::{Field, Presence};
use crate::model::kind::Kind;
use crate::model::record::Record;
use crate::model::value::Value;

/// A field that the lead gets from one of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    /// The field, `attributes.KEY` for one of the user's own.
    pub field: String,
    /// The lead that had it.
    pub from: i64,
    /// The value as JSON.
    pub value: String,
}

/// A field with different values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The field, `attributes.KEY` for one of the user's own.
    pub field: String,
    /// The value that stays, as JSON.
    pub kept: String,
    /// The others, each with the lead that had it, as JSON.
    pub dropped: Vec<(i64, String)>,
}

/// What becomes of the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The columns of the lead that change.
    pub changes: Vec<(usize, Value)>,
    /// The fields that it gets from the others.
    pub filled: Vec<Filled>,
    /// The fields with different values.
    pub conflicts: Vec<Conflict>,
}

/// Whether a JSON value is as good as none: null, or a blank text.
fn is_blank(json: &str) -> bool {
    json == "null"
        || json.starts_with('"')
            && serde_json::from_str::<String>(json).is_ok_and(|text| text.trim().is_empty())
}

/// A value as JSON.
fn json(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Int(int) => int.to_string(),
        Value::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
    }
}

/// Whether two values of a field are the same.
fn is_same(field: &Field, one: &Value, other: &Value) -> bool {
    if one == other {
        return true;
    }
    let form = |value: &Value| value.text().and_then(email);
    field.kind == Kind::Email && form(one).is_some() && form(one) == form(other)
}

impl Plan {
    /// What becomes of the fields of `keep`, whom `others` are merged into. The error has everything that is wrong with what
    /// is given.
    pub fn of(keep: &Record, others: &[Record], given: &Draft) -> Result<Plan, Problems> {
        let mut plan = Plan::default();
        let mut wanted = keep.clone();
        for (at, value) in given.changes(keep)? {
            wanted.values[at] = value;
        }
        for (at, field) in keep.noun.fields.iter().enumerate() {
            if field.presence == Presence::Automatic {
                continue;
            }
            let value = &mut wanted.values[at];
            match field.kind {
                Kind::Attributes => {
                    plan.attributes(field, at, (keep, others), given.object(at), value);
                }
                _ => plan.field(field, at, (keep, others), given.gives(at), value),
            }
        }
        let values = wanted.values.into_iter().zip(&keep.values).enumerate();
        let changed = values.filter(|(_, (after, before))| after != *before);
        plan.changes = changed.map(|(at, (after, _))| (at, after)).collect();
        Ok(plan)
    }

    fn field(
        &mut self,
        field: &Field,
        at: usize,
        (keep, others): (&Record, &[Record]),
        is_given: bool,
        value: &mut Value,
    ) {
        let has = |record: &&Record| !is_blank(&json(&record.values[at]));
        if !is_given
            && is_blank(&json(value))
            && let Some(other) = others.iter().find(has)
        {
            *value = other.values[at].clone();
            self.filled.push(Filled {
                field: field.name.into(),
                from: other.id(),
                value: json(value),
            });
        }
        let all = std::iter::once(keep).chain(others);
        let dropped = all
            .filter(has)
            .filter(|record| !is_same(field, &record.values[at], value))
            .map(|record| (record.id(), json(&record.values[at])));
        self.conflict(field.name.into(), json(value), dropped.collect());
    }

    fn attributes(
        &mut self,
        field: &Field,
        at: usize,
        (keep, others): (&Record, &[Record]),
        given: Option<&Attributes>,
        value: &mut Value,
    ) {
        let stored = |value: &Value| Attributes::stored(value.text().unwrap_or_default());
        let mut object = stored(value);
        let given: HashSet<&str> = match given {
            Some(given) => given.iter().map(|entry| entry.0).collect(),
            None => HashSet::new(),
        };
        let all: Vec<(i64, Attributes)> = std::iter::once(keep)
            .chain(others)
            .map(|record| (record.id(), stored(&record.values[at])))
            .collect();
        // Each key once, with the values of all leads in order. There may be a hundred thousand keys.
        let mut keys: Vec<&str> = Vec::new();
        let mut values: HashMap<&str, Vec<(i64, &str)>> = HashMap::new();
        for (id, attributes) in &all {
            for (key, json) in attributes.iter().filter(|entry| !is_blank(entry.1)) {
                let values = values.entry(key).or_insert_with(|| {
                    keys.push(key);
                    Vec::new()
                });
                values.push((*id, json));
            }
        }
        let mut has: HashMap<String, String> = object
            .iter()
            .map(|(key, json)| (key.to_string(), json.to_string()))
            .collect();
        let mut added = Attributes::default();
        for key in keys {
            let name = format!("{}.{key}", field.name);
            let values = &values[key];
            let lacks = has.get(key).is_none_or(|json| is_blank(json));
            if lacks && !given.contains(key) {
                // It is not that of the lead itself, which lacks it.
                let (from, json) = values[0];
                added.push(key, json);
                has.insert(key.into(), json.into());
                self.filled.push(Filled {
                    field: name.clone(),
                    from,
                    value: json.into(),
                });
            }
            let kept = has.get(key).map_or("null", String::as_str);
            let dropped = values.iter().filter(|(_, json)| *json != kept);
            let dropped = dropped.map(|(id, json)| (*id, json.to_string()));
            self.conflict(name, kept.into(), dropped.collect());
        }
        object.merge(&added);
        if !added.is_empty() {
            *value = Value::Text(object.to_string());
        }
    }

    fn conflict(&mut self, field: String, kept: String, dropped: Vec<(i64, String)>) {
        if !dropped.is_empty() {
            self.conflicts.push(Conflict {
                field,
                kept,
                dropped,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::draft::Purpose;
    use crate::model::lead::LEAD;

    fn lead(id: i64, json: &str) -> Record {
        let mut record = Record::from_json(&LEAD, json.as_bytes()).unwrap();
        record.values[0] = id.into();
        record
    }

    fn plan(keep: &str, others: &[&str], given: &str) -> (Record, Plan) {
        let keep = lead(5, keep);
        let others: Vec<Record> = (9..).zip(others).map(|(id, json)| lead(id, json)).collect();
        let given = Draft::from_json(&LEAD, given.as_bytes(), Purpose::Update).unwrap();
        let plan = Plan::of(&keep, &others, &given).unwrap();
        let mut after = keep;
        for (at, value) in &plan.changes {
            after.values[*at] = value.clone();
        }
        (after, plan)
    }

    fn conflicts(plan: &Plan) -> Vec<String> {
        let told = plan.conflicts.iter();
        told.map(|one| format!("{} {} {:?}", one.field, one.kept, one.dropped))
            .collect()
    }

    #[test]
    fn what_is_missing_is_filled_from_the_first_that_has_it() {
        let (after, plan) = plan(
            r#"{"email":"a@b.cc","name":" ","status":"new","attributes":{"x":1,"z":""}}"#,
            &[
                r#"{"email":"A@B.cc","name":null,"status":"new","attributes":{"y":"","x":1}}"#,
                r#"{"email":"c@b.cc","name":"Ada","status":"won","attributes":{"y":2.50,"x":3,"z":"k"}}"#,
                r#"{"email":"a@b.cc","name":"Eve","status":"new","attributes":{"y":4}}"#,
            ],
            "{}",
        );
        assert_eq!(after.get("name").text(), Some("Ada"));
        assert_eq!(
            after.get("attributes").text(),
            Some(r#"{"x":1,"z":"k","y":2.50}"#)
        );
        let filled: Vec<_> = plan
            .filled
            .iter()
            .map(|one| (one.field.as_str(), one.from, one.value.as_str()))
            .collect();
        assert_eq!(
            filled,
            [
                ("name", 10, "\"Ada\""),
                ("attributes.y", 10, "2.50"),
                ("attributes.z", 10, "\"k\""),
            ]
        );
        assert_eq!(
            conflicts(&plan),
            [
                r#"email "a@b.cc" [(10, "\"c@b.cc\"")]"#,
                r#"name "Ada" [(11, "\"Eve\"")]"#,
                r#"status "new" [(10, "\"won\"")]"#,
                r#"attributes.x 1 [(10, "3")]"#,
                r#"attributes.y 2.50 [(11, "4")]"#,
            ]
        );
    }

    #[test]
    fn what_is_given_wins_and_is_not_filled() {
        let (after, plan) = plan(
            r#"{"email":"a@b.cc","name":"Ada","status":"new","attributes":{"x":1,"y":2}}"#,
            &[r#"{"email":"a@b.cc","name":"Eve","status":"won","attributes":{"x":3,"y":2,"z":4}}"#],
            r#"{"name":null,"status":"won","attributes":{"x":null,"z":5}}"#,
        );
        assert_eq!(after.get("name").text(), None);
        assert_eq!(after.get("attributes").text(), Some(r#"{"y":2,"z":5}"#));
        assert_eq!(plan.filled, []);
        assert_eq!(
            conflicts(&plan),
            [
                r#"name null [(5, "\"Ada\""), (9, "\"Eve\"")]"#,
                r#"status "won" [(5, "\"new\"")]"#,
                r#"attributes.x null [(5, "1"), (9, "3")]"#,
                r#"attributes.z 5 [(9, "4")]"#,
            ]
        );
    }

    #[test]
    fn leads_that_are_alike_change_nothing() {
        let one = r#"{"email":"a@b.cc","name":"Ada","status":"new","attributes":{"x":1}}"#;
        let (_, plan) = plan(one, &[one, one], "{}");
        assert_eq!(plan, Plan::default());
    }
}
