//! The changes: each write of a record has its change, and whoever reads on from a cursor sees each change exactly once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crm::base::error::{Code, Error};
use crm::model::action::ACTION;
use crm::model::author::Author;
use crm::model::draft::Purpose;
use crm::model::lead::LEAD;
use crm::model::process::PROCESS;
use crm::model::query::{Query, pairs};
use crm::model::record::Record;
use crm::model::terms::Terms;
use crm::ops::Records;
use crm::ops::update::Update;
use crm::store::any::AnyStore;
use crm::store::contract::Store;
use crm::store::postgres::{CONNECTIONS, Postgres};
use crm::store::retention::Keep;
use crm::store::sqlite::Work;
use crm::views::changes::CHANGE;
use serde_json::{Value, json};

use crate::cli::Both;
use crate::cluster;
use crate::contract::{create, draft, update};
use crate::support::{Home, Service, client};

/// A page of the changes, and the cursor at its end.
async fn try_page(store: &AnyStore, query: &str) -> Result<(Vec<Record>, Option<String>), Error> {
    let query = Query::new(&CHANGE, pairs(query).unwrap())?;
    let mut listing = store.list(query).await?;
    let mut records = Vec::new();
    while let Some(chunk) = listing.next_chunk().await? {
        records.extend(chunk);
    }
    Ok((records, listing.next))
}

async fn page(store: &AnyStore, query: &str) -> (Vec<Record>, Option<String>) {
    try_page(store, query).await.unwrap()
}

/// The numbers of the changes that match.
async fn seqs(store: &AnyStore, query: &str) -> Vec<i64> {
    let (records, _) = page(store, query).await;
    records.iter().map(Record::id).collect()
}

fn int(change: &Record, field: &str) -> i64 {
    change.get(field).int().unwrap()
}

fn text<'r>(change: &'r Record, field: &str) -> &'r str {
    change.get(field).text().unwrap()
}

/// `type id version`.
fn told(change: &Record) -> String {
    let (id, version) = (int(change, "id"), int(change, "version"));
    format!("{} {id} {version}", text(change, "type"))
}

fn object(change: &Record, field: &str) -> Value {
    serde_json::from_str(text(change, field)).unwrap()
}

