//! More writes than may wait, and writes that fail among those that share a commit with them.

use crm::base::error::Code;
use crm::model::action::ACTION;
use crm::model::draft::{Draft, Purpose};
use crm::model::lead::{LEAD, OnDuplicate};
use crm::ops::Records;
use futures_util::FutureExt;
use rusqlite::Connection;

use crate::ledger;
use crate::support::{Service, client};

/// More than may wait. No bound of crm's own; without one the test would go on for ever.
const TOO_MANY: usize = 20_000;

#[tokio::test]
async fn a_full_queue_refuses_and_what_fails_in_it_fails_alone() {
    let service = Service::start().await;
    let database = Connection::open(service.home.path("crm.db")).unwrap();
    // Nobody else writes from here on.
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut waiting = Vec::new();
    let refused = loop {
        // Every third is an action with a lead that is not there.
        let is_good = waiting.len() % 3 != 0;
        let (noun, json) = match is_good {
            true => (&LEAD, r#"{"email": "a@example.com"}"#),
            false => (&ACTION, r#"{"action_type": "call", "lead_id": 1000000}"#),
        };
        let draft = Draft::from_json(noun, json.as_bytes(), Purpose::Create).unwrap();
        let store = service.store.clone();
        let mut write = Box::pin(async move { store.create(draft, OnDuplicate::Create).await });
        match write.as_mut().now_or_never() {
            None => waiting.push((is_good, write)),
            Some(answer) => break answer.unwrap_err(),
        }
        assert!(waiting.len() < TOO_MANY, "there is no bound");
    };
    assert_eq!(refused.code, Code::Unavailable);
    // The same over HTTP, where reads go on.
    let client = client();
    let leads = format!("{}/leads", service.url);
    let post = || {
        let request = client
            .post(&leads)
            .header("content-type", "application/json");
        request.body(r#"{"email": "b@example.com"}"#).send()
    };
    let answer = post().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "1");
    assert!(
        answer
            .text()
            .await
            .unwrap()
            .contains("nothing was saved, try again")
    );
    let answer = client.get(&leads).send().await.unwrap();
    assert_eq!(
        (
            answer.status().as_u16(),
            answer.text().await.unwrap().as_str()
        ),
        (200, "[]")
    );
    // Each that was taken gets what is its own.
    database.execute_batch("ROLLBACK").unwrap();
    let mut saved = 0;
    for (is_good, write) in waiting {
        match write.await {
            Ok(_) if is_good => saved += 1,
            Err(error) if !is_good => assert_eq!(error.code, Code::Invalid),
            other => panic!("{is_good}: {other:?}"),
        }
    }
    assert!(saved > 0);
    assert_eq!(post().await.unwrap().status(), 201);
    let stored = "SELECT count(*), sum(email = 'b@example.com') FROM leads";
    let stored = database.query_row(stored, [], |row| Ok((row.get(0)?, row.get(1)?)));
    assert_eq!(stored, Ok((saved + 1, 1)));
    let changes = ledger::agrees(service.home.path("crm.db").to_str().unwrap()).await;
    assert_eq!(changes as i64, saved + 1);
    service.stop().await;
}
