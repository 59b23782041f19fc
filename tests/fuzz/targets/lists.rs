//! Any parameters of a list: they are refused with a sentence, or the database finds what a plain look at each record
//! finds, in the same order, and its pages joined are the whole.

#![no_main]

use std::cmp::Ordering;
use std::sync::LazyLock;

use crm::base::error::Code;
use crm::base::text::{Pattern, fold};
use crm::model::action::ACTION;
use crm::model::attributes;
use crm::model::kind::Kind;
use crm::model::lead::LEAD;
use crm::model::noun::Noun;
use crm::model::process::PROCESS;
use crm::model::query::{
    self, Column, Comparison, Filter, Operand, Query, SORTED_LETTERS, Sort, Test,
};
use crm::model::record::Record;
use crm::model::shown::Part;
use crm::model::value::Value;
use crm::store::any::AnyStore;
use crm_fuzz::{check_refusal, create, list, noun, store};
use libfuzzer_sys::fuzz_target;

const LEADS: [&str; 12] = [
    r#"{"email":"ada@example.com","name":"Ada Lovelace","attributes":{"company":"Acme","n":10}}"#,
    r#"{"email":"GRACE@Example.com","name":"Grace Hopper","status":"contacted","attributes":{"n":9.5}}"#,
    r#"{"email":"ada@example.com","name":"ada","status":"NEW","attributes":{"n":"10","a,b":true}}"#,
    r#"{"email":"ä@müller.de","name":"Äda Straße ΟΔΟΣ","attributes":{"n":12345678901234567890.10}}"#,
    r#"{"email":"b@example.com","name":null,"attributes":{"n":-0,"m":{"x":[1, 2]},"":"empty"}}"#,
    r#"{"email":"c@example.com","name":"","status":"in:new","attributes":{"n":1e300}}"#,
    r#"{"email":"d@example.com","name":"100%_\\","attributes":{"q\"\\":"\u00e9\n","n":1e-999}}"#,
    r#"{"email":"e@example.com","name":"a","status":"a,b","attributes":{"n":false}}"#,
    r#"{"email":"f@example.com","name":"A","status":"a","attributes":{"n":[]}}"#,
    r#"{"email":"g@example.com","name":"\ud83d\ude00","attributes":{"n":"x"}}"#,
    r#"{"email":"h@example.com","name":"a","attributes":{}}"#,
    r#"{"email":"o'neil+x@example.com","name":"new line\n","attributes":{"N":10,"n":10.0}}"#,
];

const ACTIONS: [&str; 5] = [
    r#"{"lead_id":1,"action_type":"call","details":"Asked for a quote","timestamp":"2026-01-31 09:30:00"}"#,
    r#"{"lead_id":1,"action_type":"mail","details":null,"timestamp":"0001-01-01"}"#,
    r#"{"lead_id":2,"action_type":"call","details":"","timestamp":"9999-12-31 23:59:59"}"#,
    r#"{"action_type":"Call","details":"a\tb","timestamp":"2026-01-31 09:30:01","attributes":{"n":1}}"#,
    r#"{"action_type":"call","details":"%","timestamp":"2026-01-31","attributes":{"n":2}}"#,
];

const PROCESSES: [&str; 5] = [
    r#"{"lead_id":1,"name":"Spring","channel":"email","next_followup_datetime":"2026-02-07"}"#,
    r#"{"lead_id":1,"name":"spring","last_action_id":1,"next_followup_datetime":"2026-02-07 09:00:00"}"#,
    r#"{"lead_id":3,"name":"Call back","channel":"phone","last_action_id":3,"status":"done"}"#,
    r#"{"name":"_","channel":"e%","next_followup_datetime":"2026-02-06 23:59:59"}"#,
    r#"{"name":"Spring","channel":"Email","attributes":{"n":3}}"#,
];

struct Stored {
    store: AnyStore,
    all: Vec<Record>,
}

