//! Taking changes back: its law, on both databases, and what stands in its way.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::Write;
use std::time::Instant;

use crm::base::error::{Code, Error};
use crm::model::action::ACTION;
use crm::model::draft::{Draft, Purpose};
use crm::model::lead::{LEAD, OnDuplicate};
use crm::model::noun::Noun;
use crm::model::nouns::NOUNS;
use crm::model::process::PROCESS;
use crm::model::record::Record;
use crm::model::terms::{Key, Terms, Versions};
use crm::model::undone::{Fate, Undone};
use crm::ops::create::Create;
use crm::ops::delete::Delete;
use crm::ops::merge::Merge;
use crm::ops::undo::Undo;
use crm::ops::update::Update;
use crm::store::any::AnyStore;
use crm::store::contract::{Outcome, Store};
use crm::store::postgres::{CONNECTIONS, Postgres};
use crm::store::sqlite::{Sqlite, Work};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::cluster;
use crate::contract::{create, draft, ids, text, update};
use crate::ledger;
use crate::property::{Object, Step, cases, list, runtime, step};
use crate::support::{Home, client};

pub mod named;

/// Takes back the group of a change.
async fn undo(store: &AnyStore, change: i64) -> Result<Undone, Error> {
    let write = Undo::new(Some(change), false);
    Ok(store.write(write, Terms::default()).await?.done)
}

async fn dry_run(store: &AnyStore, change: Option<i64>) -> Result<Undone, Error> {
    let write = Undo::new(change, true);
    Ok(store.write(write, Terms::default()).await?.done)
}

/// Takes back the last group.
async fn undo_last(store: &AnyStore) -> Result<Undone, Error> {
    let write = Undo::new(None, false);
    Ok(store.write(write, Terms::default()).await?.done)
}

/// Deletes a record and returns the group.
async fn delete(store: &AnyStore, noun: &'static Noun, id: i64, cascade: bool) -> i64 {
    let write = Delete::new(noun, id, cascade);
    let outcome = store.write(write, Terms::default()).await.unwrap();
    outcome.group.unwrap()
}

/// Changes a record and returns the group.
async fn change(store: &AnyStore, noun: &'static Noun, id: i64, json: &str) -> i64 {
    let write = Update::new(id, draft(noun, json, Purpose::Update));
    let outcome = store.write(write, Terms::default()).await.unwrap();
    outcome.group.unwrap()
}

/// Creates a record and returns the group.
async fn made(store: &AnyStore, noun: &'static Noun, json: &str) -> i64 {
    let write = Create::new(draft(noun, json, Purpose::Create), OnDuplicate::Create);
    let outcome = store.write(write, Terms::default()).await.unwrap();
    outcome.group.unwrap()
}

/// All records without the time of their last change.
pub async fn state(store: &AnyStore) -> Vec<String> {
    let mut all = Vec::new();
    for noun in NOUNS {
        for record in list(store, noun, "").await.0 {
            all.push(format!("{} {}", noun.name, kept(&record)));
        }
    }
    all
}

/// What an undo gives back of a record.
fn kept(record: &Record) -> String {
    let mut object: Object = serde_json::from_str(&record.to_json()).unwrap();
    object.shift_remove("updated_at");
    serde_json::Value::Object(object).to_string()
}

