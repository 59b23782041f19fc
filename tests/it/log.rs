//! Logging an action: which process it moves and how far, what is refused, and the time of a lead's newest action.

use crm::base::error::{Code, Error};
use crm::base::time::Zone;
use crm::model::action::ACTION;
use crm::model::lead::LEAD;
use crm::model::logged::{Followup, Logged};
use crm::model::noun::Noun;
use crm::model::nouns::NOUNS;
use crm::model::process::PROCESS;
use crm::model::record::Record;
use crm::model::terms::{Key, Tag, Terms, Versions};
use crm::ops::Records;
use crm::ops::log::Log;
use crm::ops::undo::Undo;
use crm::ops::update::Update;
use crm::store::any::AnyStore;
use crm::store::contract::{Outcome, Store};

use serde_json::json;

use crate::cli::Both;
use crate::contract::{create, draft, ids, text, update};
use crate::http::Api;
use crate::property::list;
use crate::support::{Home, resolved};

async fn try_log(store: &AnyStore, lead: i64, body: &str) -> Result<Outcome<Logged>, Error> {
    let log = Log::new(lead, body, Zone::UTC)?;
    store.write(log, Terms::default()).await
}

async fn log(store: &AnyStore, lead: i64, body: &str) -> Logged {
    try_log(store, lead, body).await.unwrap().done
}

/// What was logged, in a line: the process, what happened to it, and its dates.
fn told(logged: &Logged) -> String {
    let process = logged.process.as_ref().map_or(0, Record::id);
    let date = |at: &Option<String>| at.clone().unwrap_or("-".into());
    let moved = logged.moved.as_ref();
    let moved = moved.map_or("-".into(), |moved| {
        format!("{} to {}", date(&moved.from), date(&moved.to))
    });
    format!("{process} {}: {moved}", logged.followup.word())
}

async fn get(store: &AnyStore, noun: &'static Noun, id: i64) -> Record {
    store.get(noun, id).await.unwrap()
}

async fn everything(store: &AnyStore) -> Vec<String> {
    let mut all = Vec::new();
    for noun in NOUNS {
        all.extend(list(store, noun, "").await.0.iter().map(Record::to_json));
    }
    all
}

