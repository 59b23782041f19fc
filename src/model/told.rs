//! Changes in a few words.
//!
//! A whole record is too much to read, so the two records of a change are compared here. An update is told by the fields that
//! changed, `status: new → contacted`, and its attributes by their keys. A new record is told by its name. The words are data:
//! whoever prints them to a terminal escapes them.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

use crate::base::time::Zone;
use crate::base::width::cut;
use crate::model::attributes::Entries;
use crate::model::field::Presence;
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::nouns::NOUNS;
use crate::model::process::DUE;

/// The widest value that is told whole, in columns.
const WIDEST: usize = 40;

/// What is told for a value that is missing.
const NONE: &str = "none";

/// How times are told.
#[derive(Clone, Copy, Debug)]
pub enum Times<'z> {
    /// As they are stored, in UTC, under the names of their fields: for programs.
    Stored,
    /// In a zone and to the minute, under the short names of the flags: for people.
    Shown {
        /// The zone.
        zone: &'z Zone,
        /// Whether there is room only for the new one of two times.
        is_narrow: bool,
    },
}

/// A change in a few words. `kind` is its type, such as `lead.updated`, and `is_undo` says whether it takes another one back.
pub fn told(kind: &str, is_undo: bool, record: &str, previous: Option<&str>) -> String {
    told_with(Times::Stored, kind, is_undo, record, previous)
}

/// The same with times as they are wanted.
pub fn told_with(
    times: Times<'_>,
    kind: &str,
    is_undo: bool,
    record: &str,
    previous: Option<&str>,
) -> String {
    let (noun, verb) = kind.split_once('.').unwrap_or((kind, ""));
    let restored = is_undo && previous.is_none() && verb == "created";
    let verb = match verb {
        _ if restored => "restored",
        _ if kind == DUE => "follow-up due",
        verb => verb,
    };
    let mut what = what(times, noun, verb, record, previous);
    if is_undo && !restored {
        what.push_str(" (undo)");
    }
    what
}

/// What happened, in a few words.
fn what(times: Times<'_>, noun: &str, verb: &str, record: &str, previous: Option<&str>) -> String {
    let noun = NOUNS.into_iter().find(|known| known.name == noun);
    let record = members(record);
    let told = match previous {
        Some(previous) => differences(times, noun, &members(previous), &record),
        None => title(noun, &record),
    };
    // What the ledger says of a lead beside its fields.
    let with = member(&record, "merged").map(|ids| ids.trim_matches(['[', ']']));
    if let Some(ids) = with {
        let with = format!("merged with {}", ids.replace(',', ", "));
        return match told.is_empty() {
            true => with,
            false => format!("{with}; {told}"),
        };
    }
    let into = member(&record, "merged_into").map(|id| format!("merged into {id}"));
    let verb = into.as_deref().unwrap_or(verb);
    match (previous, told.is_empty()) {
        (_, true) => verb.to_string(),
        (Some(_), false) => told,
        (None, false) => format!("{verb}: {told}"),
    }
}

/// The members of an object, with their values as JSON.
fn members(json: &str) -> Vec<(Cow<'_, str>, &str)> {
    let entries = serde_json::from_str::<Entries<'_>>(json);
    let entries = entries.map_or_else(|_| Vec::new(), |entries| entries.0);
    let members = entries.into_iter();
    members.map(|(key, raw)| (key, raw.get())).collect()
}

/// The value of a member.
fn member<'a>(members: &[(Cow<'_, str>, &'a str)], name: &str) -> Option<&'a str> {
    let found = members.iter().find(|member| member.0 == name);
    found.map(|member| member.1)
}

/// What a record is called: its name and its address, or else its first texts.
fn title(noun: Option<&'static Noun>, record: &[(Cow<'_, str>, &str)]) -> String {
    let Some(noun) = noun else {
        return String::new();
    };
    let texts = noun.fields.iter().filter(|field| field.searchable());
    let texts = texts.filter_map(|field| {
        let value = member(record, field.name)?;
        (value != "null").then(|| (field, shown(Some(value))))
    });
    let (addresses, texts): (Vec<_>, Vec<_>) =
        texts.partition(|(field, _)| field.kind == Kind::Email);
    let name = texts.iter().find(|(field, _)| field.name == "name");
    match (name, addresses.first()) {
        (Some((_, name)), Some((_, address))) => format!("{name} <{address}>"),
        (Some((_, one)), None) | (None, Some((_, one))) => one.clone(),
        (None, None) => {
            let first: Vec<&str> = texts.iter().take(2).map(|text| &*text.1).collect();
            first.join(", ")
        }
    }
}