impl Stored {
    fn new() -> Stored {
        let store = store();
        let mut all = Vec::new();
        for (noun, texts) in [
            (&LEAD, &LEADS[..]),
            (&ACTION, &ACTIONS),
            (&PROCESS, &PROCESSES),
        ] {
            all.extend(texts.iter().map(|json| create(&store, noun, json)));
        }
        // Sorted by its first letters alone.
        let long = "é".repeat(SORTED_LETTERS);
        for end in ["b", "a"] {
            let json = format!(r#"{{"email":"i@example.com","name":"{long}{end}"}}"#);
            all.push(create(&store, &LEAD, &json));
        }
        Stored { store, all }
    }
}

static STORED: LazyLock<Stored> = LazyLock::new(Stored::new);

fuzz_target!(|input: &str| {
    let (noun, text) = noun(input, '?');
    let pairs = match query::pairs(text) {
        Ok(pairs) => pairs,
        Err(error) => return check_refusal(&error),
    };
    let written: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", query::escape(name), query::escape(value)))
        .collect();
    assert_eq!(query::pairs(&written.join("&")).as_ref(), Ok(&pairs));
    match Query::new(noun, pairs) {
        Ok(query) => check_list(&query),
        Err(error) => {
            assert_eq!(error.code, Code::Invalid);
            assert!(!error.problems.is_empty(), "{error:?}");
            check_refusal(&error);
        }
    }
});

fn check_list(query: &Query) {
    let store = &STORED.store;
    let mut found: Vec<&Record> = STORED
        .all
        .iter()
        .filter(|record| record.noun == query.noun && is_found(query, record))
        .collect();
    found.sort_by(|one, other| {
        order(
            &query.order,
            &query
                .order
                .iter()
                .map(|sort| key(one, sort))
                .collect::<Vec<_>>(),
            other,
        )
        .reverse()
    });
    let total = found.len() as u64;

    // As it was asked for.
    let from = match &query.after {
        Some(cursor) => found
            .iter()
            .position(|record| order(&query.order, &cursor.0, record).is_gt())
            .unwrap_or(found.len()),
        None => 0,
    };
    let behind = &found[from..];
    let most = query
        .limit
        .map_or(behind.len(), |limit| behind.len().min(limit as usize));
    let (records, counted, next) = list(store, query.clone());
    assert_eq!(
        ids(records.iter()),
        ids(behind[..most].iter().copied()),
        "{:?}",
        query.pairs
    );
    assert_eq!(counted, query.count.then_some(total));
    assert_eq!(next.is_some(), most < behind.len());
    if let (Some(shown), Some(record)) = (&query.shown, records.first()) {
        let mut json = Vec::new();
        record.write_json(shown, &mut json);
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&json).expect("an object");
        // Own fields are members of one object.
        let mut members: Vec<&str> = Vec::new();
        for column in shown.columns() {
            let member = match column.part {
                Part::Whole => &*column.name,
                Part::Key(_) | Part::EveryKey => "attributes",
            };
            if !members.contains(&member) {
                members.push(member);
            }
        }
        assert!(object.keys().eq(members));
    }

    // Its pages, from the first to the last.
    let limit = 1 + query.pairs.len() % 7;
    let mut pairs = query.pairs.clone();
    pairs.retain(|(name, _)| !["limit", "after", "count"].contains(&name.as_str()));
    pairs.push(("limit".into(), limit.to_string()));
    pairs.push(("count".into(), "true".into()));
    let mut joined = Vec::new();
    let mut after = None;
    loop {
        let mut pairs = pairs.clone();
        pairs.extend(after.map(|after| ("after".to_string(), after)));
        let page = match Query::new(query.noun, pairs) {
            Ok(page) => page,
            // These three more may be too many.
            Err(error) => {
                return assert!(
                    query.filters.len() > 90 || query.pairs.len() > 90,
                    "{error}"
                );
            }
        };
        let (records, counted, next) = list(store, page);
        assert_eq!(counted, Some(total));
        assert!(records.len() == limit || next.is_none());
        joined.extend(records);
        assert!(joined.len() <= found.len());
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(
        ids(joined.iter()),
        ids(found.into_iter()),
        "{:?}",
        query.pairs
    );
}

fn ids<'a>(records: impl Iterator<Item = &'a Record>) -> Vec<i64> {
    records.map(Record::id).collect()
}

/// What a sort looks at.
fn key(record: &Record, sort: &Sort) -> Value {
    match (&record.values[sort.at], &sort.key) {
        (stored, Some(_)) => sort.value(stored),
        (Value::Text(text), None) => Value::Text(text.chars().take(SORTED_LETTERS).collect()),
        (value, None) => value.clone(),
    }
}

