//! The index beside writers: portions that another process has overtaken, and what a portion removes.

use std::path::Path;

use super::delta::IndexEntry;
use super::slice::{IndexSlice, SliceEnd};
use super::state::{IndexState, Indexed, StoreReads};
use super::{follow, forget};
use crate::base::error::Result;
use crate::model::lead::LEAD;
use crate::model::nouns::NOUNS;
use crate::model::value::Value;
use crate::store::chore::Chore;
use crate::store::sqlite::{Sqlite, Work};
use crate::store::transaction::Transaction;

fn open(folder: &Path) -> Sqlite {
    Sqlite::open(&folder.join("crm.db"), Work::Command)
        .unwrap()
        .0
}

async fn state(store: &Sqlite) -> IndexState {
    IndexState::read(&mut StoreReads(store), &NOUNS)
        .await
        .unwrap()
}

async fn words(store: &Sqlite) -> Vec<String> {
    let sql = "SELECT word FROM crm_search ORDER BY word";
    let rows = store.select(sql, &[]).await.unwrap();
    let word = |row: &Vec<Value>| row[0].text().unwrap().to_string();
    rows.iter().map(word).collect()
}

/// Appends the changes of a lead that is created and changed, as the ledger does.
async fn change(store: &Sqlite, lines: &[(&str, &str, Option<&str>)]) {
    for (kind, record, previous) in lines {
        let sql = "INSERT INTO crm_changes (record_id, at, author, operation, type, version, record, previous) \
                   VALUES (1, '2026-01-01 00:00:00', 'x', 'x', $1, 1, $2, $3)";
        let params = [
            (*kind).into(),
            (*record).into(),
            previous.map_or(Value::Null, Value::from),
        ];
        let write = Plain(sql.into(), params.to_vec());
        store.transact(write).await.unwrap();
    }
}

struct Plain(String, Vec<Value>);

impl Chore for Plain {
    type Done = ();

    async fn run<T: Transaction>(self, tx: &mut T) -> Result<()> {
        tx.execute(&self.0, &self.1).await?;
        Ok(())
    }
}

const ADA: &str = r#"{"id":1,"email":"a@b.cc","name":"Ada","status":"new","attributes":{}}"#;
const EVE: &str = r#"{"id":1,"email":"a@b.cc","name":"Eve","status":"new","attributes":{}}"#;

#[tokio::test]
async fn words_go_with_the_change_that_removes_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    follow::fill(&store, &mut |_, _| ()).await.unwrap();
    assert_eq!(words(&store).await, Vec::<String>::new());
    change(&store, &[("lead.created", ADA, None)]).await;
    follow::fill(&store, &mut |_, _| ()).await.unwrap();
    let with_ada = words(&store).await;
    assert!(with_ada.contains(&"bada".to_string()), "{with_ada:?}");
    // The same words in the same portion stay, and others go.
    let previous = Some(r#"{"name":"Ada"}"#);
    let back = Some(r#"{"name":"Eve"}"#);
    change(
        &store,
        &[
            ("lead.updated", EVE, previous),
            ("lead.updated", ADA, back),
            ("database.restored", "{}", None),
        ],
    )
    .await;
    follow::fill(&store, &mut |_, _| ()).await.unwrap();
    assert_eq!(words(&store).await, with_ada);
    change(&store, &[("lead.updated", EVE, previous)]).await;
    follow::fill(&store, &mut |_, _| ()).await.unwrap();
    let with_eve = words(&store).await;
    assert!(with_eve.contains(&"beve".to_string()) && !with_eve.contains(&"bada".to_string()));
    change(&store, &[("lead.deleted", EVE, None)]).await;
    follow::fill(&store, &mut |_, _| ()).await.unwrap();
    assert_eq!(words(&store).await, Vec::<String>::new());
    assert_eq!(state(&store).await.place, 6);
}

/// A process may be killed after a portion has written the words of a record that is changed and deleted before the next one.
#[tokio::test]
async fn words_of_a_portion_that_broke_off_go_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    follow::fill(&store, &mut |_, _| ()).await.unwrap();
    change(&store, &[("lead.created", ADA, None)]).await;
    let before = state(&store).await;
    follow::fill(&store, &mut |_, _| ()).await.unwrap();
    // As it is if the portion did not come to its end.
    let back = format!("UPDATE crm_search_state SET place = {}", before.place);
    store.transact(Plain(back, Vec::new())).await.unwrap();
    let previous = Some(r#"{"name":"Ada"}"#);
    let lines = [("lead.updated", EVE, previous), ("lead.deleted", EVE, None)];
    change(&store, &lines).await;
    follow::fill(&store, &mut |_, _| ()).await.unwrap();
    assert_eq!(words(&store).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_portion_that_was_overtaken_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    change(&store, &[("lead.created", ADA, None)]).await;
    follow::fill(&store, &mut |_, _| ()).await.unwrap();
    let now = state(&store).await;
    let before = words(&store).await;
    for (place, turn, end) in [
        (now.place - 1, now.turn, SliceEnd::None),
        (now.place, now.turn - 1, SliceEnd::Place(7)),
        (now.place, now.turn, SliceEnd::Rest("leads", 5, 0)),
    ] {
        let slice = IndexSlice {
            place,
            turn,
            entries: vec![IndexEntry {
                block: 1,
                word: "bzzz".into(),
                added: vec![1],
                removed: Vec::new(),
            }],
            end,
        };
        assert!(!store.transact(slice).await.unwrap());
    }
    assert_eq!(words(&store).await, before);
    assert_eq!(state(&store).await, now);
    // An erasure begins a new turn.
    let erase = Forget;
    store.transact(erase).await.unwrap();
    let after = state(&store).await;
    assert_eq!((after.place, after.turn), (now.place, now.turn + 1));
    assert_eq!(words(&store).await, Vec::<String>::new());
}

struct Forget;

impl Chore for Forget {
    type Done = ();

    async fn run<T: Transaction>(self, tx: &mut T) -> Result<()> {
        forget::forget(tx, &[(&LEAD, 1)]).await
    }
}
