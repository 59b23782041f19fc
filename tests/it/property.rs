//! Laws, over random input: what is told to the store and what comes back, texts, numbers, pages, errors and times.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use crm::base::error::{Code, Error, Problem};
use crm::base::text::Pattern;
use crm::base::time::{self, Zone};
use crm::model::action::ACTION;
use crm::model::draft::{Draft, Purpose};
use crm::model::lead::{LEAD, OnDuplicate};
use crm::model::noun::Noun;
use crm::model::nouns::NOUNS;
use crm::model::process::PROCESS;
use crm::model::query::{Query, escape, pairs};
use crm::model::record::Record;
use crm::ops::Records;
use crm::store::any::AnyStore;
use crm::store::contract::Store;
use crm::store::sqlite::Work;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::support::{Home, Service};

/// So many random inputs for a law that needs a database, and for one that needs none.
fn stored() -> ProptestConfig {
    cases(24)
}

fn computed() -> ProptestConfig {
    cases(500)
}

/// So many cases, or as many as `PROPTEST_CASES` says.
pub fn cases(cases: u32) -> ProptestConfig {
    let given = ProptestConfig::default();
    ProptestConfig {
        cases: match std::env::var_os("PROPTEST_CASES") {
            Some(_) => given.cases,
            None => cases,
        },
        failure_persistence: None,
        ..given
    }
}

pub fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A store over a new file.
fn open(home: &Home) -> AnyStore {
    AnyStore::open(&home.path("crm.db"), Work::Command)
        .unwrap()
        .0
}

/// The records of a list.
pub async fn list(
    store: &AnyStore,
    noun: &'static Noun,
    query: &str,
) -> (Vec<Record>, Option<String>) {
    let query = Query::new(noun, pairs(query).unwrap()).unwrap();
    let mut listing = store.list(query).await.unwrap();
    let mut records = Vec::new();
    while let Some(chunk) = listing.next_chunk().await.unwrap() {
        records.extend(chunk);
    }
    (records, listing.next)
}

pub type Object = Map<String, Value>;