pub async fn a_logged_action_moves_the_follow_up(store: AnyStore) {
    create(&store, &LEAD, r#"{"email":"ada@b.cc"}"#).await;
    let none = log(
        &store,
        1,
        r#"{"action_type":"call","timestamp":"2026-01-01"}"#,
    )
    .await;
    assert_eq!(told(&none), "0 none: -");
    let opened = log(
        &store,
        1,
        r#"{"action_type":"call","timestamp":"2026-01-02","process":{"name":"Spring","cadence_days":3,"attributes":{"n":1.50}}}"#,
    )
    .await;
    assert_eq!(told(&opened), "1 opened: - to 2026-01-05 00:00:00");
    let process = opened.process.unwrap();
    assert_eq!(process, get(&store, &PROCESS, 1).await);
    let shown = [
        "name",
        "lead_id",
        "channel",
        "last_action_id",
        "status",
        "attributes",
    ];
    let shown = shown.map(|field| text(&process, field));
    assert_eq!(
        shown,
        ["Spring", "1", "call", "2", "active", r#"{"n":1.50}"#]
    );
    // The lead has an open one now, so none is opened.
    let moved = log(
        &store,
        1,
        r#"{"action_type":"mail","details":"x","timestamp":"2026-01-03","process":{"name":"Other"},"lead_status":"contacted","attributes":{"k":2.0}}"#,
    )
    .await;
    assert_eq!(
        told(&moved),
        "1 moved: 2026-01-05 00:00:00 to 2026-01-06 00:00:00"
    );
    assert_eq!(text(moved.process.as_ref().unwrap(), "channel"), "mail");
    assert_eq!(moved.action, get(&store, &ACTION, 3).await);
    assert_eq!(text(&moved.action, "attributes"), r#"{"k":2.0}"#);
    assert_eq!(moved.lead, get(&store, &LEAD, 1).await);
    assert_eq!(
        ["status", "last_action_at"].map(|field| text(&moved.lead, field)),
        ["contacted", "2026-01-03 00:00:00"]
    );
    // A wish takes precedence over the cadence.
    let wished = log(
        &store,
        1,
        r#"{"action_type":"mail","timestamp":"2026-01-03","next":"2026-02-01T09:00:00+01:00"}"#,
    )
    .await;
    assert_eq!(
        told(&wished),
        "1 moved: 2026-01-06 00:00:00 to 2026-02-01 08:00:00"
    );
    // An older one is logged, and moves nothing.
    let older = log(
        &store,
        1,
        r#"{"action_type":"visit","timestamp":"2026-01-02 23:59:59","next":"2026-03-01"}"#,
    )
    .await;
    assert_eq!(told(&older), "1 older: -");
    assert_eq!(older.process.unwrap(), wished.process.unwrap());
    assert_eq!(text(&older.lead, "last_action_at"), "2026-01-03 00:00:00");
    let none = log(&store, 1, r#"{"action_type":"mail","next":null}"#).await;
    assert_eq!(told(&none), "1 moved: 2026-02-01 08:00:00 to -");
    // One that was entered beforehand does not stop those that happen until then.
    let meeting = r#"{"action_type":"call","timestamp":"2126-01-01","next":null}"#;
    assert_eq!(told(&log(&store, 1, meeting).await), "1 moved: - to -");
    let call = r#"{"action_type":"call","next":"2126-02-01"}"#;
    assert_eq!(
        told(&log(&store, 1, call).await),
        "1 moved: - to 2126-02-01 00:00:00"
    );
    let none = r#"{"action_type":"call","next":null}"#;
    assert_eq!(
        told(&log(&store, 1, none).await),
        "1 moved: 2126-02-01 00:00:00 to -"
    );
    let done = log(&store, 1, r#"{"action_type":"call","done":true}"#).await;
    assert_eq!(told(&done), "1 ended: - to -");
    assert_eq!(text(&done.process.unwrap(), "status"), "completed");
    let none = log(&store, 1, r#"{"action_type":"call","done":false}"#).await;
    assert_eq!(none.followup, Followup::None);
    // The setting's cadence: seven days.
    let opened = log(
        &store,
        1,
        r#"{"action_type":"call","timestamp":"2030-01-01","process":{"name":"Next"}}"#,
    )
    .await;
    assert_eq!(told(&opened), "2 opened: - to 2030-01-08 00:00:00");
}

pub async fn a_logged_action_finds_its_process(store: AnyStore) {
    create(&store, &LEAD, r#"{"email":"ada@b.cc"}"#).await;
    create(&store, &LEAD, r#"{"email":"bob@b.cc"}"#).await;
    for (name, json) in [
        ("none", r#""status":"active""#),
        (
            "late",
            r#""next_followup_datetime":"2026-03-01","channel":"mail""#,
        ),
        (
            "early",
            r#""next_followup_datetime":"2026-02-01","channel":"visit""#,
        ),
        (
            "won",
            r#""next_followup_datetime":"2026-01-01","channel":"call","status":"Won""#,
        ),
    ] {
        let json = format!(r#"{{"name":"{name}","lead_id":1,{json}}}"#);
        create(&store, &PROCESS, &json).await;
    }
    create(&store, &PROCESS, r#"{"name":"of another","lead_id":2}"#).await;
    let of = async |body: &str| {
        let logged = log(&store, 1, body).await;
        let process = logged.process.unwrap();
        // As it was before, for the next one.
        let write = Undo::new(None, false);
        store.write(write, Terms::default()).await.unwrap();
        text(&process, "name")
    };
    assert_eq!(of(r#"{"action_type":"mail"}"#).await, "late");
    assert_eq!(of(r#"{"action_type":"visit"}"#).await, "early");
    // Not the finished one, whose channel it is.
    assert_eq!(of(r#"{"action_type":"call"}"#).await, "early");
    assert_eq!(of(r#"{"action_type":"call","process_id":1}"#).await, "none");
    update(&store, &PROCESS, 2, r#"{"status":"done"}"#).await;
    update(&store, &PROCESS, 3, r#"{"status":"LOST"}"#).await;
    assert_eq!(of(r#"{"action_type":"mail"}"#).await, "none");
}

pub async fn a_log_that_is_refused_changes_nothing(store: AnyStore) {
    create(&store, &LEAD, r#"{"email":"ada@b.cc"}"#).await;
    create(&store, &LEAD, r#"{"email":"bob@b.cc"}"#).await;
    create(&store, &PROCESS, r#"{"name":"of bob","lead_id":2}"#).await;
    create(&store, &PROCESS, r#"{"name":"of none"}"#).await;
    create(
        &store,
        &PROCESS,
        r#"{"name":"p","lead_id":1,"status":"done"}"#,
    )
    .await;
    let before = everything(&store).await;
    for (lead, more, code, message) in [
        (9, "", Code::NotFound, "Lead not found"),
        (
            1,
            r#","process_id":1"#,
            Code::Invalid,
            "process_id: expected a process of lead 1, got 1, which is one of lead 2",
        ),
        (
            1,
            r#","process_id":2"#,
            Code::Invalid,
            "process_id: expected a process of lead 1, got 2, which has no lead",
        ),
        (
            1,
            r#","process_id":7"#,
            Code::Invalid,
            "process_id: no process has the id 7",
        ),
        (
            1,
            r#","process_id":3"#,
            Code::Conflict,
            "process_id: process 3 is finished (its status is done); expected an open one",
        ),
        (
            1,
            r#","done":true"#,
            Code::Conflict,
            "done: lead 1 has no open process",
        ),
        (
            1,
            r#","next":"2026-01-01""#,
            Code::Conflict,
            "next: lead 1 has no open process",
        ),
        (
            1,
            r#","done":true,"next":"2026-01-01""#,
            Code::Invalid,
            "next: expected either next or done, got both",
        ),
        (
            1,
            r#","process_id":3,"process":{"name":"x"}"#,
            Code::Invalid,
            "process: expected either process_id or process, got both",
        ),
        (
            1,
            r#","done":true,"process":{"name":"x"}"#,
            Code::Invalid,
            "process: expected either process or done, got both",
        ),
        (
            1,
            r#","process":{}"#,
            Code::Invalid,
            "process.name: is required; expected text",
        ),
        (
            1,
            r#","process":{"name":"x","cadence_days":0}"#,
            Code::Invalid,
            "process.cadence_days: expected a whole number from 1 to 3650, got 0",
        ),
        (
            1,
            r#","process":{"name":"x","status":"new"}"#,
            Code::Invalid,
            "process.status: no such field; expected name, cadence_days, attributes",
        ),
        (
            1,
            r#","process":"x""#,
            Code::Invalid,
            "process: expected an object",
        ),
        (
            1,
            r#","process_id":"3""#,
            Code::Invalid,
            "process_id: expected the id of a process",
        ),
        (
            1,
            r#","next":"soon""#,
            Code::Invalid,
            "next: expected a time like",
        ),
        (
            1,
            r#","next":5"#,
            Code::Invalid,
            "next: expected a time like",
        ),
        (
            1,
            r#","next":"+3d""#,
            Code::Invalid,
            "next: expected a time like 2026-01-31 09:30:00, 2026-01-31T09:30:00+02:00 or 2026-01-31, or null for none, got \"+3d\"",
        ),
        (
            1,
            r#","process_id":"5""#,
            Code::Invalid,
            "process_id: expected the id of a process, a whole number of 1 or more, got \"5\"",
        ),
        (
            1,
            r#","process":{"name":"a","name":"b"}"#,
            Code::Invalid,
            "process: must not contain the key \"name\" twice",
        ),
        (
            1,
            r#","process":"Spring""#,
            Code::Invalid,
            "process: expected an object like {\"name\": \"Spring\"}, got \"Spring\"",
        ),
        (
            1,
            r#","done":1"#,
            Code::Invalid,
            "done: expected true or false, got \"1\"",
        ),
        (
            1,
            r#","lead_status":" ""#,
            Code::Invalid,
            "lead_status: must not be empty",
        ),
        (
            1,
            r#","lead_id":2"#,
            Code::Invalid,
            "lead_id: expected 1, the lead in the path, or nothing, got \"2\"",
        ),
        (
            1,
            r#","id":2"#,
            Code::Invalid,
            "id: no such field; expected action_type, details, description, timestamp, attributes, next, process_id, process, done, lead_status",
        ),
        (
            1,
            r#","timestamp":"9999-12-30","process":{"name":"x"}"#,
            Code::Invalid,
            "timestamp: expected a time that has a follow-up 7 days later",
        ),
        (
            1,
            r#","timestamp":"x","done":2,"colour":1"#,
            Code::Invalid,
            "done: expected true or false, got \"2\"; colour: no such field; expected action_type, details, description, timestamp, attributes, next, process_id, process, done, lead_status, lease; timestamp: expected a time",
        ),
    ] {
        let body = format!(r#"{{"action_type":"call"{more}}}"#);
        let error = try_log(&store, lead, &body).await.unwrap_err();
        assert_eq!(error.code, code, "{body}: {error}");
        assert!(error.message.starts_with(message), "{body}: {error}");
    }
    for (body, message) in [
        ("{}", "action_type: is required"),
        (r#"{"action_type":""}"#, "action_type: must not be empty"),
        ("[]", "body: expected a JSON object"),
        ("", "body: expected a JSON object"),
    ] {
        let error = try_log(&store, 1, body).await.unwrap_err();
        assert!(error.message.starts_with(message), "{body}: {error}");
    }
    assert_eq!(everything(&store).await, before);
    // A null that says nothing is the same as no field.
    let nulls = r#"{"action_type":"call","next":null,"process_id":null,"process":null,"done":null,"lead_status":null,"details":null,"lead_id":1}"#;
    assert_eq!(told(&log(&store, 1, nulls).await), "0 none: -");
}

pub async fn a_log_is_one_group_and_done_once(store: AnyStore) {
    create(&store, &LEAD, r#"{"email":"ada@b.cc"}"#).await;
    create(
        &store,
        &PROCESS,
        r#"{"name":"p","lead_id":1,"next_followup_datetime":"2026-01-01"}"#,
    )
    .await;
    let body = r#"{"action_type":"call","lead_status":"contacted"}"#;
    let under_key = || Terms {
        key: Some(Key::parse("k", &["0", "POST", "/leads/1/log", ""], body.as_bytes()).unwrap()),
        ..Terms::default()
    };
    let write = || Log::new(1, body, Zone::UTC).unwrap();
    let before = everything(&store).await;
    let first = store.write(write(), under_key()).await.unwrap();
    let again = store.write(write(), under_key()).await.unwrap();
    assert_eq!((first.replayed, again.replayed), (false, true));
    assert_eq!(first.done, again.done);
    assert_eq!(ids(&store, &ACTION, "").await, [1]);
    let undo = Undo::new(first.group, false);
    let undone = store.write(undo, Terms::default()).await.unwrap().done;
    assert_eq!((undone.changes, undone.records.len()), (3, 3));
    let without = |all: Vec<String>| -> Vec<String> {
        let all = all.into_iter();
        let cut = all.map(|json| json.split(",\"updated_at\"").next().unwrap().to_string());
        cut.collect()
    };
    assert_eq!(without(everything(&store).await), without(before));
}

pub async fn those_who_log_at_once_all_move_the_follow_up(store: AnyStore) {
    for address in ["ada@b.cc", "bob@b.cc"] {
        create(&store, &LEAD, &format!(r#"{{"email":"{address}"}}"#)).await;
    }
    let body = r#"{"action_type":"call","process":{"name":"p"},"lead_status":"contacted"}"#;
    let writes = (0..12).map(|at| {
        let store = &store;
        async move {
            match at % 3 {
                // Deletes of actions meanwhile, as far as there are any.
                2 => {
                    let _ = store.delete(&ACTION, at / 3 + 1, false).await;
                    None
                }
                _ => Some(try_log(store, at % 2 + 1, body).await),
            }
        }
    });
    let all = futures_util::future::join_all(writes).await;
    let logged = all.into_iter().flatten().map(|one| one.unwrap().done);
    let opened = logged.filter(|one| one.followup == Followup::Opened);
    assert_eq!(opened.count(), 2, "each lead gets one process");
    assert_eq!(ids(&store, &PROCESS, "").await.len(), 2);
    for lead in 1..=2 {
        let newest = list(
            &store,
            &ACTION,
            &format!("lead_id={lead}&sort=-timestamp&limit=1"),
        )
        .await
        .0;
        let newest = newest
            .first()
            .map_or(String::new(), |action| text(action, "timestamp"));
        assert_eq!(
            text(&get(&store, &LEAD, lead).await, "last_action_at"),
            newest
        );
    }
}

pub async fn a_cadence_keeps_the_time_of_day(store: AnyStore) {
    create(&store, &LEAD, r#"{"email":"ada@b.cc"}"#).await;
    // The clocks go forward on 2026-03-29 in Berlin.
    let body = r#"{"action_type":"call","timestamp":"2026-03-27 09:30:00","process":{"name":"p"}}"#;
    let write = Log::new(1, body, Zone::named("Europe/Berlin").unwrap()).unwrap();
    let logged = store.write(write, Terms::default()).await.unwrap().done;
    assert_eq!(text(&logged.action, "timestamp"), "2026-03-27 08:30:00");
    assert_eq!(told(&logged), "1 opened: - to 2026-04-03 07:30:00");
}

pub async fn a_lead_has_the_time_of_its_newest_action(store: AnyStore) {
    for address in ["ada@b.cc", "bob@b.cc"] {
        create(&store, &LEAD, &format!(r#"{{"email":"{address}"}}"#)).await;
    }
    let at = async |lead| text(&get(&store, &LEAD, lead).await, "last_action_at");
    let both = async || format!("{} {}", at(1).await, at(2).await);
    let day = |json: &str| format!(r#"{{"action_type":"call",{json}}}"#);
    assert_eq!(both().await, " ");
    create(
        &store,
        &ACTION,
        &day(r#""lead_id":1,"timestamp":"2026-01-02""#),
    )
    .await;
    create(
        &store,
        &ACTION,
        &day(r#""lead_id":1,"timestamp":"2026-01-01""#),
    )
    .await;
    create(&store, &ACTION, &day(r#""timestamp":"2026-01-09""#)).await;
    assert_eq!(both().await, "2026-01-02 00:00:00 ");
    update(&store, &ACTION, 2, r#"{"timestamp":"2026-01-03"}"#).await;
    assert_eq!(at(1).await, "2026-01-03 00:00:00");
    update(&store, &ACTION, 2, r#"{"details":"x"}"#).await;
    update(&store, &ACTION, 2, r#"{"lead_id":2}"#).await;
    assert_eq!(both().await, "2026-01-02 00:00:00 2026-01-03 00:00:00");
    let undo = async || {
        let undone = store.write(Undo::new(None, false), Terms::default()).await;
        undone.unwrap();
    };
    undo().await;
    assert_eq!(both().await, "2026-01-03 00:00:00 ");
    update(&store, &ACTION, 2, r#"{"lead_id":null}"#).await;
    assert_eq!(both().await, "2026-01-02 00:00:00 ");
    store.delete(&ACTION, 1, false).await.unwrap();
    assert_eq!(both().await, " ");
    undo().await;
    assert_eq!(at(1).await, "2026-01-02 00:00:00");
    store.delete(&LEAD, 1, true).await.unwrap();
    undo().await;
    assert_eq!(at(1).await, "2026-01-02 00:00:00");
    // The order of the filters and of the list.
    create(
        &store,
        &ACTION,
        &day(r#""lead_id":2,"timestamp":"2026-05-01""#),
    )
    .await;
    create(
        &store,
        &LEAD,
        r#"{"email":"eve@b.cc","last_action_at":"2020-01-01"}"#,
    )
    .await;
    assert_eq!(ids(&store, &LEAD, "sort=-last_action_at").await, [2, 1, 3]);
    assert_eq!(ids(&store, &LEAD, "sort=last_action_at").await, [3, 1, 2]);
    assert_eq!(ids(&store, &LEAD, "last_action_at=is:null").await, [3]);
    assert_eq!(
        ids(&store, &LEAD, "last_action_at=lt:2026-05-01").await,
        [1]
    );
    assert_eq!(ids(&store, &LEAD, "last_action_at=2026-05-01").await, [2]);
}

pub async fn a_newest_time_is_no_change_of_the_lead(store: AnyStore) {
    let made = create(&store, &LEAD, r#"{"email":"ada@b.cc"}"#).await;
    update(&store, &LEAD, 1, r#"{"name":"Ada"}"#).await;
    let changed = get(&store, &LEAD, 1).await;
    create(
        &store,
        &ACTION,
        r#"{"action_type":"call","lead_id":1,"timestamp":"2026-01-31 09:30:00"}"#,
    )
    .await;
    let lead = get(&store, &LEAD, 1).await;
    assert_eq!((lead.version(), changed.version()), (2, 2));
    assert_eq!(text(&lead, "updated_at"), text(&changed, "updated_at"));
    assert_eq!(
        [made.tag(), changed.tag(), lead.tag()].map(Tag::text),
        ["\"1\"", "\"2\"", "\"2-20260131093000\""]
    );
    // A condition from before the action holds, and so does one from after it.
    for (tag, name) in [
        (changed.tag(), "Lovelace"),
        (
            Tag {
                version: 3,
                ..lead.tag()
            },
            "Byron",
        ),
    ] {
        let write = Update::new(
            1,
            draft(
                &LEAD,
                &format!(r#"{{"name":"{name}"}}"#),
                crm::model::draft::Purpose::Update,
            ),
        );
        let terms = Terms {
            versions: Some(Versions::Of(vec![tag])),
            ..Terms::default()
        };
        store.write(write, terms).await.unwrap();
    }
    // A record that was read is put back as a whole, and the time is ignored.
    let put = get(&store, &LEAD, 1).await.to_json();
    let put = put.replace("2026-01-31 09:30:00", "2030-01-01 00:00:00");
    let same = update(&store, &LEAD, 1, &put).await;
    assert_eq!(same.version(), 4);
    assert_eq!(text(&same, "last_action_at"), "2026-01-31 09:30:00");
    // The changes of the lead do not know of it, so a change from before the action is taken back.
    let changes = list(&store, &crm::views::changes::CHANGE, "type=lead.*")
        .await
        .0;
    assert_eq!(changes.len(), 4);
    for change in &changes {
        assert!(
            !text(change, "record").contains("last_action_at"),
            "{}",
            change.to_json()
        );
    }
    let undo = Undo::new(changes[3].get("seq").int(), false);
    store.write(undo, Terms::default()).await.unwrap();
    let lead = get(&store, &LEAD, 1).await;
    assert_eq!(
        ["name", "last_action_at"].map(|field| text(&lead, field)),
        ["Lovelace", "2026-01-31 09:30:00"]
    );
}

pub async fn filters_take_times_from_now(store: AnyStore) {
    for (address, at) in [("ada@b.cc", "2001-01-01"), ("bob@b.cc", "2999-01-01")] {
        let lead = create(&store, &LEAD, &format!(r#"{{"email":"{address}"}}"#)).await;
        let json = format!(
            r#"{{"action_type":"call","lead_id":{},"timestamp":"{at}"}}"#,
            lead.id()
        );
        create(&store, &ACTION, &json).await;
    }
    create(&store, &LEAD, r#"{"email":"eve@b.cc"}"#).await;
    for (query, found) in [
        ("last_action_at=lt:-30d", &[1][..]),
        ("last_action_at=gte:today", &[2]),
        ("last_action_at=ne:-30d&sort=-id", &[3, 2, 1]),
        ("created_at=today&limit=2&tz=UTC", &[1, 2]),
        ("created_at=in:yesterday,today,tomorrow", &[1, 2, 3]),
        ("created_at=gte:next%20week", &[]),
        (
            "created_at=gt:2%20weeks%20ago&created_at=lt:%2B3d",
            &[1, 2, 3],
        ),
    ] {
        assert_eq!(ids(&store, &LEAD, query).await, found, "{query}");
    }
}

#[test]
fn over_http_it_answers_all_that_happened() {
    let api = Api::start();
    api.post("/leads", r#"{"email":"ada@example.com"}"#);
    api.post("/leads", r#"{"email":"bob@example.com"}"#);
    let body =
        r#"{"action_type":"call","timestamp":"2026-01-01 09:00","process":{"name":"Spring"}}"#;
    for (path, action) in [("/leads/1/log?tz=Europe/Berlin", 1), ("/leads/1/log/", 2)] {
        let logged = api.post(path, body);
        assert_eq!(logged.status, 201);
        let json = logged.json();
        assert!(
            json.as_object()
                .unwrap()
                .keys()
                .eq(["action", "process", "lead", "followup", "moved"])
        );
        let location = logged.header("location").unwrap();
        let read = api.get(&resolved(path, location));
        assert_eq!(
            (&read.json()["id"], &json["action"]),
            (&json!(action), &read.json())
        );
        assert_eq!(json["lead"], api.get("/leads/1").json());
        assert_eq!(json["process"], api.get("/processes/1").json());
    }
    assert_eq!(
        api.post("/leads/1/log", r#"{"action_type":"call","next":null}"#)
            .json()["moved"],
        json!({"from": "2026-01-08 09:00:00", "to": null})
    );
    assert_eq!(api.post("/leads/9/log", body).status, 404);
    assert_eq!(api.post("/leads/x/log", body).refused(), ["id"]);
    assert_eq!(api.get("/leads/1/log").status, 405);
    // The ETag changes with the newest time, and a write goes by the version alone.
    let tag = |lead: &str| api.get(lead).header("etag").unwrap().to_string();
    let known = |tag: &str| {
        let header = format!("If-None-Match: {tag}\r\n");
        api.send("GET", "/leads/1", &header, b"").status
    };
    let now = tag("/leads/1");
    assert_eq!(tag("/leads/2"), "\"1\"");
    assert!(now.starts_with("\"1-2"), "{now}");
    assert_eq!([known(&now), known("\"1\"")], [304, 200]);
    api.post(
        "/actions",
        r#"{"action_type":"call","lead_id":1,"timestamp":"2990-01-01"}"#,
    );
    assert_eq!([known(&now), known("\"1-29900101000000\"")], [200, 304]);
    let put = |tag: &str| {
        let headers =
            format!("Content-Type: application/json\r\nContent-Length: 2\r\nIf-Match: {tag}\r\n");
        api.send("PUT", "/leads/1", &headers, b"{}").status
    };
    assert_eq!([put(&now), put("\"1\""), put("\"2\"")], [200, 200, 412]);
    // Times from now, and the next page of a list with them.
    assert_eq!(api.get("/leads?last_action_at=is:null").ids(), [2]);
    let page = api.get("/leads?created_at=gte:-1d&limit=1&tz=Asia/Tokyo");
    let link = page.header("link").unwrap().to_string();
    assert!(
        !link.contains("-1d") && link.contains("created_at=gte%3A2"),
        "{link}"
    );
    let next = link.split(['<', '>']).nth(1).unwrap();
    assert_eq!(api.get(&resolved("/leads", next)).ids(), [2]);
    let refused = api.get("/leads?created_at=gte:never").error(400);
    assert!(refused.contains("or one from now like -30d"), "{refused}");
    let refused = api.get("/leads?created_at=lt:+3d").error(400);
    assert!(
        refused.ends_with("in a URL the + is written %2B"),
        "{refused}"
    );
}

#[test]
fn a_service_goes_by_the_rules_that_it_is_started_with() {
    let home = Home::new();
    let server = home.serve(&[
        "--db",
        "crm.db",
        "--auto-process",
        "--on-duplicate",
        "reject",
        "--cadence",
        "3",
        "--finished",
        "Over,archived",
    ]);
    let api = Api { home, server };
    let lead = r#"{"email":"ada@example.com"}"#;
    assert_eq!(api.post("/leads", lead).status, 201);
    assert!(
        api.post("/leads", lead)
            .error(409)
            .contains("lead 1 already has")
    );
    assert_eq!(api.post("/leads?on_duplicate=update", lead).status, 200);
    assert_eq!(api.post("/leads?on_duplicate=create", lead).status, 201);
    let action = |more: &str| {
        let body = format!(r#"{{"action_type":"call"{more}}}"#);
        api.post("/actions", &body)
    };
    let answer = action(r#","lead_id":1,"timestamp":"2026-01-01""#);
    assert_eq!((answer.status, &answer.json()["id"]), (201, &json!(1)));
    let process = |id: i64| api.get(&format!("/processes/{id}")).json();
    let opened = process(1);
    let shown = [
        "name",
        "status",
        "channel",
        "last_action_id",
        "lead_id",
        "next_followup_datetime",
    ];
    assert_eq!(
        shown.map(|field| opened[field].clone()),
        [
            json!("Follow-up"),
            json!("active"),
            json!("call"),
            json!(1),
            json!(1),
            json!("2026-01-04 00:00:00")
        ]
    );
    action(r#","lead_id":1,"timestamp":"2026-01-05""#);
    assert_eq!(process(1)["next_followup_datetime"], "2026-01-08 00:00:00");
    // Without a lead there is none to move, and one that does not exist is refused as ever.
    assert_eq!(action("").status, 201);
    assert_eq!(action(r#","lead_id":9"#).refused(), ["lead_id"]);
    assert_eq!(api.get("/processes").ids(), [1]);
    // Both are one group.
    let undone = api.post("/changes/undo", r#"{"last":true}"#);
    assert_eq!(undone.json()["changes"], 1);
    let undone = api.post("/changes/undo", r#"{"last":true}"#);
    assert_eq!(undone.json()["changes"], 2);
    // The statuses of finished processes are those of the setting, and no others.
    let done = api.post("/leads/1/log", r#"{"action_type":"call","done":true}"#);
    assert_eq!(done.json()["process"]["status"], "Over");
    assert!(api.get("/followups").ids().is_empty());
    api.post(
        "/processes",
        r#"{"name":"p","lead_id":1,"status":"completed"}"#,
    );
    assert_eq!(api.get("/followups").ids(), [2]);
    api.post(
        "/processes",
        r#"{"name":"q","lead_id":1,"status":"ARCHIVED"}"#,
    );
    assert_eq!(api.get("/followups").ids(), [2]);
}

#[test]
fn the_rules_of_a_file_come_from_the_environment_too() {
    let home = Home::new();
    let crm = |line: &str| home.line(&format!("{line} --db crm.db"));
    crm("lead create --email ada@example.com").ok();
    let refused = crm("lead create --email ada@example.com")
        .env("CRM_ON_DUPLICATE", "reject")
        .fails(5);
    assert!(refused.contains("lead 1 already has"), "{refused}");
    crm("lead create --email ada@example.com --on-duplicate create")
        .env("CRM_ON_DUPLICATE", "reject")
        .ok();
    crm("action create --lead 1 --type call --at 2026-01-01")
        .env("CRM_AUTO_PROCESS", "true")
        .env("CRM_CADENCE", "1")
        .ok();
    let next = crm("process get 1 -o csv --fields name,next_followup_datetime").ok();
    assert_eq!(
        next,
        "name,next_followup_datetime\nFollow-up,2026-01-02 00:00:00\n"
    );
    for (name, value, told) in [
        (
            "CRM_CADENCE",
            "0",
            "CRM_CADENCE: expected a number from 1 to 3650, got \"0\"",
        ),
        (
            "CRM_FINISHED",
            "done,,won",
            "CRM_FINISHED: expected comma-separated statuses",
        ),
        (
            "CRM_ON_DUPLICATE",
            "merge",
            "CRM_ON_DUPLICATE: expected create or reject or update",
        ),
    ] {
        let refused = crm("followups").env(name, value).fails(2);
        assert!(refused.contains(told), "{refused}");
    }
}

#[test]
fn at_a_shell_it_says_what_has_moved() {
    let both = Both::start();
    both.ok("crm lead create --email ada@example.com");
    both.ok("crm lead create --email bob@example.com");
    for (line, told) in [
        (
            "crm log ada@example.com call 'Asked for a quote' --at 2026-01-01",
            "Action 1 logged with ada@example.com; lead 1 has no open process, so no follow-up moved\n",
        ),
        (
            "crm log 1 mail --at '2026-01-02 09:00' --open Spring --lead-status contacted",
            "Action 2 logged with ada@example.com; process 1 (Spring) opened, its follow-up is due 2026-01-09 09:00:00\n",
        ),
        (
            "crm log 1 mail '- a note' --at 2026-01-03 --next 2126-02-01 --set k=v",
            "Action 3 logged with ada@example.com; follow-up of process 1 moved from 2026-01-09 09:00:00 to 2126-02-01 00:00:00\n",
        ),
        (
            "crm log 1 mail --at 2026-01-01",
            "Action 4 logged with ada@example.com; it is older than the last action of process 1, whose follow-up stays at 2126-02-01 00:00:00\n",
        ),
        (
            "crm log 1 call --at 2026-01-04 --next none --process 1",
            "Action 5 logged with ada@example.com; process 1 has no follow-up any more; it was due 2126-02-01 00:00:00\n",
        ),
        (
            "crm log 1 call --at 2026-01-04 --done",
            "Action 6 logged with ada@example.com; process 1 (Spring) is completed\n",
        ),
        (
            "crm log 1,2 mail --at 2026-01-05 -o csv",
            "action_id,lead_id,process_id,followup,from,to\n7,1,,none,,\n8,2,,none,,\n",
        ),
        ("crm log 2 mail --at 2026-01-05 -o id", "9\n"),
    ] {
        assert_eq!(both.ok(line), told, "{line}");
    }
    assert_eq!(
        both.ok("crm action get 3 -o csv --fields details,attributes.k"),
        "details,attributes.k\n- a note,v\n"
    );
    let json = both.ok("crm log 2 call --open Next --at 2026-01-06 -o json");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        json["moved"],
        json!({"from": null, "to": "2026-01-13 00:00:00"})
    );
    // One undo takes all of it back.
    both.ok("crm undo --yes -o id > /dev/null");
    assert_eq!(both.ok("crm process list --lead 2 -o id"), "");
    for (line, code, told) in [
        (
            "crm log 1 call --next +3d",
            5,
            "error: --next: lead 1 has no open process, and without one there is nothing to follow up; expected --open NAME, which opens one, or no --next\n",
        ),
        (
            "crm log 1 call --done",
            5,
            "error: --done: lead 1 has no open process",
        ),
        (
            "crm log 1 call --process 1",
            5,
            "error: --process: process 1 is finished",
        ),
        (
            "crm log 2 call --process 1",
            2,
            "error: --process: expected a process of lead 2, got 1, which is one of lead 1",
        ),
        (
            "crm log 1 call --process x",
            2,
            "error: --process: expected the id of a process",
        ),
        (
            "crm log 1 call --next never",
            2,
            "error: --next: expected a time like",
        ),
        (
            "crm log 1 call --at never",
            2,
            "error: timestamp: expected a time like",
        ),
        ("crm log 9 call", 3, "error: Lead not found\n"),
        (
            "crm log eve@example.com call",
            3,
            "error: no lead has the address",
        ),
        (
            "crm log 1 call --lead-status ''",
            2,
            "error: --lead-status: must not be empty\n",
        ),
    ] {
        let error = both.fails(line, code);
        assert!(error.starts_with(told), "{line}: {error}");
    }
    let several = both.run("crm log 1,9,2 mail --at 2026-01-07 -o id");
    assert_eq!((several.code, several.stdout.lines().count()), (Some(3), 2));
    assert_eq!(several.stderr, "error: lead 9: not found\n");
}

#[test]
fn an_older_file_gets_the_newest_times() {
    let home = Home::new();
    let crm = |line: &str| home.line(&format!("{line} --db crm.db"));
    crm("lead create --email ada@example.com").ok();
    crm("lead create --email bob@example.com").ok();
    crm("action create --lead 1 --type call --at 2026-01-01").ok();
    crm("action create --lead 1 --type call --at 2026-01-03").ok();
    let database = rusqlite::Connection::open(home.path("crm.db")).unwrap();
    // As it was before there were such times.
    database
        .execute_batch(
            "DROP TRIGGER leads_count_version; DROP TRIGGER processes_count_version; DROP INDEX leads_by_last_action;
             DROP INDEX actions_by_lead_and_time; DROP INDEX processes_by_due; DROP INDEX crm_changes_by_removed;
             DROP INDEX crm_changes_by_deleted_lead; DROP INDEX actions_by_type_and_time;
             DROP INDEX processes_by_status_and_time; DROP TABLE crm_dismissed;
             DROP TABLE crm_leases; DROP TABLE crm_announced; DROP TABLE crm_search; DROP TABLE crm_search_blocks;
             DROP TABLE crm_search_state; DROP TABLE crm_search_nouns; DROP TABLE crm_bulk_portions; DROP TABLE crm_bulk_runs;
             ALTER TABLE leads DROP COLUMN last_action_at; ALTER TABLE processes DROP COLUMN cadence_days;
             ALTER TABLE processes DROP COLUMN due_seen;
             CREATE TRIGGER leads_count_version AFTER UPDATE ON leads WHEN NEW.version <= OLD.version
             OR NEW.version > 4611686018427387904 OR NEW.id <> OLD.id BEGIN
             UPDATE leads SET version = OLD.version + 1 WHERE id = NEW.id; END;
             CREATE TRIGGER processes_count_version AFTER UPDATE ON processes WHEN NEW.version <= OLD.version
             BEGIN UPDATE processes SET version = OLD.version + 1 WHERE id = NEW.id; END;
             PRAGMA user_version = 9;",
        )
        .unwrap();
    drop(database);
    let values = "lead list -o csv --fields id,last_action_at";
    let opened = crm("lead list").run();
    assert!(
        opened.stderr.contains("brought up to date from schema 9"),
        "{opened:?}"
    );
    let listed = crm(values).ok();
    assert_eq!(listed, "id,last_action_at\n1,2026-01-03 00:00:00\n2,\n");
    assert_eq!(crm("lead get 1 --etag").ok(), "\"1-20260103000000\"\n");
    assert_eq!(crm("check").ok(), "ok\n");
    // Another program does not keep it. Its changes of other columns count, and a check says what to do.
    let database = rusqlite::Connection::open(home.path("crm.db")).unwrap();
    database
        .execute_batch(
            "DELETE FROM actions WHERE id = 2; UPDATE leads SET name = 'Ada' WHERE id = 1;",
        )
        .unwrap();
    drop(database);
    assert_eq!(crm("lead get 1 --etag").ok(), "\"2-20260103000000\"\n");
    let run = crm("check").run();
    assert_eq!(run.code, Some(1));
    let told = "value: leads 1: last_action_at is not the newest, because another program has changed what it follows from; `";
    assert!(run.stdout.starts_with(told), "{run:?}");
    let sql = run.stdout.split('"').nth(1).unwrap();
    let database = rusqlite::Connection::open(home.path("crm.db")).unwrap();
    database.execute_batch(sql).unwrap();
    drop(database);
    assert_eq!(
        crm(values).ok(),
        "id,last_action_at\n1,2026-01-01 00:00:00\n2,\n"
    );
    assert_eq!(crm("lead get 1 --etag").ok(), "\"2-20260101000000\"\n");
    assert_eq!(crm("check").ok(), "ok\n");
}

#[test]
fn an_erasure_reaches_the_kept_answer_of_a_log() {
    let api = Api::start();
    api.post(
        "/leads",
        r#"{"email":"ada@example.com","name":"Ada Lovelace"}"#,
    );
    let log = || {
        let body = br#"{"action_type":"call","details":"Secret","process":{"name":"Spring"}}"#;
        let headers = format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\nIdempotency-Key: k\r\n",
            body.len()
        );
        api.send("POST", "/leads/1/log", &headers, body)
    };
    let first = log();
    assert_eq!((first.status, log().text()), (201, first.text()));
    let erased = api.home.line("lead erase 1 --yes --db crm.db").run();
    assert_eq!(erased.code, Some(0), "{erased:?}");
    let sentence = log().error(409);
    assert!(sentence.contains("was erased"), "{sentence}");
    for name in ["crm.db", "crm.db-wal"] {
        let bytes = std::fs::read(api.home.path(name)).unwrap_or_default();
        for secret in ["Lovelace", "Secret"] {
            let found = bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "{name}: {secret}");
        }
    }
}
