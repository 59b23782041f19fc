//! Merging leads: what stays, what moves, what is told of a lead that is gone, and that an undo gives all back.

use crm::base::error::{Code, Error};
use crm::model::action::ACTION;
use crm::model::draft::Purpose;
use crm::model::lead::LEAD;
use crm::model::merged::Merged;
use crm::model::process::PROCESS;
use crm::model::terms::{Key, Terms, Versions};
use crm::ops::delete::Delete;
use crm::ops::log::Log;
use crm::ops::merge::Merge;
use crm::ops::summary::Summarize;
use crm::ops::undo::Undo;
use crm::ops::update::Update;
use crm::store::any::AnyStore;
use crm::store::contract::{Outcome, Store};
use crm::views::changes::CHANGE;
use serde_json::{Value, json};

use crate::contract::{create, draft, ids, text};
use crate::property::list;
use crate::support::{Home, Service, client, with_json};
use crate::undo::state;

async fn merge(store: &AnyStore, keep: i64, body: &str) -> Result<Merged, Error> {
    let write = Merge::new(keep, body, false)?;
    Ok(store.write(write, Terms::default()).await?.done)
}

async fn dry_run(store: &AnyStore, keep: i64, body: &str) -> Result<Merged, Error> {
    let write = Merge::new(keep, body, true)?;
    Ok(store.write(write, Terms::default()).await?.done)
}

async fn undo(store: &AnyStore, change: Option<i64>) -> Option<i64> {
    let write = Undo::new(change, false);
    let undone = store.write(write, Terms::default()).await.unwrap().done;
    undone.change
}

/// Three leads; the second and the third have actions and processes.
async fn fill(store: &AnyStore) {
    for lead in [
        r#"{"email":"ada@b.cc","attributes":{"a":1}}"#,
        r#"{"email":"ada+x@b.cc","name":"Ada","status":"won","attributes":{"a":2,"b":1.50}}"#,
        r#"{"email":"ADA@b.cc","name":"Ada L.","attributes":{"b":3,"c":"x"}}"#,
    ] {
        create(store, &LEAD, lead).await;
    }
    for action in [
        r#"{"lead_id":1,"action_type":"call","timestamp":"2026-01-01 09:00:00"}"#,
        r#"{"lead_id":2,"action_type":"mail","timestamp":"2026-01-03 09:00:00"}"#,
        r#"{"lead_id":3,"action_type":"call","timestamp":"2026-01-02 09:00:00"}"#,
    ] {
        create(store, &ACTION, action).await;
    }
    for process in [
        r#"{"lead_id":2,"name":"p","last_action_id":2,"next_followup_datetime":"2026-03-01 09:00:00"}"#,
        r#"{"lead_id":2,"name":"q"}"#,
    ] {
        create(store, &PROCESS, process).await;
    }
}

