//! Any attributes: a line of what is stored, one of a change, and then keys and texts in turn. What is taken is kept to the
//! digit and in order, a change does what a plain one over a list does, and numbers compare as numbers.

#![no_main]

use std::cmp::Ordering;

use crm::model::action::ACTION;
use crm::model::attributes::{self, Attributes, Given, GivenOneOf, check};
use crm::model::draft::{Draft, Purpose};
use crm_fuzz::{check_sentence, compact, object};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use serde_json::value::RawValue;

fuzz_target!(|input: &str| {
    let mut lines = input.split('\n');
    let first = read(lines.next().unwrap_or_default());
    let change = read(lines.next().unwrap_or_default());
    let words: Vec<&str> = lines.take(4).collect();
    if let Some(first) = first {
        let stored = Attributes::stored(&first.without_nulls());
        if let Some(change) = &change {
            check_merge(&stored, change);
        }
        for pair in words.chunks_exact(2) {
            check_key(&stored, pair[0], pair[1]);
        }
    }
    for one in &words {
        for other in &words {
            check_numbers(one, other);
            words
                .iter()
                .for_each(|third| check_order(one, other, third));
        }
    }
});

/// Reads an object; what is taken is written as it was given.
fn read(text: &str) -> Option<Attributes> {
    let attributes = match Attributes::parse(text) {
        Ok(attributes) => attributes,
        Err(expected) => {
            check_sentence(&expected);
            assert!(!text.trim_start().starts_with('{') || check(text).is_err());
            return None;
        }
    };
    assert_eq!(check(text), Ok(()));
    let written = attributes.to_string();
    if !text.contains('\\') {
        assert_eq!(written, compact(text));
    }
    let (given, read) = (object(text), object(&written));
    assert_eq!(given, read);
    assert_eq!(Attributes::parse(&written).as_ref(), Ok(&attributes));
    assert_eq!(Attributes::stored(&written), attributes);
    assert_eq!(attributes.is_empty(), given.is_empty());
    // Within a body, as a server is sent it.
    let body = format!(r#"{{"attributes":{text}}}"#);
    let draft = Draft::from_json(&ACTION, body.as_bytes(), Purpose::Update).expect("a draft");
    assert_eq!(draft.to_json(), format!(r#"{{"attributes":{written}}}"#));
    Some(attributes)
}

/// Its keys with their JSON, in order.
fn entries(attributes: &Attributes) -> Vec<(String, String)> {
    let keys = object(&attributes.to_string())
        .into_iter()
        .map(|entry| entry.0);
    let entry = |key: String| {
        let json = attributes.get(&key).expect("a value").to_string();
        (key, json)
    };
    keys.map(entry).collect()
}

fn check_merge(stored: &Attributes, change: &Attributes) {
    let mut merged = stored.clone();
    merged.merge(change);
    let mut expected = entries(stored);
    for (key, json) in entries(change) {
        let at = expected.iter().position(|entry| entry.0 == key);
        match (at, json.as_str()) {
            (None, "null") => {}
            (Some(at), "null") => drop(expected.remove(at)),
            (Some(at), _) => expected[at].1 = json,
            (None, _) => expected.push((key, json)),
        }
    }
    assert_eq!(entries(&merged), expected);
    let mut again = merged.clone();
    again.merge(change);
    assert_eq!(again, merged);
    let mut same = merged.clone();
    same.merge(&merged);
    assert_eq!(same, merged);
    assert_eq!(merged.without_nulls(), merged.to_string());
}

/// Sets a key to a JSON text or a text, finds it, and removes it.
fn check_key(stored: &Attributes, key: &str, text: &str) {
    let before = entries(stored);
    let others = |attributes: &Attributes| {
        let others = entries(attributes)
            .into_iter()
            .filter(|entry| entry.0 != key);
        others.collect::<Vec<_>>()
    };
    let kept = others(stored);
    let place = before
        .iter()
        .position(|entry| entry.0 == key)
        .unwrap_or(before.len());

    let mut with_text = stored.clone();
    with_text.set_text(key, text);
    let written = with_text.to_string();
    assert_eq!(attributes::lookup(&written, key).as_deref(), Some(text));
    assert_eq!(
        Given::new(text).compare(&written, key),
        Some(Ordering::Equal)
    );
    assert_eq!(entries(&with_text)[place].0, key);
    assert_eq!(others(&with_text), kept);
    let one_of = |texts: &[&str]| GivenOneOf::new(texts.iter().copied()).has(&written, key);
    assert_eq!(one_of(&["", text]), Some(true));
    assert_eq!(one_of(&[]), Some(false));

    if check(text).is_ok() {
        let mut with_json = stored.clone();
        with_json.set(key, text);
        assert_eq!(with_json.get(key), Some(compact(text).as_str()));
        assert_eq!(others(&with_json), kept);
        let found = attributes::lookup(&with_json.to_string(), key);
        assert_eq!(found.is_none(), text.trim() == "null");
        if let Ok(Value::String(text)) = serde_json::from_str(text) {
            assert_eq!(found, Some(text));
        }
    }

    let mut nothing = Attributes::default();
    nothing.set(key, "null");
    let mut without = with_text;
    without.merge(&nothing);
    assert_eq!(entries(&without), kept);
    let written = without.to_string();
    assert_eq!(attributes::lookup(&written, key), None);
    assert_eq!(Given::new(text).compare(&written, key), None);
}

/// A number as JSON writes it: its sign, its digits without zeros at the ends, and where the point is in front of the first
/// of them.
#[derive(Debug, PartialEq, Eq)]
struct Number {
    negative: bool,
    digits: String,
    point: i64,
}

impl Number {
    fn read(text: &str) -> Option<Number> {
        serde_json::from_str::<&RawValue>(text).ok()?;
        let begins = |c: char| c == '-' || c.is_ascii_digit();
        if !text.starts_with(begins) || text.trim() != text {
            return None;
        }
        let lower = text.to_ascii_lowercase();
        let (mantissa, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        // Beyond it all exponents are one.
        const FARTHEST: i64 = 1_000_000_000_000_000_000;
        let size: i64 = exponent
            .trim_start_matches(['+', '-'])
            .parse()
            .unwrap_or(FARTHEST);
        let size = size.min(FARTHEST);
        let exponent = if exponent.starts_with('-') {
            -size
        } else {
            size
        };
        let negative = whole.starts_with('-');
        let whole = whole.trim_start_matches('-');
        let all = format!("{whole}{fraction}");
        let first = all.bytes().take_while(|digit| *digit == b'0').count();
        let digits = all[first..].trim_end_matches('0').to_string();
        Some(match digits.is_empty() {
            true => Number {
                negative: false,
                digits,
                point: 0,
            },
            false => Number {
                negative,
                digits,
                point: (whole.len() as i64 - first as i64 + exponent).clamp(-FARTHEST, FARTHEST),
            },
        })
    }

    fn compare(&self, other: &Number) -> Ordering {
        let size = |number: &Number| match number.digits.is_empty() {
            true => 0,
            false if number.negative => -1,
            false => 1,
        };
        let far = (self.point, &self.digits).cmp(&(other.point, &other.digits));
        let far = if self.negative { far.reverse() } else { far };
        size(self).cmp(&size(other)).then(far)
    }
}

/// How the value of a key whose JSON is `one` stands to a given text.
fn stands(one: &str, other: &str) -> Option<Ordering> {
    let mut attributes = Attributes::default();
    attributes.set("k", one);
    Given::new(other).compare(&attributes.to_string(), "k")
}

/// A stored number stands to a text as numbers do, or where one of them is none, as texts.
fn check_numbers(one: &str, other: &str) {
    if check(one).is_err()
        || !one.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        || one.trim() != one
    {
        return;
    }
    let expected = match (Number::read(one), Number::read(other)) {
        (Some(one), Some(other)) => one.compare(&other),
        _ => one.cmp(other),
    };
    assert_eq!(stands(one, other), Some(expected), "{one} {other}");
    assert_eq!(stands(one, one), Some(Ordering::Equal));
}

/// Numbers are in one order.
fn check_order(one: &str, other: &str, third: &str) {
    if [one, other, third]
        .into_iter()
        .any(|text| Number::read(text).is_none())
    {
        return;
    }
    let [first, second, both] = [stands(one, other), stands(other, third), stands(one, third)];
    assert_eq!(stands(other, one), first.map(Ordering::reverse));
    if first == second || second == Some(Ordering::Equal) {
        assert_eq!(both, first, "{one} {other} {third}");
    }
}
