//! A fourth noun, which only this file knows, goes through every store; and a view is listed as a noun is.

use crm::base::error::Code;
use crm::model::action::ACTION;
use crm::model::draft::{Draft, Purpose};
use crm::model::field::{ATTRIBUTES, CREATED_AT, Field, ID, LEAD_ID, Presence, UPDATED_AT};
use crm::model::kind::{Kind, OnDelete, Target};
use crm::model::lead::{LEAD, OnDuplicate};
use crm::model::noun::{Examples, Noun, Relation};
use crm::model::process::PROCESS;
use crm::model::query::{Query, pairs};
use crm::model::record::Record;
use crm::ops::Records;
use crm::store::any::AnyStore;
use crm::store::contract::Store;
use crm::store::copy;
use crm::store::postgres::{CONNECTIONS, Postgres, PostgresOptions};
use crm::store::sqlite::{Opening, Sqlite, Work};
use crm::views::followups::FOLLOWUP;

use crate::cluster;
use crate::support::{Home, Service};

const fn text(name: &'static str, presence: Presence) -> Field {
    Field {
        name,
        old_name: None,
        flag: None,
        kind: Kind::Text,
        presence,
        about: "A text",
        example: "a",
    }
}

/// A deal. It has more fields than any noun of crm's own, one reference that keeps its lead, and one that lets go.
static DEAL: Noun = Noun {
    name: "deal",
    plural: "deals",
    title: "Deal",
    about: "Something that is sold to a lead",
    fields: &[
        ID,
        text("name", Presence::Required),
        LEAD_ID,
        Field {
            name: "call_id",
            old_name: None,
            flag: None,
            kind: Kind::Reference(Target {
                name: "action",
                plural: "actions",
                on_delete: OnDelete::SetNull,
            }),
            presence: Presence::Optional,
            about: "The call that won it",
            example: "1",
        },
        text("stage", Presence::Default("open")),
        text("a", Presence::Optional),
        text("b", Presence::Optional),
        text("c", Presence::Optional),
        text("d", Presence::Optional),
        text("e", Presence::Optional),
        text("f", Presence::Optional),
        text("g", Presence::Optional),
        text("h", Presence::Optional),
        text("i", Presence::Optional),
        text("j", Presence::Optional),
        text("k", Presence::Optional),
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

static FOUR: [&Noun; 4] = [&LEAD, &ACTION, &PROCESS, &DEAL];

fn draft(noun: &'static Noun, json: &str, purpose: Purpose) -> Draft {
    Draft::from_json(noun, json.as_bytes(), purpose).unwrap()
}

async fn create(store: &AnyStore, noun: &'static Noun, json: &str) -> Record {
    let draft = draft(noun, json, Purpose::Create);
    store
        .create(draft, OnDuplicate::Create)
        .await
        .unwrap()
        .record
}

async fn list(store: &AnyStore, noun: &'static Noun, query: &str) -> Vec<String> {
    let query = Query::new(noun, pairs(query).unwrap()).unwrap();
    let mut listing = store.list(query).await.unwrap();
    let mut all = Vec::new();
    while let Some(chunk) = listing.next_chunk().await.unwrap() {
        all.extend(chunk.iter().map(Record::to_json));
    }
    all
}

fn sqlite(home: &Home, name: &str, opening: Opening) -> AnyStore {
    let opening = opening.with_nouns(&FOUR);
    AnyStore::Sqlite(Sqlite::open_with(&home.path(name), opening).unwrap().0)
}

fn four() -> PostgresOptions {
    PostgresOptions {
        connections: CONNECTIONS,
        nouns: &FOUR,
    }
}

/// Create, get, list, update and delete.
async fn is_a_noun_as_others_are(store: &AnyStore) {
    for name in ["a", "b"] {
        let json = format!(r#"{{"email": "{name}@example.com"}}"#);
        create(store, &LEAD, &json).await;
    }
    create(store, &ACTION, r#"{"action_type": "call", "lead_id": 2}"#).await;
    let first = create(
        store,
        &DEAL,
        r#"{"name": "first", "lead_id": 1, "call_id": 1, "k": "last"}"#,
    )
    .await;
    assert_eq!((first.id(), first.version()), (1, 1));
    let json = first.to_json();
    assert!(
        json.contains(r#""stage":"open""#) && json.contains(r#""k":"last""#),
        "{json}"
    );
    create(
        store,
        &DEAL,
        r#"{"name": "second", "attributes": {"size": 1.50}}"#,
    )
    .await;
    let missing = draft(&DEAL, r#"{"name": "third", "lead_id": 9}"#, Purpose::Create);
    let missing = store
        .create(missing, OnDuplicate::Create)
        .await
        .unwrap_err();
    assert_eq!(missing.message, "lead_id: no lead has the id 9");
    assert_eq!(store.get(&DEAL, 1).await.unwrap(), first);
    assert_eq!(list(store, &DEAL, "").await.len(), 2);
    for query in [
        "k=last",
        "call_id=1",
        "limit=1",
        "sort=stage,name&limit=1",
        "lead_id=is:notnull",
    ] {
        assert_eq!(list(store, &DEAL, query).await, [json.as_str()], "{query}");
    }
    assert_eq!(list(store, &DEAL, "attributes.size=gte:1.5").await.len(), 1);

    let change = draft(&DEAL, r#"{"stage": "won", "c": "c"}"#, Purpose::Update);
    let changed = store.update(1, change).await.unwrap();
    assert_eq!(changed.version(), 2);
    assert_eq!(store.get(&DEAL, 1).await.unwrap(), changed);

    // Its references are followed: the action is let go of, the lead is kept until the deal goes with it.
    store.delete(&ACTION, 1, false).await.unwrap();
    let free = store.get(&DEAL, 1).await.unwrap();
    assert!(free.to_json().contains(r#""call_id":null"#));
    assert_eq!(free.version(), 3);
    let kept = store.delete(&LEAD, 1, false).await.unwrap_err();
    assert_eq!(kept.code, Code::Conflict);
    assert!(
        kept.message.starts_with("Lead 1 has 1 deal;"),
        "{}",
        kept.message
    );
    store.delete(&LEAD, 1, true).await.unwrap();
    assert_eq!(
        store.get(&DEAL, 1).await.unwrap_err().message,
        "Deal not found"
    );
    store.delete(&DEAL, 2, false).await.unwrap();
    assert!(list(store, &DEAL, "").await.is_empty());
    let next = create(store, &DEAL, r#"{"name": "third", "lead_id": 2}"#).await;
    // What was refused may have used up an id.
    assert!(next.id() > 2);
}

/// Copies a store that has been through it, and compares.
async fn is_copied(from: &AnyStore, to: &AnyStore) {
    let copied = copy::copy(from, to, "there", &mut |_| {}).await.unwrap();
    let counts: Vec<(&str, u64)> = copied.iter().map(|one| (one.0.plural, one.1)).collect();
    assert_eq!(
        counts,
        [("leads", 1), ("actions", 0), ("processes", 0), ("deals", 1)]
    );
    assert_eq!(list(from, &DEAL, "").await, list(to, &DEAL, "").await);
}

#[tokio::test]
async fn a_fourth_noun_in_a_file() {
    let home = Home::new();
    let store = sqlite(&home, "crm.db", Opening::of(Work::Server));
    is_a_noun_as_others_are(&store).await;
    let copy = sqlite(&home, "copy.db", Opening::of(Work::Command).for_copy());
    is_copied(&store, &copy).await;
    let next = create(&copy, &DEAL, r#"{"name": "fourth"}"#).await;
    assert_eq!(next.id(), 4);
    store.close().await.unwrap();
    copy.close().await.unwrap();
}

#[tokio::test]
async fn a_fourth_noun_in_postgres() {
    let (Some(url), Some(other)) = (cluster::schema().await, cluster::schema().await) else {
        return;
    };
    let store = AnyStore::Postgres(Postgres::open(&url, four()).await.unwrap());
    is_a_noun_as_others_are(&store).await;
    let copy = AnyStore::Postgres(Postgres::open_for_copy(&other, four()).await.unwrap());
    is_copied(&store, &copy).await;
    store.close().await.unwrap();
    copy.close().await.unwrap();
}

/// Who is next: open processes with their lead and their last action, by the time of the next follow-up, those without
/// one at the end.
async fn followups(store: &AnyStore) {
    for (name, status) in [("Ada", "new"), ("Bob", "contacted")] {
        let json =
            format!(r#"{{"email": "{name}@example.com", "name": "{name}", "status": "{status}"}}"#);
        create(store, &LEAD, &json).await;
    }
    create(
        store,
        &ACTION,
        r#"{"action_type": "call", "lead_id": 2, "timestamp": "2026-01-05 10:00:00"}"#,
    )
    .await;
    for process in [
        r#"{"name": "none", "lead_id": 1}"#,
        r#"{"name": "late", "lead_id": 1, "next_followup_datetime": "2026-03-01"}"#,
        r#"{"name": "soon", "lead_id": 2, "last_action_id": 1, "channel": "phone", "next_followup_datetime": "2026-02-01 09:30:00"}"#,
        r#"{"name": "over", "lead_id": 2, "status": "Done", "next_followup_datetime": "2026-01-01"}"#,
        r#"{"name": "alone", "next_followup_datetime": "2026-04-01"}"#,
        r#"{"name": "none either", "lead_id": 2}"#,
    ] {
        create(store, &PROCESS, process).await;
    }
    let all = list(store, &FOLLOWUP, "").await;
    assert_eq!(
        all[0],
        concat!(
            r#"{"id":3,"next_followup_datetime":"2026-02-01 09:30:00","due":"overdue","lead_name":"Bob","lead_email":"bob@example.com","#,
            r#""name":"soon","last_action_type":"call","last_action_timestamp":"2026-01-05 10:00:00","status":"active","#,
            r#""channel":"phone","lead_status":"contacted","lead_id":2,"worker":null,"lease_until":null}"#
        )
    );
    let names = |records: &[String]| -> Vec<String> {
        let parsed = records
            .iter()
            .map(|record| serde_json::from_str(record).unwrap());
        parsed
            .map(|json: serde_json::Value| json["name"].as_str().unwrap().to_string())
            .collect()
    };
    assert_eq!(
        names(&all),
        ["soon", "late", "alone", "none", "none either"]
    );
    for (query, expected) in [
        ("lead_name=Ada", &["late", "none"][..]),
        ("next_followup_datetime=lte:2026-03-01", &["soon", "late"]),
        ("lead_status=ne:new", &["soon", "alone", "none either"]),
        ("last_action_type=is:notnull", &["soon"]),
        ("lead_email=BOB@example.com", &["soon", "none either"]),
        (
            "sort=-next_followup_datetime&limit=3",
            &["none", "none either", "alone"],
        ),
        ("q=bob", &["soon", "none either"]),
        (
            "sort=-id",
            &["none either", "alone", "soon", "late", "none"],
        ),
        (
            "sort=next_followup_datetime",
            &["soon", "late", "alone", "none", "none either"],
        ),
        ("sort=lead_name,name&limit=2", &["alone", "late"]),
    ] {
        assert_eq!(
            names(&list(store, &FOLLOWUP, query).await),
            expected,
            "{query}"
        );
    }
    // Pages neither skip nor repeat, over the end of those with a time.
    let mut paged = Vec::new();
    let mut after = String::new();
    loop {
        let query = Query::new(
            &FOLLOWUP,
            pairs(&format!("limit=2&count=true{after}")).unwrap(),
        );
        let mut listing = store.list(query.unwrap()).await.unwrap();
        assert_eq!(listing.total, Some(5));
        while let Some(chunk) = listing.next_chunk().await.unwrap() {
            paged.extend(chunk.iter().map(Record::to_json));
        }
        match listing.next {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(paged, all);
    // What changes is seen at once.
    store.delete(&ACTION, 1, false).await.unwrap();
    assert!(
        list(store, &FOLLOWUP, "last_action_type=is:notnull")
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn followups_in_a_file() {
    let home = Home::new();
    let (store, _) = AnyStore::open(&home.path("crm.db"), Work::Server).unwrap();
    followups(&store).await;
    store.close().await.unwrap();
}

#[tokio::test]
async fn followups_in_postgres() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let store = AnyStore::Postgres(Postgres::open(&url, CONNECTIONS).await.unwrap());
    followups(&store).await;
    store.close().await.unwrap();
}

#[tokio::test]
async fn followups_of_a_server() {
    let service = Service::start().await;
    followups(&AnyStore::connect(&service.url, None).unwrap()).await;
    service.stop().await;
}
