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

use crate::contract::{create, draft, ids, text, update};
use crate::property::list;

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
            "done: expected true or false, got \"2\"; colour: no such field; expected action_type, details, description, timestamp, attributes, next, process_id, process, done, lead_status; timestamp: expected a time",
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