pub async fn merged_leads_are_one(store: AnyStore) {
    fill(&store).await;
    let before = state(&store).await;
    let version = store.get(&LEAD, 1).await.unwrap().version();

    let body = r#"{"others":[2,3],"fields":{"attributes":{"d":true}}}"#;
    let shown = dry_run(&store, 1, body).await.unwrap();
    assert_eq!(state(&store).await, before);
    let merged = merge(&store, 1, body).await.unwrap();
    assert_eq!(shown.change, None);
    assert_eq!(
        (&shown.others, &shown.filled),
        (&merged.others, &merged.filled)
    );
    assert_eq!(shown.conflicts, merged.conflicts);

    let lead = store.get(&LEAD, 1).await.unwrap();
    assert_eq!(merged.lead, lead);
    assert_eq!(lead.version(), version + 1);
    assert_eq!(
        (
            text(&lead, "email"),
            text(&lead, "name"),
            text(&lead, "status")
        ),
        ("ada@b.cc".into(), "Ada".into(), "new".into())
    );
    assert_eq!(
        text(&lead, "attributes"),
        r#"{"a":1,"d":true,"b":1.50,"c":"x"}"#
    );
    assert_eq!(text(&lead, "last_action_at"), "2026-01-03 09:00:00");
    assert_eq!(text(&shown.lead, "last_action_at"), "2026-01-03 09:00:00");
    assert_eq!(text(&shown.lead, "attributes"), text(&lead, "attributes"));
    let moved: Vec<_> = merged
        .others
        .iter()
        .map(|one| (one.id, one.moved.clone()))
        .collect();
    let counts = |actions, processes| {
        vec![
            ("actions".to_string(), actions),
            ("processes".to_string(), processes),
        ]
    };
    assert_eq!(moved, [(2, counts(1, 2)), (3, counts(1, 0))]);
    let conflicts: Vec<&str> = merged
        .conflicts
        .iter()
        .map(|one| one.field.as_str())
        .collect();
    assert_eq!(
        conflicts,
        ["email", "name", "status", "attributes.a", "attributes.b"]
    );
    assert_eq!(ids(&store, &LEAD, "").await, [1]);
    assert_eq!(ids(&store, &ACTION, "lead_id=1").await, [1, 2, 3]);
    assert_eq!(ids(&store, &PROCESS, "lead_id=1").await, [1, 2]);
    let process = store.get(&PROCESS, 1).await.unwrap();
    assert_eq!(
        (process.version(), text(&process, "last_action_id")),
        (2, "2".into())
    );
    let summary = store.inquire(Summarize::of(1)).await.unwrap();
    assert_eq!((summary.counts.actions, summary.open.len()), (3, 2));
    let told: Vec<String> = summary
        .changes
        .iter()
        .map(|one| text(one, "what"))
        .collect();
    assert!(
        told.iter()
            .any(|what| what.starts_with("merged with 2, 3; name: none → Ada")),
        "{told:?}"
    );

    // All of it is one group, so one undo gives all back.
    let group = merged.change.unwrap();
    let (changes, _) = list(&store, &CHANGE, &format!("group={group}")).await;
    let told: Vec<String> = changes
        .iter()
        .map(|one| format!("{} {}", text(one, "type"), text(one, "id")))
        .collect();
    assert_eq!(
        told,
        [
            "lead.updated 1",
            "action.updated 2",
            "process.updated 1",
            "process.updated 2",
            "action.updated 3",
            "lead.deleted 2",
            "lead.deleted 3",
        ]
    );
    let after = state(&store).await;
    let undone = undo(&store, Some(group)).await;
    assert_eq!(state(&store).await, before);
    assert_eq!(
        text(&store.get(&LEAD, 1).await.unwrap(), "last_action_at"),
        "2026-01-01 09:00:00"
    );
    let again = undo(&store, undone).await;
    assert_eq!(state(&store).await, after);
    assert_eq!(missing(&store, 2).await, Some(1));
    undo(&store, again).await;
    assert_eq!(state(&store).await, before);
}

/// What the error for a missing lead says that it was merged into.
async fn missing(store: &AnyStore, id: i64) -> Option<i64> {
    let error = store.get(&LEAD, id).await.unwrap_err();
    assert_eq!(error.code, Code::NotFound);
    let expected = match error.merged_into {
        Some(into) => format!("Lead not found; it was merged into lead {into}"),
        None => "Lead not found".into(),
    };
    assert_eq!(error.message, expected);
    error.merged_into
}