/// One step of a random history.
#[derive(Clone, Debug)]
pub enum Step {
    Create(&'static Noun, Object, OnDuplicate),
    Update(&'static Noun, i64, Object),
    Get(&'static Noun, i64),
    Delete(&'static Noun, i64, bool),
}

/// Few ids, so that steps meet.
fn id() -> impl Strategy<Value = i64> {
    1..5_i64
}

fn reference() -> impl Strategy<Value = Value> {
    option::weighted(0.8, id()).prop_map(|id| json!(id))
}

fn text() -> impl Strategy<Value = Value> {
    option::of("[a-cA-C ]{0,3}").prop_map(|text| json!(text))
}

fn word() -> impl Strategy<Value = Value> {
    "[a-c]{1,2}".prop_map(|word| json!(word))
}

fn moment() -> impl Strategy<Value = Value> {
    (1..13, 1..29).prop_map(|(month, day)| json!(format!("2026-{month:02}-{day:02} 09:30:00")))
}

fn attributes() -> impl Strategy<Value = Value> {
    vec(
        (
            "[a-d]",
            prop_oneof![Just(Value::Null), (0..3).prop_map(|n| json!(n))],
        ),
        0..4,
    )
    .prop_map(|entries| Value::Object(entries.into_iter().collect()))
}

/// The given ones of these fields.
fn object(fields: Vec<(&'static str, BoxedStrategy<Value>)>) -> impl Strategy<Value = Object> {
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(name, value)| {
            option::weighted(0.7, value.prop_map(move |value| (name.to_string(), value)))
        })
        .collect();
    fields.prop_map(|given| given.into_iter().flatten().collect())
}

fn draft() -> impl Strategy<Value = (&'static Noun, Object)> {
    let email = "[ab]@example\\.com".prop_map(|email| json!(email));
    let next = prop_oneof![Just(Value::Null), moment()];
    prop_oneof![
        object(vec![
            ("email", email.boxed()),
            ("name", text().boxed()),
            ("status", word().boxed()),
            ("attributes", attributes().boxed()),
        ])
        .prop_map(|given| (&LEAD, given)),
        object(vec![
            ("lead_id", reference().boxed()),
            ("action_type", word().boxed()),
            ("details", text().boxed()),
            ("attributes", attributes().boxed()),
        ])
        .prop_flat_map(|given| moment().prop_map(move |at| {
            let mut given = given.clone();
            // Not left out, as it would be the time of the create.
            given.insert("timestamp".into(), at);
            (&ACTION, given)
        })),
        object(vec![
            ("name", word().boxed()),
            ("lead_id", reference().boxed()),
            (
                "channel",
                option::of("[a-c]").prop_map(|word| json!(word)).boxed()
            ),
            ("last_action_id", reference().boxed()),
            ("next_followup_datetime", next.boxed()),
            ("cadence_days", reference().boxed()),
            ("status", word().boxed()),
            ("attributes", attributes().boxed()),
        ])
        .prop_map(|given| (&PROCESS, given)),
    ]
}

fn noun() -> impl Strategy<Value = &'static Noun> {
    (0..NOUNS.len()).prop_map(|at| NOUNS[at])
}

pub fn step() -> impl Strategy<Value = Step> {
    let on_duplicate = (0..OnDuplicate::WORDS.len()).prop_map(|at| OnDuplicate::WORDS[at].1);
    prop_oneof![
        4 => (draft(), on_duplicate).prop_map(|((noun, given), on)| match noun.name {
            "lead" => Step::Create(noun, given, on),
            _ => Step::Create(noun, given, OnDuplicate::Create),
        }),
        3 => (draft(), id()).prop_map(|((noun, given), id)| Step::Update(noun, id, given)),
        1 => (noun(), id()).prop_map(|(noun, id)| Step::Get(noun, id)),
        2 => (noun(), id(), any::<bool>())
            .prop_map(|(noun, id, cascade)| Step::Delete(noun, id, cascade && noun.name == "lead")),
    ]
}

/// What a store has to do, over maps in memory.
#[derive(Default)]
struct Model {
    records: BTreeMap<(&'static str, i64), Object>,
    last: BTreeMap<&'static str, i64>,
}

impl Model {
    /// What a step answers: the record without the times that crm sets, nothing for a delete.
    fn step(&mut self, step: &Step) -> Result<Option<Object>, Code> {
        let (noun, answer) = match step {
            Step::Get(noun, id) => (noun, self.get(noun, *id)?),
            Step::Update(noun, id, given) => (noun, self.update(noun, *id, given)?),
            Step::Create(noun, given, on_duplicate) => {
                (noun, self.create(noun, given, *on_duplicate)?)
            }
            Step::Delete(noun, id, cascade) => {
                self.delete(noun, *id, *cascade)?;
                return Ok(None);
            }
        };
        Ok(Some(self.with_newest(noun, answer)))
    }

    /// A lead with the newest time of its actions.
    fn with_newest(&self, noun: &Noun, mut record: Object) -> Object {
        if noun.name == "lead" {
            let id = record["id"].as_i64().unwrap();
            let actions = self.referring("action", "lead_id", id);
            let times = actions
                .iter()
                .map(|action| &self.records[&("action", *action)]["timestamp"]);
            let newest = times.filter_map(Value::as_str).max();
            record.insert("last_action_at".into(), json!(newest));
        }
        record
    }

    fn get(&self, noun: &Noun, id: i64) -> Result<Object, Code> {
        let found = self.records.get(&(noun.name, id));
        found.cloned().ok_or(Code::NotFound)
    }

    fn referring(&self, noun: &'static str, field: &str, id: i64) -> Vec<i64> {
        let records = self.records.iter();
        records
            .filter(|(key, record)| key.0 == noun && record[field] == id)
            .map(|(key, _)| key.1)
            .collect()
    }

    /// Whether the references of a draft hold.
    fn holds(&self, given: &Object) -> Result<(), Code> {
        for (field, noun) in [("lead_id", "lead"), ("last_action_id", "action")] {
            if let Some(id) = given.get(field).and_then(Value::as_i64)
                && !self.records.contains_key(&(noun, id))
            {
                return Err(Code::Invalid);
            }
        }
        Ok(())
    }

    fn create(
        &mut self,
        noun: &'static Noun,
        given: &Object,
        on: OnDuplicate,
    ) -> Result<Object, Code> {
        let same = self.records.iter().find(|(key, record)| {
            key.0 == "lead"
                && given
                    .get("email")
                    .is_some_and(|email| record["email"] == *email)
        });
        if let Some(((_, id), _)) = same.filter(|_| noun.name == "lead") {
            match on {
                // To skip is for many records at once.
                OnDuplicate::Create | OnDuplicate::Skip => {}
                OnDuplicate::Reject => return Err(Code::Conflict),
                OnDuplicate::Update => return self.update(noun, *id, given),
            }
        }
        let (required, defaults) = match noun.name {
            "lead" => (
                "email",
                json!({"email": null, "name": null, "status": "new", "attributes": {}}),
            ),
            "action" => (
                "action_type",
                json!({"lead_id": null, "action_type": null, "details": null, "timestamp": null, "attributes": {}}),
            ),
            _ => (
                "name",
                json!({"name": null, "lead_id": null, "channel": null, "last_action_id": null,
                       "next_followup_datetime": null, "cadence_days": null, "status": "active", "attributes": {}}),
            ),
        };
        if !given.contains_key(required) {
            return Err(Code::Invalid);
        }
        self.holds(given)?;
        let last = self.last.entry(noun.name).or_default();
        *last += 1;
        let mut record = Object::new();
        record.insert("id".into(), json!(*last));
        record.extend(defaults.as_object().unwrap().clone());
        merge(&mut record, given);
        self.records.insert((noun.name, *last), record.clone());
        Ok(record)
    }

    fn update(&mut self, noun: &'static Noun, id: i64, given: &Object) -> Result<Object, Code> {
        self.get(noun, id)?;
        self.holds(given)?;
        let record = self.records.get_mut(&(noun.name, id)).unwrap();
        merge(record, given);
        Ok(record.clone())
    }

    fn delete(&mut self, noun: &Noun, id: i64, cascade: bool) -> Result<(), Code> {
        self.get(noun, id)?;
        if noun.name == "lead" {
            let actions = self.referring("action", "lead_id", id);
            let processes = self.referring("process", "lead_id", id);
            let free = actions.is_empty() && processes.is_empty();
            if !(cascade || free) {
                return Err(Code::Conflict);
            }
            for process in processes {
                self.records.remove(&("process", process));
            }
            for action in actions {
                self.delete(&ACTION, action, false)?;
            }
        }
        if noun.name == "action" {
            for process in self.referring("process", "last_action_id", id) {
                let process = self.records.get_mut(&("process", process)).unwrap();
                process.insert("last_action_id".into(), Value::Null);
            }
        }
        self.records.remove(&(noun.name, id));
        Ok(())
    }

    /// The records of a noun in id order.
    fn list(&self, noun: &Noun) -> Vec<Object> {
        let records = self.records.iter();
        records
            .filter(|(key, _)| key.0 == noun.name)
            .map(|(_, record)| self.with_newest(noun, record.clone()))
            .collect()
    }
}

/// The given fields replace; of attributes each key does, and a null removes it.
fn merge(record: &mut Object, given: &Object) {
    for (field, value) in given {
        let Value::Object(change) = value else {
            record.insert(field.clone(), value.clone());
            continue;
        };
        let stored = record[field].as_object_mut().unwrap();
        for (key, value) in change {
            match value {
                Value::Null => drop(stored.shift_remove(key)),
                value => drop(stored.insert(key.clone(), value.clone())),
            }
        }
    }
}

/// A record as the model has it. As text, where the order of its keys counts.
fn shown(record: &Record) -> String {
    let mut object: Object = serde_json::from_str(&record.to_json()).unwrap();
    for name in ["created_at", "updated_at", "description"] {
        object.shift_remove(name);
    }
    Value::Object(object).to_string()
}

async fn take(store: &AnyStore, step: &Step) -> Result<Option<Record>, Error> {
    let draft = |noun, given: &Object, purpose| {
        let json = Value::Object(given.clone()).to_string();
        Draft::from_json(noun, json.as_bytes(), purpose).unwrap()
    };
    match step {
        Step::Get(noun, id) => store.get(noun, *id).await.map(Some),
        Step::Update(noun, id, given) => {
            let draft = draft(noun, given, Purpose::Update);
            store.update(*id, draft).await.map(Some)
        }
        Step::Create(noun, given, on) => {
            let draft = draft(noun, given, Purpose::Create);
            store
                .create(draft, *on)
                .await
                .map(|saved| Some(saved.record))
        }
        Step::Delete(noun, id, cascade) => store.delete(noun, *id, *cascade).await.map(|()| None),
    }
}

proptest! {
    #![proptest_config(stored())]

    #[test]
    fn a_store_does_what_the_model_does(steps in vec(step(), 1..60)) {
        let home = Home::new();
        let mut model = Model::default();
        runtime().block_on(async {
            let store = open(&home);
            for step in &steps {
                let answer = take(&store, step).await;
                let answer = answer.map(|record| record.as_ref().map(shown)).map_err(|error| error.code);
                let expected = model.step(step).map(|record| record.map(|record| Value::Object(record).to_string()));
                prop_assert_eq!(answer, expected, "{:?}", step);
            }
            for noun in NOUNS {
                let found: Vec<String> = list(&store, noun, "").await.0.iter().map(shown).collect();
                let expected = model.list(noun).into_iter().map(|record| Value::Object(record).to_string());
                prop_assert_eq!(found, expected.collect::<Vec<String>>());
            }
            store.close().await.unwrap();
            Ok(())
        })?;
    }

    #[test]
    fn pages_neither_skip_nor_repeat(
        people in vec((option::of("[aAäÄ\u{10ffff}é-]{0,2}"), "[ab]{1,2}"), 1..30),
        keys in proptest::sample::subsequence(vec!["name", "status", "email", "created_at", "id"], 0..4).prop_shuffle(),
        turned in vec(any::<bool>(), 5),
        limit in 1..12_usize,
        filtered in any::<bool>(),
    ) {
        let home = Home::new();
        runtime().block_on(async {
            let store = open(&home);
            for (name, status) in &people {
                let given = json!({"email": "a@example.com", "name": name, "status": status});
                let draft = Draft::from_json(&LEAD, given.to_string().as_bytes(), Purpose::Create).unwrap();
                store.create(draft, OnDuplicate::Create).await.unwrap();
            }
            let keys: Vec<(&str, bool)> = keys.into_iter().zip(turned).collect();
            let sort: Vec<String> = keys.iter().map(|(key, down)| format!("{}{key}", if *down { "-" } else { "" })).collect();
            let mut query = if filtered { "status=like:a%25&".to_string() } else { String::new() };
            if !sort.is_empty() {
                query.push_str(&format!("sort={}&", sort.join(",")));
            }

            let mut expected = list(&store, &LEAD, "").await.0;
            prop_assert_eq!(expected.len(), people.len());
            expected.retain(|lead| !filtered || lead.get("status").to_string().starts_with('a'));
            // Null is less than all texts, texts are in the order of their code points, ties are in that of the ids.
            expected.sort_by(|one, other| {
                let orders = keys.iter().map(|(key, down)| {
                    let order = match *key {
                        "id" => one.id().cmp(&other.id()),
                        key => one.get(key).text().cmp(&other.get(key).text()),
                    };
                    if *down { order.reverse() } else { order }
                });
                orders.reduce(std::cmp::Ordering::then).unwrap_or(std::cmp::Ordering::Equal).then(one.id().cmp(&other.id()))
            });
            prop_assert_eq!(&list(&store, &LEAD, &query).await.0, &expected, "{}", query);

            let mut found = Vec::new();
            let mut after = String::new();
            loop {
                let (page, next) = list(&store, &LEAD, &format!("{query}limit={limit}{after}")).await;
                prop_assert!(page.len() == limit || next.is_none());
                found.extend(page);
                prop_assert!(found.len() <= expected.len(), "{} repeats", query);
                match next {
                    Some(next) => after = format!("&after={}", escape(&next)),
                    None => break,
                }
            }
            prop_assert_eq!(&found, &expected, "{}", query);
            store.close().await.unwrap();
            Ok(())
        })?;
    }
}

#[test]
fn any_text_and_any_number_come_back() {
    let runtime = runtime();
    let service = runtime.block_on(Service::start());
    let store = AnyStore::connect(&service.url, None).unwrap();
    let law = |(text, key, number, digits): (String, String, i64, String)| {
        let number = number.to_string();
        let raw = format!("{number}.{digits}");
        let given = format!(
            r#"{{"action_type": "call", "details": {}, "attributes": {{{}: {}, "number {number}": {number}, "raw": {raw}}}}}"#,
            json!(text),
            json!(key),
            json!(text),
        );
        let draft = Draft::from_json(&ACTION, given.as_bytes(), Purpose::Create);
        let allowed = !text.contains('\0') && !key.contains('\0');
        let created = runtime.block_on(async {
            match draft {
                Ok(draft) => store.create(draft, OnDuplicate::Create).await,
                Err(error) => Err(error),
            }
        });
        if !allowed {
            prop_assert_eq!(created.unwrap_err().code, Code::Invalid);
            return Ok(());
        }
        let created = created.unwrap().record;
        let read = runtime.block_on(store.get(&ACTION, created.id())).unwrap();
        prop_assert_eq!(&read, &created);
        prop_assert_eq!(read.get("details").text(), Some(text.as_str()));
        prop_assert_eq!(
            read.get("attributes").text().unwrap(),
            format!(
                r#"{{{}:{},"number {number}":{number},"raw":{raw}}}"#,
                json!(key),
                json!(text)
            )
        );
        // It is found by what it holds. An operator's word before a colon is no text, hence the `eq:`.
        let query = format!(
            "id={}&details=eq:{}&{}=eq:{}&attributes.number+{}={number}&count=true",
            created.id(),
            escape(&text),
            escape(&format!("attributes.{key}")),
            escape(&text),
            escape(&number),
        );
        let found = runtime.block_on(list(&store, &ACTION, &query)).0;
        prop_assert_eq!(found, [read], "{}", query);
        Ok(())
    };
    let input = (
        prop_oneof![any::<String>(), ".*", "[\u{0}-\u{1f}\"\\\\%+&=#]{0,8}"],
        any::<String>().prop_map(|key| format!("k{key}")),
        any::<i64>(),
        "[0-9]{1,30}",
    );
    let mut runner = proptest::test_runner::TestRunner::new(cases(100));
    let result = runner.run(&input, law);
    if let Err(error) = result {
        panic!("{error}");
    }
    for number in [i64::MIN, i64::MAX] {
        let query = format!("id=gte:{number}");
        let (found, _) = runtime.block_on(list(&store, &ACTION, &query));
        assert_eq!(found.is_empty(), number == i64::MAX);
    }
    runtime.block_on(service.stop());
}

proptest! {
    #![proptest_config(computed())]

    #[test]
    fn an_error_goes_through_http_unchanged(
        at in 0..Code::TABLE.len(),
        message in any::<String>(),
        fields in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..4),
        merged_into in option::of(1..i64::MAX),
    ) {
        let (code, Some(status), _) = Code::TABLE[at] else {
            // Made where the command runs.
            return Ok(());
        };
        let problems = fields.into_iter().map(|(field, expected)| Problem::new(field, expected)).collect();
        let error = Error { code, message, problems, merged_into };
        let code = Code::from_status(status).unwrap();
        prop_assert_eq!(Error::from_json(code, error.to_json().as_bytes()), Some(error));
    }

    #[test]
    fn a_stored_time_is_read_as_itself(
        year in 1..10_000, month in 1..13, day in 1..29, hour in 0..24, minute in 0..60, second in 0..60,
        offset in -1439..1440_i32, letter in "[Tt ]",
    ) {
        let stored = format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}");
        let read = time::parse(&stored);
        prop_assert_eq!(read.as_deref(), Some(stored.as_str()));
        let range = time::range(&stored).unwrap();
        prop_assert!(range.start == stored && range.end > stored);
        // With an offset it is what another library makes of it.
        let (sign, distance) = (if offset < 0 { '-' } else { '+' }, offset.abs());
        let offset = format!("{sign}{:02}:{:02}", distance / 60, distance % 60);
        let given = stored.replace(' ', &letter) + &offset;
        let other = (stored.replace(' ', "T") + &offset).parse::<jiff::Timestamp>();
        let other = other.ok().map(|at| at.strftime("%Y-%m-%d %H:%M:%S").to_string());
        // Its range goes on where a year has no four digits.
        let other = other.filter(|text| text.len() == stored.len() && !text.starts_with("0000"));
        prop_assert_eq!(time::parse(&given), other, "{}", given);
    }

    #[test]
    fn whatever_is_taken_for_a_time_is_stored_in_one_form(text in prop_oneof![any::<String>(), "[0-9TZ:+. -]{8,26}", "[+-][0-9]{1,20}[smhdwy]"]) {
        let words = time::point(&text, &Zone::UTC, time::Tense::Future).ok();
        for text in [Some(text.clone()), words].into_iter().flatten() {
            if let Some(stored) = time::parse(&text) {
                let again = time::parse(&stored);
                prop_assert_eq!(again.as_deref(), Some(stored.as_str()));
                let range = time::range(&text).unwrap();
                prop_assert!(range.start <= range.end);
            }
        }
    }

    #[test]
    fn what_a_table_shows_is_read_back_as_the_same_time(
        zone in 0..jiff::tz::TimeZoneDatabase::bundled().available().count(),
        year in 1..10_000_i16, at in 0..366 * 86_400_i64, near in any::<proptest::sample::Index>(), second in -7_200..7_200_i64,
    ) {
        let zones = jiff::tz::TimeZoneDatabase::bundled();
        let name = zones.available().nth(zone).unwrap().to_string();
        let name = name.as_str();
        let zone = Zone::named(name).unwrap();
        // The zones of the system may be newer, and differ before 1970.
        let file = std::fs::read(format!("/usr/share/zoneinfo/{name}"));
        let rules = file.ok().and_then(|file| jiff::tz::TimeZone::tzif(name, &file).ok());
        let rules = rules.unwrap_or_else(|| zones.get(name).unwrap());
        let start = jiff::civil::date(year, 1, 1).at(0, 0, 0, 0);
        let any = start.saturating_add(jiff::SignedDuration::from_secs(at));
        let mut times = vec![any];
        // Around a change of the clocks, where the same time of day occurs twice or not at all.
        let changes: Vec<jiff::Timestamp> = rules.following(jiff::Timestamp::MIN).take(300).map(|change| change.timestamp()).collect();
        if !changes.is_empty() {
            let change = *near.get(&changes) + jiff::SignedDuration::from_secs(second);
            times.push(jiff::tz::TimeZone::UTC.to_datetime(change));
        }
        for time in times {
            let stored = time.strftime("%Y-%m-%d %H:%M:%S").to_string();
            let shown = zone.show(&stored);
            let read = time::parse_in(&shown, &zone);
            prop_assert_eq!(read.as_deref(), Some(stored.as_str()), "{} {}", name, shown);
            // What is shown is what another library shows.
            if let Ok(at) = jiff::tz::TimeZone::UTC.to_timestamp(time)
                && !shown.ends_with('Z')
            {
                let local = at.to_zoned(rules.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
                prop_assert!(shown.starts_with(&local), "{} {} {}", name, shown, local);
            }
            // Its day has it, in a filter of the zone.
            let day = time::range_in(&shown[..10], &zone).unwrap();
            let is_in = (day.start.as_str()..day.end.as_str()).contains(&stored.as_str());
            prop_assert!(is_in || shown.ends_with('Z'), "{} {} {:?}", name, shown, day);
            prop_assert_eq!(time::range(&day.interval()), Some(day));
        }
    }

    #[test]
    fn like_agrees_with_a_naive_one(pattern in "[aAbäÄß%_\\\\]{0,8}", text in "[aAbBäÄß%_\\\\]{0,8}") {
        let letters: Vec<char> = text.chars().collect();
        let pattern_letters: Vec<char> = pattern.chars().collect();
        let expected = naive(&pattern_letters, &letters);
        let found = Pattern::parse(&pattern).map(|pattern| pattern.matches(&text, || false));
        prop_assert_eq!(found.is_none(), ends_alone(&pattern_letters));
        prop_assert_eq!(found.unwrap_or(false), expected && !ends_alone(&pattern_letters));
        let anywhere = Pattern::parse(&Pattern::containing(&pattern)).unwrap();
        prop_assert_eq!(anywhere.matches(&text, || false), text.to_lowercase().contains(&pattern.to_lowercase()));
    }

    #[test]
    fn nothing_that_is_sent_makes_it_panic(
        body in prop_oneof![
            vec(any::<u8>(), 0..40),
            "[{}\\[\\]:,\"a0-9.e\\\\u ]{0,40}".prop_map(String::into_bytes),
            (any::<String>(), any::<String>()).prop_map(|(key, text)| json!({key: text, "id": 1}).to_string().into_bytes()),
        ],
        name in prop_oneof![any::<String>(), "(id|email|created_at|attributes\\.[a-c]?|sort|limit|after|q|fields|count)"],
        value in prop_oneof![any::<String>(), "((eq|ne|gt|in|is|like):)?[-a-c,%_\\\\0-9:]{0,10}"],
    ) {
        for noun in NOUNS {
            for purpose in [Purpose::Create, Purpose::Update] {
                if let Ok(draft) = Draft::from_json(noun, &body, purpose) {
                    let _ = draft.row();
                    // A draft that can be read is sent on as it was.
                    if draft.readable(purpose).is_ok() {
                        let again = Draft::from_json(noun, draft.to_json().as_bytes(), purpose).unwrap();
                        prop_assert_eq!(again, draft);
                    }
                }
            }
            let query = format!("{}={}", escape(&name), escape(&value));
            let parsed = pairs(&query).unwrap();
            prop_assert_eq!(&parsed, &[(name.clone(), value.clone())]);
            if let Err(error) = Query::new(noun, parsed) {
                prop_assert_eq!(error.code, Code::Invalid);
                prop_assert!(!error.problems.is_empty());
            }
            let _ = pairs(&value);
            let _ = noun.parse_id(&value);
        }
    }
}

/// `LIKE` as its definition reads.
fn naive(pattern: &[char], text: &[char]) -> bool {
    let same = |one: char, other: char| one.to_lowercase().eq(other.to_lowercase());
    match (pattern, text) {
        ([], text) => text.is_empty(),
        (['%', rest @ ..], text) => (0..=text.len()).any(|taken| naive(rest, &text[taken..])),
        (['_', rest @ ..], [_, text @ ..]) => naive(rest, text),
        (['\\', letter, rest @ ..], [first, text @ ..]) => {
            same(*letter, *first) && naive(rest, text)
        }
        (['\\', ..], _) => false,
        ([letter, rest @ ..], [first, text @ ..]) => same(*letter, *first) && naive(rest, text),
        (_, []) => false,
    }
}

/// Whether the pattern ends in a `\` that escapes nothing.
fn ends_alone(pattern: &[char]) -> bool {
    pattern
        .iter()
        .rev()
        .take_while(|letter| **letter == '\\')
        .count()
        % 2
        == 1
}

#[test]
fn a_command_hears_the_error_that_the_server_had() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let errors: Vec<Error> = Code::TABLE
        .iter()
        .filter(|row| row.1.is_some())
        .map(|row| Error {
            code: row.0,
            message: format!("{:?} \"quoted\" – ünïcode\nline", row.0),
            problems: vec![Problem::new("email", "expected"), Problem::new("a", "")],
            merged_into: (row.0 == Code::NotFound).then_some(7),
        })
        .collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // What may pass is asked for again, five times in all.
            let times = |error: &Error| match error.code {
                Code::Unavailable | Code::Limited => 5,
                _ => 1,
            };
            let told = errors.iter().flat_map(|error| std::iter::repeat_n(error, times(error)));
            for error in told {
                let (stream, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(&stream);
                let mut line = String::new();
                while line != "\r\n" {
                    line.clear();
                    reader.read_line(&mut line).unwrap();
                }
                let (status, body) = (error.code.status(), error.to_json());
                write!(
                    &stream,
                    "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                )
                .unwrap();
            }
        });
        for error in &errors {
            let store = AnyStore::connect(&url, None).unwrap();
            let heard = runtime().block_on(store.get(&LEAD, 1)).unwrap_err();
            assert_eq!(heard, *error);
        }
    });
}
