use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::opening::{Opening, Work};
use super::store::Sqlite;
use super::writer::{Undo, now};
use crate::model::field::{ATTRIBUTES, CREATED_AT, Field, ID, LEAD_ID, Presence, UPDATED_AT};
use crate::model::kind::Kind;
use crate::model::lead::LEAD;
use crate::model::noun::{Examples, Noun, Relation};
use crate::model::query::{Query, pairs};
use crate::model::record::Record;
use crate::model::terms::Terms;
use crate::model::value::Value;
use crate::store::contract::Store;
use crate::store::sql::ledger::Ledger;

const fn text(name: &'static str) -> Field {
    Field {
        name,
        old_name: None,
        flag: None,
        kind: Kind::Text,
        presence: Presence::Optional,
        about: "A text",
        example: "text",
    }
}

/// A noun that no step of the schema knows, with more columns than are read without an allocation.
static NOTE: Noun = Noun {
    name: "note",
    plural: "notes",
    title: "Note",
    about: "A note",
    fields: &[
        ID,
        LEAD_ID,
        text("a"),
        text("b"),
        text("c"),
        text("d"),
        text("e"),
        text("f"),
        text("g"),
        text("h"),
        text("i"),
        text("j"),
        text("k"),
        text("l"),
        text("m"),
        ATTRIBUTES,
        CREATED_AT,
        UPDATED_AT,
    ],
    relation: Relation::Table,
    examples: Examples {
        create: &[],
        get: &[],
        list: &[],
        update: &[],
        delete: &[],
    },
};

/// A view over the notes.
static HEADING: Noun = Noun {
    name: "heading",
    plural: "headings",
    title: "Heading",
    about: "The first text of a note",
    fields: &[ID, text("a")],
    relation: Relation::View {
        select: "SELECT id, a, version FROM notes",
        order: "-a",
        feed: false,
        lookup: None,
    },
    examples: NOTE.examples,
};

fn note(id: i64) -> Record {
    let mut values = vec![Value::Int(id), Value::Int(1)];
    values.extend((0..13).map(|at| Value::from(format!("{id}.{at}").as_str())));
    values.push("{}".into());
    values.extend(["2026-01-31 09:30:00", "2026-01-31 09:30:00"].map(Value::from));
    values.push(Value::Int(1));
    Record {
        noun: &NOTE,
        values,
    }
}

async fn all(store: &Sqlite, noun: &'static Noun, query: &str) -> Vec<Record> {
    let query = Query::new(noun, pairs(query).unwrap()).unwrap();
    let mut listing = store.list(query).await.unwrap();
    let mut all = Vec::new();
    while let Some(chunk) = listing.next_chunk().await.unwrap() {
        all.extend(chunk);
    }
    all
}

#[tokio::test]
async fn a_store_is_opened_with_more_nouns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crm.db");
    static MORE: [&Noun; 3] = [&LEAD, &NOTE, &HEADING];
    let opening = Opening::of(Work::Server).with_nouns(&MORE);
    let store = Sqlite::open_with(&path, opening).unwrap().0;
    let mut lead = vec![Value::Int(1), "a@example.com".into(), Value::Null];
    let now_text = "2026-01-31 09:30:00";
    lead.extend(["new", "{}"].map(Value::from));
    lead.push(Value::Null);
    lead.extend([now_text, now_text].map(Value::from));
    let lead = Record {
        noun: &LEAD,
        values: lead,
    };
    store.take(&LEAD, vec![lead]).await.unwrap();
    store.take(&NOTE, vec![note(1), note(2)]).await.unwrap();
    assert_eq!(store.get(&NOTE, 2).await.unwrap(), note(2));
    for query in ["", "limit=5", "sort=-a"] {
        let mut ids: Vec<i64> = all(&store, &NOTE, query)
            .await
            .iter()
            .map(Record::id)
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, [1, 2], "{query}");
        assert_eq!(all(&store, &HEADING, query).await.len(), 2, "{query}");
    }
    // After a check of the file, records are cached, except those of a view.
    let start = Instant::now();
    let cache = store.database().cache.as_ref().unwrap();
    while cache.get(&NOTE, 1).is_none() && start.elapsed() < Duration::from_secs(5) {
        store.get_json(&NOTE, 1).await.unwrap();
        store.get_json(&HEADING, 1).await.unwrap();
    }
    assert!(cache.get(&NOTE, 1).is_some());
    assert!(cache.get(&HEADING, 1).is_none());
    // Another program's change counts.
    let other = Connection::open(&path).unwrap();
    other
        .execute("UPDATE notes SET a = 'changed' WHERE id = 2", [])
        .unwrap();
    assert_eq!(store.get(&NOTE, 2).await.unwrap().version(), 2);
    // A rule knows all nouns.
    let terms = Terms::default();
    let cascade = move |tx: &mut super::writer::SqliteTransaction<'_>| {
        now(Ledger::new(tx, &terms.author).delete(&LEAD, 1, true, &terms))
    };
    store.run(Undo::Savepoint, 0, cascade).await.unwrap();
    assert!(store.get(&NOTE, 1).await.is_err());
    assert_eq!(
        store.get_json(&NOTE, 1).await.unwrap_err().code,
        crate::base::error::Code::NotFound
    );
    store.close().await.unwrap();
    // The file is crm's. Opening it with crm's own nouns leaves the tables of the others unchanged.
    let store = Sqlite::open(&path, Work::Reading).unwrap().0;
    assert!(all(&store, &LEAD, "").await.is_empty());
}

/// A new or restored file has no log yet. Another process may be turning it on at this moment.
#[test]
fn a_file_without_a_log_is_opened_while_another_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crm.db");
    drop(Sqlite::open(&path, Work::Command).unwrap());
    let other = Connection::open(&path).unwrap();
    other
        .query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
        .unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| Sqlite::open(&path, Work::Command).map(drop));
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(200) && !opening.is_finished() {
            std::thread::yield_now();
        }
        other.execute_batch("COMMIT").unwrap();
        opening.join().unwrap().unwrap();
    });
}