pub async fn a_merged_lead_says_into_which(store: AnyStore) {
    for at in 1..=6 {
        create(&store, &LEAD, &format!(r#"{{"email":"a{at}@b.cc"}}"#)).await;
    }
    let first = merge(&store, 2, r#"{"others":[3]}"#).await.unwrap();
    assert_eq!(missing(&store, 3).await, Some(2));
    assert_eq!(missing(&store, 7).await, None);
    // Through all merges.
    let second = merge(&store, 1, r#"{"others":[2]}"#).await.unwrap();
    assert_eq!(
        (missing(&store, 2).await, missing(&store, 3).await),
        (Some(1), Some(1))
    );
    let update = Update::new(3, draft(&LEAD, r#"{"name":"x"}"#, Purpose::Update));
    let log = Log::new(3, r#"{"action_type":"call"}"#, Default::default()).unwrap();
    let delete = Delete::new(&LEAD, 3, true);
    let terms = Terms::default;
    for error in [
        store.write(update, terms()).await.map(drop).unwrap_err(),
        store.write(log, terms()).await.map(drop).unwrap_err(),
        store.write(delete, terms()).await.map(drop).unwrap_err(),
        store.inquire(Summarize::of(3)).await.map(drop).unwrap_err(),
        merge(&store, 3, r#"{"others":[1]}"#).await.unwrap_err(),
    ] {
        assert_eq!(
            (error.code, error.merged_into),
            (Code::NotFound, Some(1)),
            "{error}"
        );
    }
    // Taken back, it is there, and nothing is left of the merge. So it is for a lead that was deleted otherwise.
    undo(&store, second.change).await;
    assert_eq!(missing(&store, 3).await, Some(2));
    undo(&store, first.change).await;
    assert_eq!(ids(&store, &LEAD, "").await, [1, 2, 3, 4, 5, 6]);
    store
        .write(Delete::new(&LEAD, 3, false), terms())
        .await
        .unwrap();
    assert_eq!(missing(&store, 3).await, None);
    // The merge into a lead counts, not the merge of that lead that was taken back.
    let gone = merge(&store, 5, r#"{"others":[4]}"#).await.unwrap();
    undo(&store, gone.change).await;
    merge(&store, 4, r#"{"others":[6]}"#).await.unwrap();
    assert_eq!(missing(&store, 6).await, Some(4));
}

pub async fn a_merge_that_is_refused_changes_nothing(store: AnyStore) {
    fill(&store).await;
    create(&store, &LEAD, r#"{"email":"eve@b.cc"}"#).await;
    merge(&store, 1, r#"{"others":[3]}"#).await.unwrap();
    let before = state(&store).await;
    for (body, told) in [
        (
            r#"{"others":[1]}"#,
            "others: expected other leads than 1, which is the one that stays",
        ),
        (r#"{"others":[2,2]}"#, "others: 2 is given twice"),
        (r#"{"others":[]}"#, "others: expected an array"),
        (
            r#"{"others":[2,3]}"#,
            "others: lead 3 was merged into lead 1 already",
        ),
        (r#"{"others":[9,2]}"#, "others: no lead has the id 9"),
        (
            r#"{"others":[2],"fields":{"email":"no"}}"#,
            "fields.email: expected an e-mail address",
        ),
        (
            r#"{"others":[2],"fields":{"id":2}}"#,
            "fields.id: expected 1",
        ),
    ] {
        for refused in [merge(&store, 1, body).await, dry_run(&store, 1, body).await] {
            let error = refused.unwrap_err();
            assert_eq!(error.code, Code::Invalid, "{body}: {error}");
            assert!(error.message.starts_with(told), "{error}");
        }
    }
    let error = merge(&store, 9, r#"{"others":[2]}"#).await.unwrap_err();
    assert_eq!((error.code, error.merged_into), (Code::NotFound, None));
    let stale = Terms {
        versions: Some(Versions::Of(vec![store.get(&LEAD, 4).await.unwrap().tag()])),
        ..Terms::default()
    };
    let write = Merge::new(1, r#"{"others":[2]}"#, false).unwrap();
    assert_eq!(
        store.write(write, stale).await.unwrap_err().code,
        Code::Stale
    );
    assert_eq!(state(&store).await, before);
    // A record as large as one may be gets no larger.
    let large = json!({"attributes": {"x": "x".repeat(600_000)}}).to_string();
    let other = json!({"attributes": {"y": "y".repeat(600_000)}}).to_string();
    for (id, json) in [(1, &large), (2, &other)] {
        let write = Update::new(id, draft(&LEAD, json, Purpose::Update));
        store.write(write, Terms::default()).await.unwrap();
    }
    let before = state(&store).await;
    for refused in [
        merge(&store, 1, r#"{"others":[2]}"#).await,
        dry_run(&store, 1, r#"{"others":[2]}"#).await,
    ] {
        assert_eq!(refused.unwrap_err().code, Code::TooLarge);
    }
    assert_eq!(state(&store).await, before);
}

pub async fn a_merge_with_a_key_is_done_once(store: AnyStore) {
    fill(&store).await;
    let terms = || Terms {
        key: Some(Key::parse("k", &["0", "POST", "/leads/1/merge", ""], b"").unwrap()),
        versions: Some(Versions::Any),
        ..Terms::default()
    };
    let write = || store.write(Merge::new(1, r#"{"others":[2]}"#, false).unwrap(), terms());
    let first: Outcome<Merged> = write().await.unwrap();
    let second = write().await.unwrap();
    assert_eq!((first.replayed, second.replayed), (false, true));
    assert_eq!(first.done, second.done);
    assert_eq!(first.group, first.done.change);
    assert_eq!(first.done.lead.version(), second.done.lead.version());
}

pub async fn an_erased_lead_is_gone_with_those_merged_into_it(store: AnyStore) {
    fill(&store).await;
    create(&store, &LEAD, r#"{"email":"eve@b.cc"}"#).await;
    let terms = Terms {
        key: Some(Key::parse("k", &["0", "POST", "/leads/1/merge", ""], b"").unwrap()),
        ..Terms::default()
    };
    store
        .write(
            Merge::new(3, r#"{"others":[2]}"#, false).unwrap(),
            terms.clone(),
        )
        .await
        .unwrap();
    merge(&store, 1, r#"{"others":[3]}"#).await.unwrap();
    match store
        .write(Delete::erasing(&LEAD, 1), Terms::default())
        .await
    {
        Ok(_) => {}
        // An open service erases nothing.
        Err(error) => return assert_eq!(error.code, Code::Unauthenticated),
    }
    let (changes, _) = list(&store, &CHANGE, "").await;
    for change in &changes {
        let (record, previous) = (text(change, "record"), text(change, "previous"));
        assert!(
            !format!("{record}{previous}").to_lowercase().contains("ada"),
            "{record} {previous}"
        );
    }
    assert!(
        changes
            .iter()
            .any(|change| text(change, "record").contains("eve"))
    );
    let again = Merge::new(3, r#"{"others":[2]}"#, false).unwrap();
    let error = store.write(again, terms).await.unwrap_err();
    assert_eq!(error.code, Code::Conflict, "{error}");
}

fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

#[tokio::test]
async fn a_service_merges_and_says_so() {
    let service = Service::start().await;
    let http = client();
    let post = async |path: &str, body: Value| {
        let request = with_json(http.post(format!("{}{path}", service.url)), &body);
        let sent = request.send().await.unwrap();
        let (status, headers) = (sent.status().as_u16(), sent.headers().clone());
        (status, headers, parse(&sent.text().await.unwrap()))
    };
    for email in ["a@b.cc", "b@b.cc", "c@b.cc"] {
        post("/leads", json!({"email": email})).await;
    }
    let (status, headers, dry) = post("/leads/1/merge?dry_run=true", json!({"others": [2]})).await;
    assert_eq!((status, &dry["change"]), (200, &Value::Null));
    assert!(!headers.contains_key("change-group"));
    let (status, headers, merged) = post("/leads/1/merge", json!({"others": [2]})).await;
    assert_eq!(status, 200);
    assert_eq!(
        headers["change-group"].to_str().unwrap(),
        merged["change"].to_string()
    );
    assert_eq!(
        merged["merged"],
        json!([{"id": 2, "email": "b@b.cc", "actions": 0, "processes": 0}])
    );
    assert_eq!(
        merged["conflicts"],
        json!([{"field": "email", "kept": "a@b.cc", "dropped": [{"id": 2, "value": "b@b.cc"}]}])
    );
    let found = http
        .get(format!("{}/leads/1", service.url))
        .send()
        .await
        .unwrap();
    assert_eq!(found.headers()["etag"], headers["etag"]);
    for path in ["/leads/2", "/leads/2/summary", "/leads/2/timeline"] {
        let gone = http
            .get(format!("{}{path}", service.url))
            .send()
            .await
            .unwrap();
        assert_eq!(gone.status(), 404);
        let gone = parse(&gone.text().await.unwrap());
        assert_eq!(
            gone,
            json!({"error": "Lead not found; it was merged into lead 1", "merged_into": 1})
        );
    }
    let gone = http
        .get(format!("{}/leads/7", service.url))
        .send()
        .await
        .unwrap();
    assert_eq!(
        parse(&gone.text().await.unwrap()),
        json!({"error": "Lead not found"})
    );
    service.stop().await;
}

#[test]
fn a_command_merges() {
    let home = Home::new();
    let crm = |line: &str| home.line(&format!("{line} --db crm.db"));
    crm("lead create --email ada@b.cc").ok();
    crm("lead create --email ada+x@b.cc --name Ada --set phone=123").ok();
    crm("lead create --email eve@b.cc --status won").ok();
    crm("log 2 call hello").ok();
    let refused = crm("lead merge 1 2").fails(2);
    assert!(refused.contains("merge: expected --yes"), "{refused}");
    let told = crm("lead merge ada@b.cc ada+x@b.cc 3 --dry-run").ok();
    assert!(
        told.contains(
            "lead 2 <ada+x@b.cc> would be merged into lead 1, with 1 action and 0 processes"
        ),
        "{told}"
    );
    assert!(
        told.contains("attributes.phone: 123, from lead 2"),
        "{told}"
    );
    assert!(told.contains("status: new stays; lead 3 had won"), "{told}");
    let told = crm("lead merge 1 2-3 --yes --status contacted --set phone=9 -o json").ok();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["lead"]["attributes"], json!({"phone": "9"}));
    assert_eq!(told["lead"]["status"], "contacted");
    let gone = crm("lead get 2").fails(3);
    assert!(gone.contains("it was merged into lead 1"), "{gone}");
    let refused = crm("lead merge 1 2 --yes").fails(2);
    assert!(
        refused.contains("OTHER: lead 2 was merged into lead 1 already"),
        "{refused}"
    );
    crm("undo --yes").ok();
    assert_eq!(crm("lead list -o id").ok(), "1\n2\n3\n");
}