/// A lead with two actions and two processes; another lead with a process whose last action is one of those.
async fn fill(store: &AnyStore) {
    create(
        store,
        &LEAD,
        r#"{"email":"ada@b.cc","name":"Ada","attributes":{"n":1.50,"a":{"b":[1]}}}"#,
    )
    .await;
    create(store, &LEAD, r#"{"email":"bob@b.cc"}"#).await;
    create(
        store,
        &ACTION,
        r#"{"lead_id":1,"action_type":"call","details":"é\u0001"}"#,
    )
    .await;
    create(store, &ACTION, r#"{"lead_id":1,"action_type":"mail"}"#).await;
    create(
        store,
        &PROCESS,
        r#"{"name":"p","lead_id":1,"last_action_id":1}"#,
    )
    .await;
    create(store, &PROCESS, r#"{"name":"q","lead_id":1}"#).await;
    create(
        store,
        &PROCESS,
        r#"{"name":"r","lead_id":2,"last_action_id":2,"next_followup_datetime":"2026-01-02"}"#,
    )
    .await;
}

pub async fn an_undo_gives_back_what_was(store: AnyStore) {
    fill(&store).await;
    let before = state(&store).await;
    let lead = store.get(&LEAD, 1).await.unwrap();
    let other = store.get(&PROCESS, 3).await.unwrap();
    let group = delete(&store, &LEAD, 1, true).await;
    assert_eq!(ids(&store, &ACTION, "").await, Vec::<i64>::new());

    let after = state(&store).await;
    let shown = dry_run(&store, Some(group)).await.unwrap();
    assert_eq!((shown.change, shown.changes, shown.left), (None, 6, 0));
    assert_eq!(state(&store).await, after);
    let undone = undo(&store, group).await.unwrap();
    assert_eq!((undone.undoes, undone.changes, undone.left), (group, 6, 0));
    assert_eq!(
        (undone.by.as_str(), undone.operation.as_str()),
        shown_author(&shown)
    );
    assert_eq!(undone.records, shown.records);
    let told: Vec<(&str, i64, Fate)> = undone
        .records
        .iter()
        .map(|record| (record.kind.as_str(), record.id, record.fate))
        .collect();
    assert_eq!(
        told,
        [
            ("lead", 1, Fate::Restored),
            ("action", 1, Fate::Restored),
            ("action", 2, Fate::Restored),
            ("process", 1, Fate::Restored),
            ("process", 2, Fate::Restored),
            ("process", 3, Fate::ChangedBack),
        ]
    );
    assert_eq!(undone.records[5].fields, ["last_action_id"]);
    assert_eq!(state(&store).await, before);

    // No version comes twice, so what was read before is stale.
    let restored = store.get(&LEAD, 1).await.unwrap();
    assert!(restored.version() > lead.version());
    assert!(store.get(&PROCESS, 3).await.unwrap().version() > other.version());
    let stale = Terms {
        versions: Some(Versions::Of(vec![lead.tag()])),
        ..Terms::default()
    };
    let write = Update::new(1, draft(&LEAD, r#"{"name":"x"}"#, Purpose::Update));
    let error = store.write(write, stale).await.unwrap_err();
    assert_eq!(error.code, Code::Stale);
    // The restored record goes on as any other, and a new one gets a new id.
    update(&store, &LEAD, 1, r#"{"status":"won"}"#).await;
    assert_eq!(create(&store, &LEAD, r#"{"email":"c@b.cc"}"#).await.id(), 3);

    // A created record goes, and an update is changed back field by field, attributes whole.
    let group = made(&store, &ACTION, r#"{"lead_id":2,"action_type":"call"}"#).await;
    let undone = undo(&store, group).await.unwrap();
    assert_eq!(undone.records[0].fate, Fate::Deleted);
    assert_eq!(
        store.get(&ACTION, 3).await.unwrap_err().code,
        Code::NotFound
    );
    let before = store.get(&LEAD, 1).await.unwrap();
    let group = change(
        &store,
        &LEAD,
        1,
        r#"{"name":null,"attributes":{"a":null,"z":2}}"#,
    )
    .await;
    let undone = undo(&store, group).await.unwrap();
    assert_eq!(undone.records[0].fields, ["name", "attributes"]);
    let after = store.get(&LEAD, 1).await.unwrap();
    assert_eq!(kept(&after), kept(&before));
    assert_eq!(text(&after, "attributes"), r#"{"n":1.50,"a":{"b":[1]}}"#);
    assert_eq!(after.version(), before.version() + 2);
}

fn shown_author(shown: &Undone) -> (&str, &str) {
    (&shown.by, &shown.operation)
}

pub async fn an_undo_can_be_undone(store: AnyStore) {
    fill(&store).await;
    let before = state(&store).await;
    let group = delete(&store, &LEAD, 1, true).await;
    let after = state(&store).await;
    let mut last = group;
    for round in 0..3 {
        let undone = undo(&store, last).await.unwrap();
        let taken = undo(&store, last).await.unwrap_err();
        assert_eq!(taken.code, Code::Conflict);
        let change = undone.change.unwrap();
        assert!(
            taken.message.contains(&format!("by change {change}")),
            "{taken}"
        );
        let expected = if round % 2 == 0 { &before } else { &after };
        assert_eq!(&state(&store).await, expected, "{round}");
        last = change;
    }
    // The first group is taken back by the third undo. Once that is taken back, it can be taken back again itself.
    let taken = undo(&store, group).await.unwrap_err();
    assert!(taken.message.contains(&format!("by change {last}")) || taken.code == Code::Conflict);
    undo(&store, last).await.unwrap();
    assert_eq!(state(&store).await, after);
    undo(&store, group).await.unwrap();
    assert_eq!(state(&store).await, before);
    // A change that is not the first one names the group too.
    let group = delete(&store, &LEAD, 1, true).await;
    let undone = undo(&store, group + 1).await.unwrap();
    assert_eq!(undone.undoes, group);
    for (change, told) in [
        (1_000_000, "no change has the number 1000000"),
        (i64::MAX, "no change"),
    ] {
        let error = undo(&store, change).await.unwrap_err();
        assert_eq!(error.code, Code::NotFound);
        assert!(error.message.contains(told), "{error}");
    }
}

pub async fn the_last_group_is_taken_back_first(store: AnyStore) {
    let error = undo_last(&store).await.unwrap_err();
    assert_eq!(error.code, Code::NotFound);
    create(&store, &LEAD, r#"{"email":"a@b.cc","name":"one"}"#).await;
    update(&store, &LEAD, 1, r#"{"name":"two"}"#).await;
    update(&store, &LEAD, 1, r#"{"name":"three"}"#).await;
    let name = async || text(&store.get(&LEAD, 1).await.unwrap(), "name");
    let shown = dry_run(&store, None).await.unwrap();
    let undone = undo_last(&store).await.unwrap();
    assert_eq!(undone.undoes, shown.undoes);
    assert_eq!(name().await, "two");
    let second = undo_last(&store).await.unwrap();
    assert_eq!(name().await, "one");
    // What is taken back and made again is the last group once more.
    undo(&store, second.change.unwrap()).await.unwrap();
    assert_eq!(name().await, "two");
    undo_last(&store).await.unwrap();
    assert_eq!(name().await, "one");
    undo_last(&store).await.unwrap();
    assert_eq!(ids(&store, &LEAD, "").await, Vec::<i64>::new());
    assert_eq!(undo_last(&store).await.unwrap_err().code, Code::NotFound);
}

pub async fn what_has_changed_since_is_not_taken_back(store: AnyStore) {
    fill(&store).await;
    let group = change(&store, &LEAD, 1, r#"{"name":"x"}"#).await;
    let later = change(&store, &LEAD, 1, r#"{"status":"won"}"#).await;
    let before = state(&store).await;
    for told in [
        undo(&store, group).await,
        dry_run(&store, Some(group)).await,
    ] {
        let error = told.unwrap_err();
        assert_eq!(error.code, Code::Conflict);
        let what = format!("was changed since, by - (change {later})");
        assert_eq!(
            (&*error.problems[0].field, &*error.problems[0].expected),
            ("lead 1", &*what)
        );
        assert!(error.message.contains("nothing was changed"), "{error}");
    }
    assert_eq!(state(&store).await, before);
    // Once the later change is taken back, the earlier one can be.
    undo(&store, later).await.unwrap();
    undo(&store, group).await.unwrap();
    // One record that has changed keeps the whole group.
    let group = delete(&store, &LEAD, 1, true).await;
    change(&store, &PROCESS, 3, r#"{"status":"done"}"#).await;
    let error = undo(&store, group).await.unwrap_err();
    assert_eq!(error.problems[0].field, "process 3");
    assert_eq!(ids(&store, &LEAD, "").await, [2]);
    // A record that is gone.
    let group = change(&store, &LEAD, 2, r#"{"name":"x"}"#).await;
    let gone = delete(&store, &LEAD, 2, true).await;
    let error = undo(&store, group).await.unwrap_err();
    let what = format!("was deleted since, by - (change {})", gone + 1);
    assert_eq!(error.problems[0].expected, what);
}

pub async fn references_keep_a_group_from_being_taken_back(store: AnyStore) {
    let group = made(&store, &LEAD, r#"{"email":"a@b.cc"}"#).await;
    create(&store, &ACTION, r#"{"lead_id":1,"action_type":"call"}"#).await;
    let error = undo(&store, group).await.unwrap_err();
    assert_eq!(error.code, Code::Conflict);
    assert_eq!(error.problems[0].field, "lead 1");
    assert_eq!(error.problems[0].expected, "action 1 refers to it now");
    // The reference that a delete would clear counts as well.
    let action = made(&store, &ACTION, r#"{"action_type":"mail"}"#).await;
    create(&store, &PROCESS, r#"{"name":"p","last_action_id":2}"#).await;
    let error = undo(&store, action).await.unwrap_err();
    assert_eq!(error.problems[0].expected, "process 1 refers to it now");
    // A record cannot come back to a lead that is gone.
    let group = delete(&store, &ACTION, 1, false).await;
    let gone = delete(&store, &LEAD, 1, false).await;
    let error = undo(&store, group).await.unwrap_err();
    let what = format!("refers to lead 1, which was deleted since, by - (change {gone})");
    assert_eq!(
        (
            &*error.problems[0].field,
            error.problems[0].expected.clone()
        ),
        ("action 1", what)
    );
    undo(&store, gone).await.unwrap();
    undo(&store, group).await.unwrap();
    assert_eq!(ids(&store, &ACTION, "lead_id=1").await, [1]);
}

pub async fn an_undo_with_a_key_is_done_once(store: AnyStore) {
    create(&store, &LEAD, r#"{"email":"a@b.cc"}"#).await;
    update(&store, &LEAD, 1, r#"{"name":"x"}"#).await;
    let terms = || Terms {
        key: Some(Key::parse("k", &["0", "POST", "/changes/undo", ""], b"").unwrap()),
        ..Terms::default()
    };
    let write = |terms| store.write(Undo::new(None, false), terms);
    let first: Outcome<Undone> = write(terms()).await.unwrap();
    let second = write(terms()).await.unwrap();
    assert_eq!((first.replayed, second.replayed), (false, true));
    assert_eq!(first.done, second.done);
    assert_eq!(first.group, first.done.change);
    assert_eq!(ids(&store, &LEAD, "").await, [1]);
}

/// What is done in a random history: a step, or the undo of a group that was made before.
#[derive(Clone, Debug)]
enum Act {
    Step(Step),
    Undo(usize),
    Merge(i64, Vec<i64>, Object),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => step().prop_map(Act::Step),
        1 => any::<proptest::sample::Index>().prop_map(|at| Act::Undo(at.index(1 << 16))),
        1 => (1..5_i64, vec(1..5_i64, 1..3), option::of("[a-c]{1,2}")).prop_map(|(keep, others, name)| {
            let fields = name.map(|name| ("name".to_string(), serde_json::Value::from(name)));
            Act::Merge(keep, others, fields.into_iter().collect())
        }),
    ]
}

/// Does it, and returns its group. What is refused has none.
async fn acted(store: &AnyStore, act: &Act, groups: &[i64]) -> Option<i64> {
    let draft = |noun, given: &Object, purpose| {
        let json = serde_json::Value::Object(given.clone()).to_string();
        Draft::from_json(noun, json.as_bytes(), purpose).unwrap()
    };
    let terms = Terms::default();
    match act {
        Act::Undo(_) if groups.is_empty() => None,
        Act::Undo(at) => undo(store, groups[at % groups.len()]).await.ok()?.change,
        Act::Step(Step::Get(..)) => None,
        Act::Merge(keep, others, fields) => {
            let body = serde_json::json!({"others": others, "fields": fields}).to_string();
            let write = Merge::new(*keep, &body, false).ok()?;
            store.write(write, terms).await.ok()?.group
        }
        Act::Step(Step::Create(noun, given, on)) => {
            let write = Create::new(draft(noun, given, Purpose::Create), *on);
            store.write(write, terms).await.ok()?.group
        }
        Act::Step(Step::Update(noun, id, given)) => {
            let write = Update::new(*id, draft(noun, given, Purpose::Update));
            store.write(write, terms).await.ok()?.group
        }
        Act::Step(Step::Delete(noun, id, cascade)) => {
            let write = Delete::new(noun, *id, *cascade);
            store.write(write, terms).await.ok()?.group
        }
    }
}

/// The contents that each ETag of each record has had.
#[derive(Default)]
struct Seen(HashMap<(&'static str, i64, String), String>);

impl Seen {
    /// No ETag stands for two contents.
    async fn look(&mut self, store: &AnyStore) {
        for noun in NOUNS {
            for record in list(store, noun, "").await.0 {
                let record = store.get(noun, record.id()).await.unwrap();
                let key = (noun.name, record.id(), record.tag().text());
                let json = record.to_json();
                let had = self.0.entry(key.clone()).or_insert_with(|| json.clone());
                assert_eq!(*had, json, "{key:?}");
            }
        }
    }
}

/// The law: what is undone group by group in reverse gives the first state, and undone twice gives the second. Answers how
/// many groups were made.
async fn law(store: &AnyStore, before: &[Step], acts: &[Act]) -> Result<usize, TestCaseError> {
    let mut seen = Seen::default();
    for step in before {
        acted(store, &Act::Step(step.clone()), &[]).await;
    }
    let first = state(store).await;
    let mut groups = Vec::new();
    for act in acts {
        groups.extend(acted(store, act, &groups).await);
        seen.look(store).await;
    }
    let second = state(store).await;
    let made = groups.len();
    for (expected, round) in [(&first, "once"), (&second, "twice")] {
        let mut undone = Vec::new();
        for group in groups.iter().rev() {
            let told = undo(store, *group).await;
            prop_assert!(told.is_ok(), "{} of {:?}: {:?}", group, groups, told);
            undone.extend(told.unwrap().change);
            seen.look(store).await;
        }
        prop_assert_eq!(&state(store).await, expected, "{}", round);
        groups = undone;
    }
    Ok(made)
}

/// Tries the law with random histories, and says how many groups that were. `try_one` gets the histories, the first of which
/// is left as it is, and whether a command makes them.
fn holds(
    what: &str,
    config: ProptestConfig,
    longest: usize,
    try_one: impl AsyncFn(&[Step], &[Act], bool) -> Result<usize, TestCaseError>,
) {
    let (number, begun, made) = (config.cases, Instant::now(), Cell::new(0));
    let input = (vec(step(), 0..12), vec(act(), 1..longest), any::<bool>());
    let mut runner = TestRunner::new(config);
    let ran = runner.run(&input, |(before, acts, as_command)| {
        made.set(made.get() + runtime().block_on(try_one(&before, &acts, as_command))?);
        Ok(())
    });
    if let Err(error) = ran {
        panic!("{error}");
    }
    let line = format!(
        "undo: {} groups on {what} made, taken back and made again, in {number} histories ({:.0?})\n",
        made.get(),
        begun.elapsed()
    );
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

#[test]
fn undone_is_as_before_and_undone_twice_as_after() {
    holds("SQLite", cases(40), 80, async |before, acts, as_command| {
        let home = Home::new();
        let path = home.path("crm.db");
        // A command runs the triggers of the file, a server does not.
        let store = match as_command {
            true => AnyStore::open(&path, Work::Command).unwrap().0,
            false => AnyStore::Sqlite(Sqlite::open_unsynced(&path).unwrap()),
        };
        let made = law(&store, before, acts).await?;
        store.close().await.unwrap();
        ledger::agrees(path.to_str().unwrap()).await;
        Ok(made)
    });
}

#[test]
fn on_postgres_too() {
    holds("PostgreSQL", cases(4), 80, async |before, acts, _| {
        let Some(url) = cluster::schema().await else {
            return Ok(0);
        };
        let store = AnyStore::Postgres(Postgres::open(&url, CONNECTIONS).await.unwrap());
        let made = law(&store, before, acts).await?;
        store.close().await.unwrap();
        ledger::agrees(&url).await;
        Ok(made)
    });
}

/// A SQLite file whose lead 1 has many actions that another program has inserted.
async fn with_many(home: &Home, count: i64) -> AnyStore {
    let path = home.path("crm.db");
    let open = || AnyStore::Sqlite(Sqlite::open_unsynced(&path).unwrap());
    let store = open();
    create(&store, &LEAD, r#"{"email":"a@b.cc"}"#).await;
    store.close().await.unwrap();
    let file = rusqlite::Connection::open(&path).unwrap();
    let sql = format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count}) \
         INSERT INTO actions (lead_id, action_type, timestamp, attributes, created_at, updated_at, version) \
         SELECT 1, 'call', '2026-01-02 03:04:05', '{{}}', '2026-01-02 03:04:05', '2026-01-02 03:04:05', 1 FROM n"
    );
    file.execute(&sql, []).unwrap();
    // What crm would have kept.
    let newest = "UPDATE leads SET last_action_at = '2026-01-02 03:04:05'";
    file.execute(newest, []).unwrap();
    open()
}

/// A group of more changes than one transaction takes back.
async fn in_portions(store: &AnyStore, reopen: impl AsyncFn() -> AnyStore) {
    let before = state(store).await;
    let group = delete(store, &LEAD, 1, true).await;
    let shown = dry_run(store, None).await.unwrap();
    assert_eq!(
        (shown.undoes, shown.changes, shown.left),
        (group, 10_000, 501)
    );
    let first = undo_last(store).await.unwrap();
    assert_eq!(
        (first.undoes, first.changes, first.left),
        (group, 10_000, 501)
    );
    assert_eq!(first.records.len(), 10_000);
    // It goes on after an interruption, and the changes join the same group.
    let store = reopen().await;
    let error = store
        .write(Undo::new(Some(group), false), {
            let mut terms = Terms::default();
            terms.author.group = first.change;
            terms
        })
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::Invalid);
    let shown = dry_run(&store, None).await.unwrap();
    assert_eq!((shown.undoes, shown.changes, shown.left), (group, 501, 0));
    // What is taken back in part can be made again, and taken back from the beginning.
    let again = undo(&store, first.change.unwrap()).await.unwrap();
    assert_eq!((again.changes, again.left), (10_000, 0));
    assert_eq!(ids(&store, &ACTION, "").await, Vec::<i64>::new());
    let first = undo(&store, group).await.unwrap();
    assert_eq!((first.changes, first.left), (10_000, 501));
    let last = undo_last(&store).await.unwrap();
    assert_eq!((last.undoes, last.changes, last.left), (group, 501, 0));
    assert_eq!(last.change, first.change);
    assert_eq!(state(&store).await, before);
    assert_eq!(undo(&store, group).await.unwrap_err().code, Code::Conflict);
    // The undo is as large. While it is taken back in part, nothing else is done with its group.
    let change = first.change.unwrap();
    assert_eq!(undo(&store, change).await.unwrap().left, 501);
    let blocked = undo(&store, group).await.unwrap_err();
    assert!(blocked.message.contains("taken back in part"), "{blocked}");
    assert_eq!(undo(&store, change).await.unwrap().left, 0);
    assert_eq!(ids(&store, &LEAD, "").await, Vec::<i64>::new());
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_large_group_is_taken_back_in_portions() {
    let home = Home::new();
    let store = with_many(&home, 10_500).await;
    let path = home.path("crm.db");
    let again = store.clone();
    in_portions(&store, async || {
        again.close().await.unwrap();
        AnyStore::Sqlite(Sqlite::open_unsynced(&path).unwrap())
    })
    .await;
}

#[tokio::test]
async fn a_large_group_is_taken_back_in_portions_on_postgres() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let open = async || AnyStore::Postgres(Postgres::open(&url, CONNECTIONS).await.unwrap());
    let store = open().await;
    create(&store, &LEAD, r#"{"email":"a@b.cc"}"#).await;
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let sql = "INSERT INTO actions (lead_id, action_type, timestamp, attributes, created_at, updated_at, version) \
               SELECT 1, 'call', '2026-01-02 03:04:05', '{}', '2026-01-02 03:04:05', '2026-01-02 03:04:05', 1 \
               FROM generate_series(1, 10500); \
               UPDATE leads SET last_action_at = '2026-01-02 03:04:05'";
    client.batch_execute(sql).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    in_portions(&store, open).await;
}

#[tokio::test]
async fn of_two_that_take_back_the_same_group_one_does() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let store = AnyStore::Postgres(Postgres::open(&url, CONNECTIONS).await.unwrap());
    fill(&store).await;
    let before = state(&store).await;
    for _ in 0..5 {
        let group = delete(&store, &LEAD, 1, true).await;
        let twins = (0..4).map(|_| undo(&store, group));
        let twins = futures_util::future::join_all(twins).await;
        let done = twins.iter().filter(|twin| twin.is_ok()).count();
        assert_eq!(done, 1, "{twins:?}");
        for twin in twins.into_iter().filter_map(Result::err) {
            assert_eq!(twin.code, Code::Conflict, "{twin}");
        }
        assert_eq!(state(&store).await, before);
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn what_other_programs_do_is_told_and_kept() {
    let home = Home::new();
    let path = home.path("crm.db");
    let (store, _) = AnyStore::open(&path, Work::Command).unwrap();
    fill(&store).await;
    let file = rusqlite::Connection::open(&path).unwrap();
    let sql = |sql: &str| {
        file.execute(sql, []).unwrap();
    };
    let told = |error: Error| error.problems[0].expected.clone();

    let group = change(&store, &LEAD, 1, r#"{"name":"x"}"#).await;
    sql("UPDATE leads SET status = 'won' WHERE id = 1");
    let error = undo(&store, group).await.unwrap_err();
    assert_eq!(told(error), "was changed since, by another program");
    // Between two changes, of which the later one is taken back.
    let group = change(&store, &LEAD, 2, r#"{"name":"x"}"#).await;
    sql("UPDATE leads SET status = 'won' WHERE id = 2");
    let later = change(&store, &LEAD, 2, r#"{"name":"y"}"#).await;
    undo(&store, later).await.unwrap();
    let error = undo(&store, group).await.unwrap_err();
    assert_eq!(told(error), "was changed since, by another program");
    assert_eq!(text(&store.get(&LEAD, 2).await.unwrap(), "status"), "won");
    // Made anew with the id of one that was deleted, and deleted by another program.
    let group = delete(&store, &ACTION, 2, false).await;
    sql(
        "INSERT INTO actions (id, action_type, timestamp, attributes, created_at, updated_at) \
         VALUES (2, 'x', '2026-01-02 03:04:05', '{}', '2026-01-02 03:04:05', '2026-01-02 03:04:05')",
    );
    let error = undo(&store, group).await.unwrap_err();
    assert_eq!(told(error), "is there again since, by another program");
    sql("DELETE FROM actions WHERE id = 2");
    undo(&store, group).await.unwrap();
    let group = change(&store, &PROCESS, 2, r#"{"status":"x"}"#).await;
    sql("DELETE FROM processes WHERE id = 2");
    let error = undo(&store, group).await.unwrap_err();
    assert_eq!(told(error), "was deleted since, by another program");

    // Changes that another program has damaged.
    for damage in [
        "record = '{', previous = 'x'",
        "record = CAST(x'ff' AS TEXT), previous = CAST(x'ff' AS TEXT)",
        "record = '{}', previous = '{\"colour\":1}'",
        "record = '{\"id\":7}', previous = '{\"status\":null}'",
    ] {
        for group in [
            change(&store, &PROCESS, 1, r#"{"status":"x"}"#).await,
            delete(&store, &PROCESS, 1, false).await,
        ] {
            file.execute_batch(&format!(
                "CREATE TEMP TABLE IF NOT EXISTS kept (seq, record, previous); DELETE FROM kept; \
                 INSERT INTO kept SELECT seq, record, previous FROM crm_changes WHERE seq = {group}; \
                 UPDATE crm_changes SET {damage} WHERE seq = {group}"
            ))
            .unwrap();
            let error = undo(&store, group).await.unwrap_err();
            assert_eq!(error.code, Code::Conflict, "{error}");
            assert!(
                error
                    .message
                    .contains(&format!("change {group} cannot be read"))
                    || error.message.contains("was deleted since"),
                "{error}"
            );
            file.execute_batch(
                "UPDATE crm_changes SET (record, previous) = (SELECT record, previous FROM kept) \
                 WHERE seq = (SELECT seq FROM kept)",
            )
            .unwrap();
        }
        undo_last(&store).await.unwrap();
        undo_last(&store).await.unwrap();
    }
    // An erasure leaves the id alone.
    let group = delete(&store, &PROCESS, 1, false).await;
    sql(&format!(
        "UPDATE crm_changes SET record = '{{\"id\":1}}', previous = NULL WHERE seq = {group}"
    ));
    let error = undo(&store, group).await.unwrap_err();
    assert_eq!(error.code, Code::Conflict);
    assert!(error.message.contains("was erased"), "{error}");
    // A change of a kind that cannot be taken back, and a group whose beginning is not kept.
    let group = delete(&store, &LEAD, 1, true).await;
    sql(&format!(
        "UPDATE crm_changes SET type = 'lead.erased' WHERE seq = {}",
        group + 1
    ));
    let error = undo(&store, group).await.unwrap_err();
    assert!(error.message.contains("has erased lead"), "{error}");
    sql(&format!("DELETE FROM crm_changes WHERE seq <= {group}"));
    let error = undo(&store, group + 1).await.unwrap_err();
    assert_eq!(error.code, Code::Gone);
    assert!(error.message.contains("no longer kept"), "{error}");
    let error = undo(&store, 1).await.unwrap_err();
    assert_eq!(error.code, Code::Gone);
    store.close().await.unwrap();
}

#[tokio::test]
async fn no_more_than_fifty_records_are_named() {
    let home = Home::new();
    let store = with_many(&home, 60).await;
    let group = delete(&store, &LEAD, 1, true).await;
    store.close().await.unwrap();
    let file = rusqlite::Connection::open(home.path("crm.db")).unwrap();
    let sql = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 60) \
               INSERT INTO actions (id, action_type, timestamp, attributes, created_at, updated_at) \
               SELECT n, 'x', '2026-01-02 03:04:05', '{}', '2026-01-02 03:04:05', '2026-01-02 03:04:05' FROM n";
    file.execute(sql, []).unwrap();
    let (store, _) = AnyStore::open(&home.path("crm.db"), Work::Command).unwrap();
    let error = undo(&store, group).await.unwrap_err();
    assert_eq!(error.problems.len(), 50);
    assert!(error.message.ends_with("and 10 more"), "{error}");
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http_the_last_group_is_that_of_the_token() {
    let home = Home::new();
    let token = |name: &str, scope: &str| {
        let line = ["token", "create", name, "--scope", scope, "--db", "crm.db"];
        home.crm(line).ok().trim().to_string()
    };
    let (ada, bob, reader) = (
        token("ada", "write"),
        token("bob", "write"),
        token("r", "read"),
    );
    let server = home.serve(&["--db", "crm.db"]);
    let ask = async |token: &str, method: &str, path: &str, body: &str| {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = client().request(method, format!("{}{path}", server.url));
        let request = request
            .header("content-type", "application/json")
            .bearer_auth(token)
            .body(body.to_string());
        let answer = request.send().await.unwrap();
        let group = answer.headers().get("change-group").cloned();
        let group = group.map(|group| group.to_str().unwrap().parse::<i64>().unwrap());
        let status = answer.status().as_u16();
        let json: serde_json::Value =
            serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        (status, group, json)
    };
    let (_, made, _) = ask(&ada, "POST", "/leads", r#"{"email":"a@b.cc"}"#).await;
    let (_, changed, _) = ask(&bob, "PUT", "/leads/1", r#"{"status":"won"}"#).await;
    let last = r#"{"last": true}"#;
    let (status, ..) = ask(&reader, "POST", "/changes/undo", last).await;
    assert_eq!(status, 403);
    let (status, group, json) = ask(&ada, "POST", "/changes/undo?dry_run=true", last).await;
    assert_eq!((status, group), (409, None));
    let told = format!("was changed since, by bob (change {})", changed.unwrap());
    assert_eq!(json["fields"]["lead 1"], told);
    let (status, group, json) = ask(&bob, "POST", "/changes/undo", last).await;
    assert_eq!((status, group), (200, json["change"].as_i64()));
    assert_eq!(
        (json["undoes"].as_i64(), &json["by"]),
        (changed, &"bob".into())
    );
    let records = r#"[{"type":"lead","id":1,"done":"changed back","fields":["status"]}]"#;
    assert_eq!(json["records"].to_string(), records);
    // Another's group, by the number of a change.
    let body = format!(r#"{{"change": {}}}"#, made.unwrap());
    let (status, _, json) = ask(&bob, "POST", "/changes/undo/", &body).await;
    assert_eq!((status, &json["by"]), (200, &"ada".into()));
    let (status, _, json) = ask(&bob, "POST", "/changes/undo", &body).await;
    assert_eq!(status, 409, "{json}");
    for (path, body, status) in [
        ("/changes/undo", "{}", 400),
        ("/changes/undo", r#"{"change": 999}"#, 404),
        ("/changes/undo?dry_run=perhaps", last, 400),
        ("/changes/undo", last, 404),
    ] {
        assert_eq!(
            ask(&bob, "POST", path, body).await.0,
            status,
            "{path} {body}"
        );
    }
    assert_eq!(ask(&bob, "GET", "/changes/undo", "").await.0, 405);
}

#[test]
fn the_command_shows_asks_and_takes_back() {
    let home = Home::new();
    home.line("lead create --email ada@example.com").ok();
    home.line("lead update 1 --status won --name Ada").ok();
    let why = home.line("undo").fails(2);
    assert!(why.contains("--yes"), "{why}");
    let shown = home.line("undo --dry-run").ok();
    let (sentence, records) = shown.split_once('\n').unwrap();
    assert!(sentence.starts_with("change 2 by local:"), "{shown}");
    assert!(
        sentence.ends_with(" (updateLead) would be taken back:"),
        "{shown}"
    );
    assert_eq!(records, "lead 1: changed back: name, status\n");
    let (shown, code) = crate::cli::at_terminal(home.line("undo"), 80, "n\n");
    assert_eq!(code, Some(1));
    for told in [
        "lead 1: changed back: name, status",
        "Take back change 2 by local:",
        "nothing was changed",
    ] {
        assert!(shown.contains(told), "{shown}");
    }
    assert_eq!(
        home.line("lead get 1 -o csv --fields status").ok(),
        "status\nwon\n"
    );
    let (shown, code) = crate::cli::at_terminal(home.line("undo"), 80, "y\n");
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("is taken back, by change 3:"), "{shown}");
    assert_eq!(
        home.line("lead get 1 -o csv --fields status").ok(),
        "status\nnew\n"
    );
    // The undo is taken back by its number, and the commands over several records are one group.
    assert_eq!(home.line("undo 3 --yes -o id").ok(), "4\n");
    home.line("lead create --email bob@example.com").ok();
    home.line("lead update 1 2 --status lost").ok();
    let csv = home.line("undo --yes -o csv").ok();
    assert_eq!(
        csv,
        "type,id,done,fields\nlead,1,changed back,status\nlead,2,changed back,status\n"
    );
    let json: serde_json::Value =
        serde_json::from_str(&home.line("undo --yes -o json").ok()).unwrap();
    assert_eq!(json["records"][0]["done"], "deleted");
    for (line, code, told) in [
        ("undo x --yes", 2, "CHANGE: expected the number of a change"),
        ("undo 0 --yes", 2, "CHANGE: expected"),
        ("undo 99 --yes", 3, "no change has the number 99"),
        ("undo 3 --yes", 5, "taken back already"),
    ] {
        let why = home.line(line).fails(code);
        assert!(why.contains(told), "{line}: {why}");
    }
    let nowhere = Home::new();
    nowhere.line("undo --yes --db none.db").fails(1);
    assert!(!nowhere.path("none.db").exists());
}
