//! What merging leads has done, or would do.

use serde_json::value::RawValue;

use super::merge::{Conflict, Filled};
use crate::model::attributes::Entries;
use crate::model::json::write_text;
use crate::model::lead::LEAD;
use crate::model::record::Record;

/// What merging leads has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The lead that stays, after it.
    pub lead: Record,
    /// The leads that were merged into it.
    pub others: Vec<Other>,
    /// The fields that it got from the others.
    pub filled: Vec<Filled>,
    /// The fields with different values.
    pub conflicts: Vec<Conflict>,
    /// The group of the changes, `None` if this only says what would be done.
    pub change: Option<i64>,
}

/// A lead that was merged into another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Its id.
    pub id: i64,
    /// The address that it had.
    pub email: String,
    /// How many records of it moved, by their plurals.
    pub moved: Vec<(String, u64)>,
}

/// Adds a member whose value is JSON.
fn member(out: &mut Vec<u8>, name: &str, json: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    write_text(name, out);
    out.push(b':');
    out.extend_from_slice(json.as_bytes());
}

fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// An object with these members.
fn object(members: &[(&str, &str)]) -> String {
    let mut out = vec![b'{'];
    for (name, json) in members {
        member(&mut out, name, json);
    }
    out.push(b'}');
    String::from_utf8_lossy(&out).into_owned()
}

fn array(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

impl Merged {
    /// The JSON that the API answers. The digits of numbers are kept.
    pub fn to_json(&self) -> String {
        let others = self.others.iter().map(|other| {
            let (id, email) = (other.id.to_string(), text(&other.email));
            let moved: Vec<(&str, String)> = other
                .moved
                .iter()
                .map(|(plural, count)| (plural.as_str(), count.to_string()))
                .collect();
            let mut members = vec![("id", id.as_str()), ("email", email.as_str())];
            members.extend(moved.iter().map(|(name, count)| (*name, count.as_str())));
            object(&members)
        });
        let filled = self.filled.iter().map(|one| {
            let (field, from) = (text(&one.field), one.from.to_string());
            object(&[("field", &field), ("from", &from), ("value", &one.value)])
        });
        let conflicts = self.conflicts.iter().map(|one| {
            let dropped = one.dropped.iter().map(|(id, value)| {
                let id = id.to_string();
                object(&[("id", &id), ("value", value)])
            });
            let (field, dropped) = (text(&one.field), array(dropped));
            object(&[
                ("field", &field),
                ("kept", &one.kept),
                ("dropped", &dropped),
            ])
        });
        let change = self
            .change
            .map_or("null".into(), |change| change.to_string());
        object(&[
            ("lead", &self.lead.to_json()),
            ("merged", &array(others)),
            ("filled", &array(filled)),
            ("conflicts", &array(conflicts)),
            ("change", &change),
        ])
    }

    /// Reads what [`Merged::to_json`] wrote. `None` if it is something else.
    pub fn from_json(json: &[u8]) -> Option<Merged> {
        let answer = Members::of(json)?;
        let items =
            |name: &str| -> Option<Vec<&RawValue>> { serde_json::from_str(answer.get(name)?).ok() };
        let others = items("merged")?.into_iter().map(|one| {
            let one = Members::of(one.get().as_bytes())?;
            let moved = one
                .0
                .0
                .iter()
                .filter(|(name, _)| name != "id" && name != "email");
            Some(Other {
                id: one.int("id")?,
                email: one.text("email")?,
                moved: moved
                    .map(|(name, raw)| Some((name.to_string(), raw.get().parse().ok()?)))
                    .collect::<Option<_>>()?,
            })
        });
        let filled = items("filled")?.into_iter().map(|one| {
            let one = Members::of(one.get().as_bytes())?;
            Some(Filled {
                field: one.text("field")?,
                from: one.int("from")?,
                value: one.get("value")?.into(),
            })
        });
        let conflicts = items("conflicts")?.into_iter().map(|one| {
            let one = Members::of(one.get().as_bytes())?;
            let dropped: Vec<&RawValue> = serde_json::from_str(one.get("dropped")?).ok()?;
            let dropped = dropped.into_iter().map(|one| {
                let one = Members::of(one.get().as_bytes())?;
                Some((one.int("id")?, one.get("value")?.to_string()))
            });
            Some(Conflict {
                field: one.text("field")?,
                kept: one.get("kept")?.into(),
                dropped: dropped.collect::<Option<_>>()?,
            })
        });
        let lead = Record::from_json(&LEAD, answer.get("lead")?.as_bytes())?;
        Some(Merged {
            lead: Some(lead).filter(|lead| lead.id() >= 1)?,
            others: others.collect::<Option<_>>()?,
            filled: filled.collect::<Option<_>>()?,
            conflicts: conflicts.collect::<Option<_>>()?,
            change: match answer.get("change")? {
                "null" => None,
                number => Some(number.parse().ok()?),
            },
        })
    }
}

/// The members of an object.
struct Members<'a>(Entries<'a>);

impl<'a> Members<'a> {
    fn of(json: &'a [u8]) -> Option<Members<'a>> {
        serde_json::from_slice(json).ok().map(Members)
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.0.0.iter().find(|(key, _)| key == name);
        found.map(|(_, raw)| raw.get())
    }

    fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?).ok()
    }

    fn int(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_written() {
        let json = r#"{"id":5,"email":"ada@example.com","attributes":{"b":1.50}}"#;
        let merged = Merged {
            lead: Record::from_json(&LEAD, json.as_bytes()).unwrap(),
            others: vec![Other {
                id: 9,
                email: "\"a b\"@example.com".into(),
                moved: vec![("actions".into(), 2), ("processes".into(), 0)],
            }],
            filled: vec![Filled {
                field: "attributes.\"x\"".into(),
                from: 9,
                value: "12345678901234567890.10".into(),
            }],
            conflicts: vec![Conflict {
                field: "name".into(),
                kept: "null".into(),
                dropped: vec![(5, r#""Ada""#.into()), (9, r#"{"a":[1.0]}"#.into())],
            }],
            change: Some(812),
        };
        assert_eq!(
            Merged::from_json(merged.to_json().as_bytes()),
            Some(merged.clone())
        );
        let dry = Merged {
            change: None,
            conflicts: Vec::new(),
            ..merged
        };
        assert_eq!(Merged::from_json(dry.to_json().as_bytes()), Some(dry));
        for other in ["{}", "[]", "", "null", r#"{"lead":{"id":1}}"#] {
            assert_eq!(Merged::from_json(other.as_bytes()), None, "{other}");
        }
    }
}