/// The fields that changed, comma-separated. Those that crm sets itself say nothing.
fn differences(
    times: Times<'_>,
    noun: Option<&'static Noun>,
    previous: &[(Cow<'_, str>, &str)],
    record: &[(Cow<'_, str>, &str)],
) -> String {
    let mut told = Vec::new();
    for (name, old) in previous {
        let new = member(record, name);
        let field = noun.and_then(|noun| noun.fields.iter().find(|field| field.name == name));
        match field {
            Some(field) if field.presence == Presence::Automatic => {}
            Some(field) if field.kind == Kind::Attributes => {
                let (old, new) = (members(old), members(new.unwrap_or_default()));
                let added = new.iter().filter(|(key, _)| member(&old, key).is_none());
                for (key, _) in old.iter().chain(added) {
                    let (old, new) = (member(&old, key), member(&new, key));
                    if old != new {
                        told.push(difference(key, old, new));
                    }
                }
            }
            Some(field) if field.kind.tense().is_some() => {
                let flag = field.flag.unwrap_or(field.name);
                told.push(match times {
                    Times::Stored => difference(name, Some(old), new),
                    Times::Shown {
                        zone,
                        is_narrow: true,
                    } => {
                        format!("{flag}: {}", shown_in(zone, new))
                    }
                    Times::Shown { zone, .. } => {
                        format!(
                            "{flag}: {} → {}",
                            shown_in(zone, Some(old)),
                            shown_in(zone, new)
                        )
                    }
                });
            }
            _ => told.push(difference(name, Some(old), new)),
        }
    }
    told.join(", ")
}

fn difference(name: &str, old: Option<&str>, new: Option<&str>) -> String {
    let name = cut(name.to_string(), WIDEST);
    format!("{name}: {} → {}", shown(old), shown(new))
}

/// A time in a zone.
fn shown_in(zone: &Zone, json: Option<&str>) -> String {
    zone.brief(&shown(json))
}

/// A value in a few words.
fn shown(json: Option<&str>) -> String {
    let json = json.unwrap_or("null");
    let text = match json.as_bytes().first() {
        Some(b'n') => NONE.into(),
        Some(b'"') if json == "\"\"" => json.into(),
        Some(b'"') => serde_json::from_str(json).unwrap_or_else(|_| json.to_string()),
        _ => json.to_string(),
    };
    match text.width() > WIDEST {
        true => cut(text, WIDEST),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_in_a_few_words() {
        let long = "x".repeat(100);
        let cut = format!("{}…", "x".repeat(39));
        for (kind, record, previous, expected) in [
            (
                "lead.created",
                r#"{"id":7,"email":"a@b.cc","name":"Ada","status":"new"}"#.into(),
                None,
                "created: Ada <a@b.cc>".to_string(),
            ),
            (
                "lead.deleted",
                r#"{"id":7,"email":"a@b.cc","name":null}"#.into(),
                None,
                "deleted: a@b.cc".into(),
            ),
            (
                "action.created",
                r#"{"id":7,"action_type":"call","details":"Asked for \"prices\""}"#.into(),
                None,
                "created: call, Asked for \"prices\"".into(),
            ),
            ("lead.erased", r#"{"id":7}"#.into(), None, "erased".into()),
            (
                "lead.updated",
                r#"{"id":5,"status":"won","merged":[9,12]}"#.into(),
                Some(r#"{"status":"new"}"#),
                "merged with 9, 12; status: new → won".into(),
            ),
            (
                "lead.deleted",
                r#"{"id":9,"email":"a@b.cc","merged_into":5}"#.into(),
                None,
                "merged into 5: a@b.cc".into(),
            ),
            (
                "other.made",
                r#"{"id":7,"name":"x"}"#.into(),
                None,
                "made".into(),
            ),
            (
                "lead.updated",
                "broken".into(),
                Some("{}"),
                "updated".into(),
            ),
            (
                "lead.updated",
                r#"{"status":"contacted","name":"","updated_at":"2026"}"#.into(),
                Some(r#"{"name":null,"status":"new","updated_at":"2025"}"#),
                "name: none → \"\", status: new → contacted".into(),
            ),
            (
                "lead.updated",
                r#"{"updated_at":"2026"}"#.into(),
                Some(r#"{"updated_at":"2025"}"#),
                "updated".into(),
            ),
            (
                "lead.updated",
                r#"{"attributes":{"a":1,"c":"new","d":{"e":[1.50]}}}"#.into(),
                Some(r#"{"attributes":{"a":1,"b":true,"d":{"e":[1.5]}}}"#),
                r#"b: true → none, d: {"e":[1.5]} → {"e":[1.50]}, c: none → new"#.into(),
            ),
            (
                "lead.updated",
                format!(r#"{{"name":"{long}"}}"#),
                Some(r#"{"name":"Ada"}"#),
                format!("name: Ada → {cut}"),
            ),
        ] {
            let (noun, verb) = kind.split_once('.').unwrap();
            let told = what(Times::Stored, noun, verb, &record, previous);
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn times_are_told_in_a_zone_to_people() {
        let zone = Zone::named("America/New_York").unwrap();
        let told = |is_narrow, record, previous| {
            let times = Times::Shown {
                zone: &zone,
                is_narrow,
            };
            told_with(times, "process.updated", false, record, Some(previous))
        };
        let at = |time: &str| format!(r#"{{"next_followup_datetime":{time},"status":"active"}}"#);
        let (nine, midnight) = (
            at(r#""2026-12-04 14:00:00""#),
            at(r#""2026-11-29 05:00:00""#),
        );
        let (none, odd) = (at("null"), at("7"));
        assert_eq!(
            told(false, &nine, &midnight),
            "next: 2026-11-29 → 2026-12-04 09:00, status: active → active"
        );
        let only = r#"{"next_followup_datetime":"2026-11-29 05:00:00"}"#;
        assert_eq!(told(true, &nine, only), "next: 2026-12-04 09:00");
        assert_eq!(told(true, &none, only), "next: none");
        assert_eq!(told(false, &odd, only), "next: 2026-11-29 → 7");
    }
}