pub async fn every_write_has_its_change(store: AnyStore) {
    let digits = r#"{"n":1.50,"big":123456789012345678901234567890}"#;
    let lead = format!(r#"{{"email": "ada@example.com", "name": "Ada", "attributes": {digits}}}"#);
    create(&store, &LEAD, &lead).await;
    create(&store, &ACTION, r#"{"lead_id": 1, "action_type": "call"}"#).await;
    let process = r#"{"lead_id": 1, "name": "Spring", "last_action_id": 1}"#;
    create(&store, &PROCESS, process).await;
    create(&store, &PROCESS, process).await;
    let behalf = Terms {
        author: Author {
            on_behalf_of: Some("ada".into()),
            ..Author::default()
        },
        ..Terms::default()
    };
    let change = r#"{"status": "contacted", "attributes": {"n": null}}"#;
    let write = Update::new(1, draft(&LEAD, change, Purpose::Update));
    let group = store.write(write, behalf).await.unwrap().group;
    // What is refused has no change.
    store.delete(&LEAD, 1, false).await.unwrap_err();
    store.delete(&ACTION, 1, false).await.unwrap();
    store.delete(&LEAD, 1, true).await.unwrap();

    let (changes, _) = page(&store, "").await;
    let all: Vec<String> = changes.iter().map(told).collect();
    assert_eq!(
        all,
        [
            "lead.created 1 1",
            "action.created 1 1",
            "process.created 1 1",
            "process.created 2 1",
            "lead.updated 1 2",
            "process.updated 1 2",
            "process.updated 2 2",
            "action.deleted 1 1",
            "process.deleted 1 2",
            "process.deleted 2 2",
            "lead.deleted 1 2",
        ]
    );
    let numbers: Vec<i64> = changes.iter().map(Record::id).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    // Each request is a group, which its first change names.
    let groups: Vec<i64> = changes.iter().map(|one| int(one, "group")).collect();
    let firsts = [0, 1, 2, 3, 4, 5, 5, 5, 8, 8, 8].map(|at| numbers[at]);
    assert_eq!(groups, firsts);
    assert_eq!(group, Some(groups[4]));
    for (at, change) in changes.iter().enumerate() {
        assert_eq!(text(change, "by"), "-");
        let behalf = change.get("on_behalf_of").text();
        assert_eq!(behalf, (at == 4).then_some("ada"), "{at}");
        assert_eq!(object(change, "record")["id"], int(change, "id"));
        let is_update = text(change, "type").ends_with(".updated");
        assert_eq!(change.get("previous").text().is_some(), is_update, "{at}");
        assert!(text(change, "at") >= "2026-01-01 00:00:00");
    }
    // The record is whole, after the change, and to the digit.
    let created = text(&changes[0], "record");
    assert!(
        created.contains(&format!(r#""attributes":{digits}"#)),
        "{created}"
    );
    let updated = object(&changes[4], "record");
    assert_eq!(updated["status"], "contacted");
    assert_eq!(updated["name"], "Ada");
    let previous = text(&changes[4], "previous");
    assert!(
        previous.contains(&format!(r#""attributes":{digits}"#)),
        "{previous}"
    );
    let previous = object(&changes[4], "previous");
    let mut changed: Vec<&String> = previous.as_object().unwrap().keys().collect();
    changed.sort();
    assert_eq!(changed, ["attributes", "status", "updated_at"]);
    assert_eq!(previous["status"], "new");
    // A reference that a delete clears is a change of the record that has it.
    for cleared in [&changes[5], &changes[6]] {
        assert_eq!(object(cleared, "record")["last_action_id"], Value::Null);
        assert_eq!(object(cleared, "previous")["last_action_id"], 1);
    }
    // Of a delete, the record as it was before.
    assert_eq!(object(&changes[7], "record")["action_type"], "call");
    assert_eq!(object(&changes[10], "record")["email"], "ada@example.com");
}

pub async fn changes_are_filtered(store: AnyStore) {
    create(&store, &LEAD, r#"{"email": "ada@example.com"}"#).await;
    create(&store, &LEAD, r#"{"email": "bob@example.com"}"#).await;
    create(&store, &ACTION, r#"{"lead_id": 2, "action_type": "call"}"#).await;
    update(&store, &LEAD, 2, r#"{"name": "Bob"}"#).await;
    store.delete(&LEAD, 2, true).await.unwrap();
    let all = seqs(&store, "").await;
    assert_eq!(all.len(), 6);
    let group = all[4];
    for (query, expected) in [
        ("type=lead.*", &[0, 1, 3, 5][..]),
        ("type=eq:action.*", &[2, 4]),
        ("type=ne:lead.*", &[2, 4]),
        ("type=in:action.*,lead.updated", &[2, 3, 4]),
        ("type=like:%25.deleted", &[4, 5]),
        ("type=like:lead", &[]),
        ("type=database.restored", &[]),
        ("id=2", &[1, 3, 5]),
        ("id=2&type=lead.*&sort=-seq", &[5, 3, 1]),
        ("by=-", &[0, 1, 2, 3, 4, 5]),
        ("by=ci", &[]),
        ("on_behalf_of=is:null&at=gte:2026-01-01&version=2", &[3, 5]),
        ("record=like:%25BOB@example%25", &[1, 3, 5]),
        ("previous=is:notnull", &[3]),
        ("q=action", &[2, 4]),
        ("sort=type,-seq", &[2, 4, 5, 1, 0, 3]),
        ("limit=2000&type=lead.*", &[0, 1, 3, 5]),
    ] {
        let expected: Vec<i64> = expected.iter().map(|at| all[*at]).collect();
        // The types of the two databases are the same, and so is the order of what they delete.
        let mut found = seqs(&store, query).await;
        if query.starts_with("sort=type") {
            let kinds = page(&store, query).await.0;
            assert!(kinds.is_sorted_by_key(|one| text(one, "type").to_string()));
            found.sort_unstable();
            assert_eq!(found, all, "{query}");
            continue;
        }
        assert_eq!(found, expected, "{query}");
    }
    // A type that there is not would be waited for in vain.
    for (wrong, got) in [
        ("process.dew", "process.dew"),
        ("ne:lead", "lead"),
        ("in:lead.*,leads.*", "leads.*"),
        ("*", "*"),
        (".*", ".*"),
    ] {
        let error = Query::new(&CHANGE, pairs(&format!("type={wrong}")).unwrap()).unwrap_err();
        assert_eq!(
            error.message,
            format!(
                "type: expected a type like lead.* or lead.created, where the first word is one of lead, action, process and \
                 the second one of created, updated, deleted, erased, or process.due or database.restored, got \"{got}\""
            )
        );
    }
    for query in [
        format!("group={group}"),
        format!("group={group}&limit=2"),
        format!("group={group}&limit=2&sort=-seq"),
        format!("group=in:{group}"),
    ] {
        let mut found = seqs(&store, &query).await;
        found.sort_unstable();
        assert_eq!(found, all[4..], "{query}");
    }
    let query = Query::new(&CHANGE, pairs("type=lead.*&count=true&limit=1").unwrap());
    assert_eq!(store.list(query.unwrap()).await.unwrap().total, Some(4));
    for wrong in [
        "sort=record",
        "sort=previous",
        "seq=x",
        "nothing=1",
        "fields=name",
    ] {
        let error = Query::new(&CHANGE, pairs(wrong).unwrap()).unwrap_err();
        assert_eq!(error.code, Code::Invalid, "{wrong}");
    }
}

pub async fn a_feed_is_read_on_from_its_cursor(store: AnyStore) {
    // Also where there is nothing yet.
    let (none, begin) = page(&store, "").await;
    assert_eq!(none, []);
    let begin = begin.unwrap();
    for number in 0..7 {
        create(&store, &LEAD, &format!(r#"{{"email": "a{number}@b.cc"}}"#)).await;
    }
    let all = seqs(&store, &format!("after={begin}")).await;
    assert_eq!(all.len(), 7);
    for query in [
        "",
        "limit=1",
        "limit=3",
        "limit=7",
        "limit=2000",
        "limit=2&type=lead.*",
    ] {
        let (mut after, mut read) = (begin.clone(), Vec::new());
        loop {
            let (records, next) = page(&store, &format!("{query}&after={after}")).await;
            if records.is_empty() {
                break;
            }
            read.extend(records.iter().map(Record::id));
            after = next.unwrap();
        }
        assert_eq!(read, all, "{query}");
        // The cursor at the end stays where it is.
        let (none, again) = page(&store, &format!("{query}&after={after}")).await;
        assert_eq!((none, again), (Vec::new(), Some(after)), "{query}");
    }
    // A cursor goes to the end also where the filters let nothing pass, and other filters can go on from it.
    let (none, filtered) = page(&store, "type=action.*&limit=2").await;
    assert_eq!(none, []);
    let (none, end) = page(&store, "after=end").await;
    assert_eq!(none, []);
    assert_eq!(filtered, end);
    let end = end.unwrap();
    update(&store, &LEAD, 3, r#"{"name": "Ada"}"#).await;
    let (new, _) = page(&store, &format!("after={end}&fields=type,id,group")).await;
    assert_eq!(new.len(), 1);
    assert_eq!(text(&new[0], "type"), "lead.updated");
    // From the newest on, it is a list like others.
    let mut newest = all.clone();
    newest.reverse();
    let (first, next) = page(&store, "sort=-seq&limit=4&type=lead.created").await;
    let (second, none) = page(
        &store,
        &format!(
            "sort=-seq&limit=4&type=lead.created&after={}",
            next.unwrap()
        ),
    )
    .await;
    let both: Vec<i64> = first.iter().chain(&second).map(Record::id).collect();
    assert_eq!((both, none), (newest, None));
    for wrong in ["after=x", "after=end&sort=-seq", "after=", "after=YTox!"] {
        let error = Query::new(&CHANGE, pairs(wrong).unwrap()).unwrap_err();
        assert_eq!(
            (error.code, &*error.problems[0].field),
            (Code::Invalid, "after")
        );
    }
}

pub async fn a_cursor_of_another_sequence_is_gone(store: AnyStore) {
    create(&store, &LEAD, r#"{"email": "a@b.cc"}"#).await;
    let (_, end) = page(&store, "").await;
    let end = String::from_utf8(URL_SAFE_NO_PAD.decode(end.unwrap()).unwrap()).unwrap();
    let (epoch, seq) = end.split_once(':').unwrap();
    assert_eq!(epoch.len(), 16);
    let beyond = format!("{epoch}:{}", seq.parse::<i64>().unwrap() + 1_000);
    for cursor in [format!("{}:{seq}", "0".repeat(16)), beyond] {
        let cursor = URL_SAFE_NO_PAD.encode(cursor);
        for limit in ["", "&limit=5", "&limit=5000"] {
            let error = try_page(&store, &format!("after={cursor}{limit}")).await;
            let error = error.unwrap_err();
            assert_eq!(error.code, Code::Gone, "{error}");
            assert!(
                error.message.contains("take a new cursor with after=end"),
                "{error}"
            );
            assert_eq!(error.problems[0].field, "after");
        }
    }
    let kept = try_page(&store, &format!("after={}", URL_SAFE_NO_PAD.encode(&end))).await;
    assert_eq!(kept.unwrap().0, []);
}

/// Writers that commit at once, and a reader that goes on from its cursor.
pub async fn a_reader_misses_no_change(store: AnyStore) {
    const WRITERS: usize = 8;
    const WRITES: usize = 20;
    let (_, begin) = page(&store, "after=end").await;
    let running = Arc::new(AtomicUsize::new(WRITERS));
    let writers = (0..WRITERS).map(|writer| {
        let (store, running) = (store.clone(), running.clone());
        tokio::spawn(async move {
            for number in 0..WRITES {
                let json = format!(r#"{{"email": "w{writer}n{number}@b.cc"}}"#);
                let lead = create(&store, &LEAD, &json).await;
                // Several changes in one transaction.
                if number % 4 == 0 {
                    let json = format!(r#"{{"lead_id": {}, "action_type": "call"}}"#, lead.id());
                    create(&store, &ACTION, &json).await;
                    store.delete(&LEAD, lead.id(), true).await.unwrap();
                }
            }
            running.fetch_sub(1, Ordering::SeqCst);
        })
    });
    let writers: Vec<_> = writers.collect();
    let (mut after, mut read) = (begin.unwrap(), Vec::new());
    loop {
        let is_last = running.load(Ordering::SeqCst) == 0;
        let limit = 1 + read.len() % 9;
        let (records, next) = page(&store, &format!("limit={limit}&after={after}")).await;
        read.extend(records.iter().map(Record::id));
        after = next.unwrap();
        if is_last && records.is_empty() {
            break;
        }
        // A page of a file is read without a wait, and the writers need this thread, too.
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(read.is_sorted_by(|one, next| one < next));
    assert_eq!(read, seqs(&store, "").await);
    assert_eq!(read.len(), WRITERS * (WRITES + 3 * WRITES / 4));
}

/// A transaction that takes a number and commits after a later one: who reads by numbers alone misses it.
#[tokio::test]
async fn a_number_that_appears_late_is_not_missed() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let store = AnyStore::Postgres(Postgres::open(&url, CONNECTIONS).await.unwrap());
    let service = Service::over(store.clone()).await;
    create(&store, &LEAD, r#"{"email": "a@b.cc"}"#).await;
    let (before, cursor) = page(&store, "").await;
    let cursor = cursor.unwrap();
    let last = before[0].id();

    let (late, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    late.batch_execute(
        "BEGIN; SELECT pg_advisory_xact_lock_shared(6517358, (last_value & 2147483647)::int) FROM crm_changes_seq; \
         INSERT INTO crm_changes (seq, record_id, at, author, operation, type, version, record) \
         VALUES (nextval('crm_changes_seq'), 1, '2026-01-01 00:00:00', 'late', 'x', 'lead.updated', 2, '{\"id\":1}')",
    )
    .await
    .unwrap();
    create(&store, &LEAD, r#"{"email": "b@b.cc"}"#).await;
    let (reader, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut by_number = last;
    let mut by_numbers = Vec::new();
    let mut read_by_number = async || {
        let sql = "SELECT seq FROM crm_changes WHERE seq > $1 ORDER BY seq";
        for row in reader.query(sql, &[&by_number]).await.unwrap() {
            by_number = row.get(0);
            by_numbers.push(by_number);
        }
    };
    read_by_number().await;
    // Nothing is listed beyond the one that is late, in no order, and the cursor waits before it.
    for query in [
        "",
        "limit=5",
        "limit=5000",
        "sort=-seq&limit=5",
        "sort=by",
        "q=lead",
    ] {
        assert_eq!(seqs(&store, query).await, [last], "{query}");
    }
    let (none, waiting) = page(&store, &format!("after={cursor}")).await;
    assert_eq!((none, waiting.as_ref()), (Vec::new(), Some(&cursor)));
    let metrics = async || {
        let answer = client()
            .get(format!("{}/metrics", service.url))
            .send()
            .await;
        answer.unwrap().text().await.unwrap()
    };
    let gauge = |metrics: &str, name: &str| -> f64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name}: {metrics}"))
            .trim()
            .parse()
            .unwrap()
    };
    let held = metrics().await;
    assert!(gauge(&held, "crm_changes_delay_seconds ") > 0.0, "{held}");
    assert_eq!(gauge(&held, "crm_changes_horizon "), last as f64);
    assert_eq!(gauge(&held, "crm_changes_newest "), (last + 2) as f64);

    late.batch_execute("COMMIT").await.unwrap();
    read_by_number().await;
    assert_eq!(by_numbers, [last + 2], "the control misses the late one");
    let (both, _) = page(&store, &format!("after={cursor}")).await;
    let both: Vec<i64> = both.iter().map(Record::id).collect();
    assert_eq!(both, [last + 1, last + 2]);
    let free = metrics().await;
    assert_eq!(gauge(&free, "crm_changes_delay_seconds "), 0.0);
    assert_eq!(gauge(&free, "crm_changes_horizon "), (last + 2) as f64);
    service.stop().await;
}

/// A number that was given and never appears is no gap that a reader waits for.
#[tokio::test]
async fn a_number_that_never_appears_keeps_nobody_waiting() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let store = AnyStore::Postgres(Postgres::open(&url, CONNECTIONS).await.unwrap());
    let (late, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let takes_number = "BEGIN; \
         SELECT pg_advisory_xact_lock_shared(6517358, (last_value & 2147483647)::int) FROM crm_changes_seq; \
         SELECT nextval('crm_changes_seq');";
    late.batch_execute(&format!("{takes_number} ROLLBACK"))
        .await
        .unwrap();
    create(&store, &LEAD, r#"{"email": "b@b.cc"}"#).await;
    assert_eq!(seqs(&store, "").await, [2]);
    // A writer of another schema of the database holds nothing back.
    let other = cluster::schema().await.unwrap();
    Postgres::open(&other, CONNECTIONS).await.unwrap();
    let (elsewhere, connection) = tokio_postgres::connect(&other, tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    elsewhere.batch_execute(takes_number).await.unwrap();
    create(&store, &LEAD, r#"{"email": "c@b.cc"}"#).await;
    assert_eq!(seqs(&store, "").await, [2, 3]);
}

/// Changes are removed from the old end. A cursor from before that says so, and a later one goes on.
async fn a_cursor_before_what_is_kept(store: &AnyStore, remove: impl AsyncFn()) {
    let mut cursors = vec![page(store, "").await.1.unwrap()];
    for number in 0..4 {
        create(store, &LEAD, &format!(r#"{{"email": "a{number}@b.cc"}}"#)).await;
        cursors.push(page(store, "").await.1.unwrap());
    }
    let all = seqs(store, "").await;
    // The two oldest.
    remove().await;
    for limit in ["", "&limit=1", "&limit=5000"] {
        for (at, cursor) in cursors.iter().enumerate() {
            let read = try_page(store, &format!("after={cursor}{limit}")).await;
            match at {
                0 | 1 => {
                    let error = read.unwrap_err();
                    assert_eq!(error.code, Code::Gone);
                    assert!(error.message.contains("no longer kept"), "{error}");
                }
                _ => {
                    let found: Vec<i64> = read.unwrap().0.iter().map(Record::id).collect();
                    let expected = if limit == "&limit=1" {
                        &all[at..all.len().min(at + 1)]
                    } else {
                        &all[at..]
                    };
                    assert_eq!(found, expected);
                }
            }
        }
    }
    // Without a cursor nothing was promised.
    assert_eq!(seqs(store, "").await, all[2..]);
}

#[tokio::test]
async fn a_cursor_before_what_a_file_keeps_is_gone() {
    let home = Home::new();
    let (store, _) = AnyStore::open(&home.path("crm.db"), Work::Server).unwrap();
    let file = rusqlite::Connection::open(home.path("crm.db")).unwrap();
    let sql = "DELETE FROM crm_changes WHERE seq <= 2; UPDATE crm_epoch SET removed = 2";
    a_cursor_before_what_is_kept(&store, async || {
        file.execute_batch(sql).unwrap();
    })
    .await;
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_cursor_before_what_postgres_keeps_is_gone() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let store = AnyStore::Postgres(Postgres::open(&url, CONNECTIONS).await.unwrap());
    let name = url.rsplit("%3D").next().unwrap();
    let cluster = cluster::shared().await.unwrap();
    let remove = format!("DELETE FROM {name}.crm_changes WHERE seq <= 2");
    let mark = format!("UPDATE {name}.crm_epoch SET removed = 2");
    a_cursor_before_what_is_kept(&store, async || {
        cluster.run(&remove).await;
        cluster.run(&mark).await;
    })
    .await;
}

/// A write that joins an earlier group takes the lock of the numbers as well: what is not committed yet is not passed over.
#[tokio::test]
async fn a_reader_waits_for_a_write_that_joins_a_group() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let store = AnyStore::Postgres(Postgres::open(&url, CONNECTIONS).await.unwrap());
    let name = url.rsplit("%3D").next().unwrap();
    let cluster = cluster::shared().await.unwrap();
    // An update of a lead waits, after it has taken its number, for who holds the row of `gate`.
    cluster
        .run(&format!(
            "CREATE TABLE {name}.gate (id int); INSERT INTO {name}.gate VALUES (1);
             CREATE FUNCTION {name}.pass() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM id FROM {name}.gate FOR UPDATE; RETURN NULL; END $$;
             CREATE TRIGGER wait AFTER UPDATE ON {name}.leads FOR EACH ROW EXECUTE FUNCTION {name}.pass()"
        ))
        .await;
    create(&store, &LEAD, r#"{"email": "a@b.cc"}"#).await;
    let cursor = page(&store, "after=end").await.1.unwrap();
    let (client, connection) = tokio_postgres::connect(&cluster.url(""), tokio_postgres::NoTls)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let hold = format!("BEGIN; SELECT id FROM {name}.gate FOR UPDATE");
    client.batch_execute(&hold).await.unwrap();
    let joining = {
        let store = store.clone();
        tokio::spawn(async move {
            let mut terms = Terms::default();
            terms.author.group = Some(1);
            let change = draft(&LEAD, r#"{"status": "won"}"#, Purpose::Update);
            store.write(Update::new(1, change), terms).await
        })
    };
    // It has its number once it waits for the row.
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%crm_changes%'
                 AND query LIKE '%UPDATE leads%'";
    while client.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        // Within a transaction, the activity is that of the first look.
        let look = "SELECT pg_stat_clear_snapshot()";
        client.batch_execute(look).await.unwrap();
    }
    create(&store, &LEAD, r#"{"email": "b@b.cc"}"#).await;
    let (early, place) = try_page(&store, &format!("after={cursor}")).await.unwrap();
    client.batch_execute("COMMIT").await.unwrap();
    joining.await.unwrap().unwrap();
    assert_eq!(early.len(), 0, "what comes after it is held back");
    assert_eq!(
        seqs(&store, &format!("after={}", place.unwrap())).await,
        [2, 3]
    );
    drop(client);
    connection.await.unwrap().unwrap();
}

/// A write that is rolled back leaves a number without a change. Nothing was removed for that.
#[tokio::test]
async fn a_number_without_a_change_is_no_gap() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let store = AnyStore::Postgres(Postgres::open(&url, CONNECTIONS).await.unwrap());
    let name = url.rsplit("%3D").next().unwrap();
    let cluster = cluster::shared().await.unwrap();
    let cursor = page(&store, "after=end").await.1.unwrap();
    let skip = format!("SELECT nextval('{name}.crm_changes_seq')");
    cluster.run(&skip).await;
    create(&store, &LEAD, r#"{"email": "a@b.cc"}"#).await;
    assert_eq!(seqs(&store, &format!("after={cursor}")).await, [2]);
}

/// The JSON of an answer.
async fn body(answer: reqwest::Response) -> Value {
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

/// Over HTTP: the header of the cursor, the status of one that is gone, and who made a change.
#[tokio::test]
async fn a_change_names_its_token_and_its_request() {
    let home = Home::new();
    let secret = home
        .crm(["token", "create", "ci", "--scope", "write", "-o", "json"])
        .ok();
    let secret: Value = serde_json::from_str(&secret).unwrap();
    let server = home.serve(&[]);
    let asked = |method, path: &str| {
        let request = client().request(method, format!("{}{path}", server.url));
        request.bearer_auth(secret["token"].as_str().unwrap())
    };
    let created = asked(reqwest::Method::POST, "/leads")
        .header("x-request-id", "request-1")
        .header("on-behalf-of", "ada")
        .header("content-type", "application/json")
        .body(r#"{"email": "ada@example.com"}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(created.status(), 201);
    let group = created.headers()["change-group"]
        .to_str()
        .unwrap()
        .to_string();
    let listed = asked(reqwest::Method::GET, "/changes")
        .send()
        .await
        .unwrap();
    let link = listed.headers()["link"].to_str().unwrap().to_string();
    let changes: Value = body(listed).await;
    let change = &changes[0];
    let at = change["at"].as_str().unwrap();
    let mut record = body(created).await;
    // It follows from the actions, so it is no part of a change.
    record.as_object_mut().unwrap().remove("last_action_at");
    assert_eq!(
        *change,
        json!({
            "seq": 1, "at": at, "by": "ci", "on_behalf_of": "ada", "request_id": "request-1",
            "group": group.parse::<i64>().unwrap(), "operation": "createLead", "type": "lead.created",
            "id": 1, "version": 1, "record": record, "previous": null,
        })
    );
    let next = link.strip_prefix('<').unwrap().split_once('>').unwrap().0;
    let rest = asked(reqwest::Method::GET, &format!("/{next}"))
        .send()
        .await;
    let rest = rest.unwrap();
    assert_eq!(rest.headers()["link"], link);
    assert_eq!(body(rest).await, json!([]));
    let other = URL_SAFE_NO_PAD.encode("0123456789abcdef:1");
    let gone = asked(reqwest::Method::GET, &format!("/changes?after={other}"));
    let gone = gone.send().await.unwrap();
    assert_eq!(gone.status(), 410);
    let gone: Value = body(gone).await;
    assert!(
        gone["fields"]["after"]
            .as_str()
            .unwrap()
            .contains("after=end"),
        "{gone}"
    );
    let single = asked(reqwest::Method::GET, "/changes/1").send().await;
    assert_eq!(single.unwrap().status(), 404);
}

/// What an undo has done is not taken for a change of its own.
#[test]
fn an_undo_is_shown_as_one() {
    let home = Home::new();
    home.line("lead create --email ada@example.com").ok();
    home.line("lead update 1 --status won").ok();
    home.line("undo --yes").ok();
    home.line("lead delete 1 --yes").ok();
    home.line("undo --yes").ok();
    let shown = home.line("changes").ok();
    let ends = [
        "created: ada@example.com",
        "status: new → won",
        "status: won → new (undo)",
        "deleted: ada@example.com",
        "restored: ada@example.com",
    ];
    let lines: Vec<&str> = shown.lines().skip(2).map(str::trim_end).collect();
    assert_eq!(lines.len(), ends.len(), "{shown}");
    for (line, end) in lines.iter().zip(ends) {
        assert!(line.ends_with(end), "{shown}");
    }
}

/// Tables say when, who and what; other formats have everything.
#[test]
fn changes_are_shown_in_a_few_words() {
    let both = Both::with_one_of_each();
    both.ok("crm lead update 1 --status contacted --set company=Globex --set n:=1.50");
    both.ok("crm action delete 1 --yes");
    let what = |table: &str| -> Vec<String> {
        let rows = table.lines().skip(2);
        let rows = rows.map(|line| line.split("  ").filter(|cell| !cell.is_empty()));
        rows.map(|cells| cells.skip(3).map(str::trim).collect::<Vec<_>>().join("|"))
            .collect()
    };
    // The author differs between a file and a server.
    let rows = both
        .run("crm changes --fields type,id,version -o csv")
        .stdout;
    assert_eq!(
        rows.lines().collect::<Vec<_>>(),
        [
            "type,id,version",
            "lead.created,1,1",
            "action.created,1,1",
            "process.created,1,1",
            "lead.updated,1,2",
            "action.deleted,1,1",
        ]
    );
    let local = both.local.shell("crm changes").ok();
    assert!(local.starts_with("seq  when  "), "{local}");
    assert_eq!(
        what(&local),
        [
            "lead 1|created: Ada Lovelace <ada@example.com>",
            "action 1|created: call, Asked for a quote",
            "process 1|created: Spring",
            "lead 1|status: new → contacted, company: Acme → Globex, n: none → 1.50",
            "action 1|deleted: call, Asked for a quote",
        ]
    );
    both.ok("crm lead delete 1 --cascade --yes");
    let history = both.local.shell("crm lead history 1").ok();
    let expected = [
        "lead 1|created: Ada Lovelace <ada@example.com>",
        "lead 1|status: new → contacted, company: Acme → Globex, n: none → 1.50",
        "lead 1|deleted: Ada Lovelace <ada@example.com>",
    ];
    assert_eq!(what(&history), expected);
    for (line, types) in [
        (
            "crm lead history 1",
            &["lead.created", "lead.updated", "lead.deleted"][..],
        ),
        (
            "crm lead history 1 --limit 2",
            &["lead.updated", "lead.deleted"],
        ),
        (
            "crm lead history 1 --limit 2 --type ne:lead.deleted",
            &["lead.created", "lead.updated"],
        ),
        ("crm lead history 1 --at gte:tomorrow", &[]),
        (
            "crm action history 1",
            &["action.created", "action.deleted"],
        ),
        (
            "crm process history 1 --at today --by ne:nobody",
            &["process.created", "process.deleted"],
        ),
    ] {
        let told = both.ok(&format!("{line} -o csv --fields type"));
        assert_eq!(told.lines().skip(1).collect::<Vec<_>>(), types, "{line}");
    }
    both.ok("crm lead create --email bob@example.com");
    let told = both.ok("crm lead history bob@example.com --fields id,type -o ndjson");
    assert_eq!(told, "{\"id\":2,\"type\":\"lead.created\"}\n");
    for (line, code, why) in [
        ("crm lead history 9", 3, "Lead not found"),
        (
            "crm lead history eve@example.com",
            3,
            "no lead has the address",
        ),
        ("crm lead history 1,", 2, "expected the id of a lead"),
        ("crm lead history x", 2, "expected the id of a lead"),
        ("crm lead history 1 --limit 0", 2, "limit: expected"),
        (
            "crm changes --after MDEyMzQ1Njc4OWFiY2RlZjox",
            7,
            "take a new cursor",
        ),
        ("crm changes --after x", 2, "after: expected a cursor"),
    ] {
        let run = both.run(line);
        assert_eq!(run.code, Some(code), "{line}: {}", run.stderr);
        assert!(run.stderr.contains(why), "{line}: {}", run.stderr);
    }
}

/// Waits until a condition on the database holds.
async fn holds(home: &Home, condition: &str) {
    let database = rusqlite::Connection::open(home.path("crm.db")).unwrap();
    let begin = std::time::Instant::now();
    let sql = format!("SELECT {condition}");
    while !database
        .query_row(&sql, [], |row| row.get::<_, bool>(0))
        .unwrap()
    {
        assert!(
            begin.elapsed() < std::time::Duration::from_secs(30),
            "{condition}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_changes_of_a_record_are_found_before_and_after_they_are_indexed() {
    let home = Home::new();
    let (store, _) = AnyStore::open(&home.path("crm.db"), Work::Server).unwrap();
    for number in 1..=1_010 {
        let json = format!(r#"{{"email": "a{number}@b.cc"}}"#);
        create(&store, &LEAD, &json).await;
    }
    update(&store, &LEAD, 5, r#"{"name": "early"}"#).await;
    // Without a pause between the writes, they are added together.
    holds(&home, "changes > 1000 FROM crm_indexed").await;
    holds(
        &home,
        "(SELECT count(*) FROM crm_record_changes) = changes FROM crm_indexed",
    )
    .await;
    update(&store, &LEAD, 5, r#"{"name": "late"}"#).await;
    create(&store, &LEAD, r#"{"email": "last@b.cc"}"#).await;
    assert_eq!(seqs(&store, "id=5").await, [5, 1_011, 1_012]);
    assert_eq!(seqs(&store, "id=5&sort=-seq&limit=1").await, [1_012]);
    assert_eq!(
        seqs(&store, "id=in:5,7,1011").await,
        [5, 7, 1_011, 1_012, 1_013]
    );
    assert_eq!(seqs(&store, "id=ne:5").await.len(), 1_010);
    assert_eq!(seqs(&store, "id=5000").await, [0; 0]);
    assert_eq!(home.crm(["check", "crm.db"]).ok(), "ok\n");
    // What is removed goes from the table too.
    store.keep_changes(Keep::For(std::time::Duration::ZERO));
    holds(
        &home,
        "(SELECT count(*) FROM crm_changes) < 1000 AND NOT EXISTS (SELECT 1 FROM crm_record_changes \
         WHERE seq <= (SELECT removed FROM crm_epoch))",
    )
    .await;
    store.keep_changes(Keep::Forever);
    store.close().await.unwrap();
    assert_eq!(home.crm(["check", "crm.db"]).ok(), "ok\n");
    let database = rusqlite::Connection::open(home.path("crm.db")).unwrap();
    database
        .execute(
            "DELETE FROM crm_record_changes WHERE seq = (SELECT max(seq) FROM crm_record_changes)",
            [],
        )
        .unwrap();
    let found = home.crm(["check", "crm.db"]).run();
    let repair = found
        .stdout
        .split("repair with: ")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap();
    database.execute_batch(repair).unwrap();
    assert_eq!(home.crm(["check", "crm.db"]).ok(), "ok\n");
}