/// Where a record stands against the keys of another, or of a cursor.
fn order(order: &[Sort], keys: &[Value], record: &Record) -> Ordering {
    let orders = order.iter().zip(keys).map(|(sort, other)| {
        let order = match (&key(record, sort), other) {
            (Value::Int(one), Value::Int(other)) => one.cmp(other),
            (Value::Text(one), Value::Text(other)) => one.cmp(other),
            (one, other) => (*one != Value::Null).cmp(&(*other != Value::Null)),
        };
        if sort.descending {
            order.reverse()
        } else {
            order
        }
    });
    orders.fold(Ordering::Equal, Ordering::then)
}

fn is_found(query: &Query, record: &Record) -> bool {
    let fields = || record.noun.fields.iter().zip(&record.values);
    let searched = query.search.as_ref().is_none_or(|pattern| {
        fields().any(|(field, value)| {
            value.text().is_some_and(|text| match field.kind {
                Kind::Attributes => Pattern::parse(pattern)
                    .is_some_and(|pattern| attributes::search(text, &pattern, || false)),
                _ => field.searchable() && like(pattern, text),
            })
        })
    });
    searched
        && query
            .filters
            .iter()
            .all(|filter| fits(record.noun, filter, record))
}

fn fits(noun: &Noun, filter: &Filter, record: &Record) -> bool {
    let at = match &filter.column {
        Column::Field(at) => *at,
        Column::Attribute(key) => {
            let stored = record.get("attributes").text().unwrap_or_default();
            let value = attributes::lookup(stored, key);
            return test(&filter.test, value.as_deref(), |operand| match operand {
                Operand::Text(text) => attributes::Given::new(text).compare(stored, key),
                _ => None,
            });
        }
    };
    let value = &record.values[at];
    let address = |text: &str| match noun.fields[at].kind {
        Kind::Email => text.to_ascii_lowercase(),
        _ => text.to_string(),
    };
    let shown = (*value != Value::Null).then(|| value.to_string());
    test(&filter.test, shown.as_deref(), |operand| {
        match (operand, value) {
            (Operand::Int(given), Value::Int(stored)) => Some(stored.cmp(given)),
            (Operand::Text(given), Value::Text(stored)) => Some(address(stored).cmp(given)),
            (Operand::Range(range), Value::Text(stored)) if *stored < range.start => {
                Some(Ordering::Less)
            }
            (Operand::Range(range), Value::Text(stored)) if *stored >= range.end => {
                Some(Ordering::Greater)
            }
            (Operand::Range(_), Value::Text(_)) => Some(Ordering::Equal),
            _ => None,
        }
    })
}

/// Whether a value passes a test, where `compare` says how it stands to what was given.
fn test(test: &Test, value: Option<&str>, compare: impl Fn(&Operand) -> Option<Ordering>) -> bool {
    match test {
        Test::Null => value.is_none(),
        Test::NotNull => value.is_some(),
        Test::Like(pattern) => value.is_some_and(|value| like(pattern, value)),
        Test::In(operands) => operands
            .iter()
            .any(|operand| compare(operand) == Some(Ordering::Equal)),
        Test::NotIn(operands) => !operands
            .iter()
            .any(|operand| compare(operand) == Some(Ordering::Equal)),
        Test::Compare(comparison, operand) => match (comparison, compare(operand)) {
            (Comparison::Ne, order) => order != Some(Ordering::Equal),
            (_, None) => false,
            (Comparison::Eq, Some(order)) => order.is_eq(),
            (Comparison::Gt, Some(order)) => order.is_gt(),
            (Comparison::Gte, Some(order)) => order.is_ge(),
            (Comparison::Lt, Some(order)) => order.is_lt(),
            (Comparison::Lte, Some(order)) => order.is_le(),
        },
    }
}

/// `LIKE` letter by letter: which starts of the text the pattern so far fits.
fn like(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().map(fold).collect();
    let mut fits = vec![false; text.len() + 1];
    fits[0] = true;
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if letter == '%' {
            let first = fits.iter().position(|fits| *fits).unwrap_or(fits.len());
            fits[first..].fill(true);
            continue;
        }
        let wanted = match letter {
            '_' => None,
            '\\' => letters.next().map(fold),
            letter => Some(fold(letter)),
        };
        for at in (0..text.len()).rev() {
            fits[at + 1] = fits[at] && wanted.is_none_or(|wanted| wanted == text[at]);
        }
        fits[0] = false;
    }
    fits[text.len()]
}
