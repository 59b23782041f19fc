//! Any body, sent to the routes of every noun: it is refused with a sentence and has changed nothing, or what it made is
//! read as it was given, and can be put back whole without a change.

#![no_main]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use crm::base::error::{Code, Error};
use crm::model::action::ACTION;
use crm::model::draft::{Draft, Purpose};
use crm::model::kind::Kind;
use crm::model::lead::LEAD;
use crm::model::noun::Noun;
use crm::model::nouns::NOUNS;
use crm::model::record::Record;
use crm::model::shown::Shown;
use crm::net::peer::{Peer, Proxies};
use crm::ops::Records;
use crm::server::api::Api;
use crm::server::entry::routes;
use crm::server::settings::ServerSettings;
use crm::store::any::AnyStore;
use crm_fuzz::{check_refusal, compact, create, is_stored_time, object, store, wait};
use http_body_util::{BodyExt, Full};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use tower_service::Service;
use warp::http::Request;

struct Served {
    store: AnyStore,
    api: Arc<Api>,
}

static SERVED: LazyLock<Served> = LazyLock::new(|| {
    let store = store();
    // What bodies may refer to.
    create(&store, &LEAD, r#"{"email":"nobody@example.invalid"}"#);
    create(&store, &ACTION, r#"{"action_type":"call"}"#);
    let api = Arc::new(Api::new(store.clone(), &ServerSettings::default()));
    Served { store, api }
});

#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    etag: Option<String>,
    replayed: bool,
    body: Bytes,
}

/// Asks the service, without a connection.
fn ask(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let peer = Peer::new((Ipv4Addr::LOCALHOST, 1).into(), &Proxies::default(), false);
    let mut service = warp::service(routes(SERVED.api.clone(), peer));
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.header("content-type", "application/json");
    let request = request.body(Full::new(Bytes::copy_from_slice(body)));
    wait(async {
        let answer = service.call(request.expect("a request")).await;
        let (head, body) = answer.expect("an answer").into_parts();
        let header = |name: &str| Some(head.headers.get(name)?.to_str().ok()?.to_string());
        let answer = Answer {
            status: head.status.as_u16(),
            etag: header("etag"),
            replayed: header("idempotent-replayed").is_some(),
            body: body.collect().await.expect("a body").to_bytes(),
        };
        assert!(answer.status < 500, "{method} {path}: {answer:?}");
        answer
    })
}

fuzz_target!(|body: &[u8]| {
    for noun in NOUNS {
        for purpose in [Purpose::Create, Purpose::Update] {
            check_draft(noun, body, purpose);
        }
        check_create(noun, body);
        check_update(noun, body);
    }
});

/// What a command reads, it sends on to a server as it was.
fn check_draft(noun: &'static Noun, body: &[u8], purpose: Purpose) {
    match Draft::from_json(noun, body, purpose) {
        Err(error) => check_refusal(&error),
        Ok(draft) => match draft.readable(purpose) {
            Err(error) => check_refusal(&error),
            Ok(()) => {
                let again = Draft::from_json(noun, draft.to_json().as_bytes(), purpose);
                assert_eq!(again, Ok(draft));
            }
        },
    }
}

fn check_create(noun: &'static Noun, body: &[u8]) {
    static KEYS: AtomicU64 = AtomicU64::new(0);
    let key = KEYS.fetch_add(1, Ordering::Relaxed).to_string();
    let (path, key) = (
        format!("/{}", noun.plural),
        [("idempotency-key", key.as_str())],
    );
    let created = ask("POST", &path, &key, body);
    if created.status != 201 {
        return check_refused(&created);
    }
    assert_eq!(
        ask("POST", &path, &key, body),
        Answer {
            replayed: true,
            ..created.clone()
        }
    );
    let id = check_record(noun, &created);
    check_given(noun, &created, body);
    let path = format!("/{}/{id}", noun.plural);
    check_put_back(&path, &created);
    // What may be in a new record may be in an old one, but for another id.
    let updated = ask("PATCH", &path, &[], body);
    let names_id = serde_json::from_slice::<serde_json::Value>(body)
        .is_ok_and(|body| body.get("id").is_some());
    if names_id && updated.status == 400 {
        return check_refused(&updated);
    }
    assert_eq!(updated.status, 200, "{updated:?}");
    check_record(noun, &updated);
    check_put_back(&path, &updated);
    assert_eq!(ask("DELETE", &path, &[], b"").status, 200);
    assert_eq!(ask("GET", &path, &[], b"").status, 404);
}

fn check_update(noun: &'static Noun, body: &[u8]) {
    let given = match noun.name {
        "lead" => r#"{"email":"a@example.com","name":"Ada","attributes":{"a":1,"b":{"c":[]}}}"#,
        "action" => r#"{"action_type":"call","lead_id":1,"details":"x","attributes":{"a":1}}"#,
        _ => {
            r#"{"name":"Spring","lead_id":1,"last_action_id":1,"channel":"x","attributes":{"a":1}}"#
        }
    };
    // One that no draft can be made of gets no further, whatever the record.
    let is_read = Draft::from_json(noun, body, Purpose::Update).is_ok();
    let id = match is_read {
        true => create(&SERVED.store, noun, given).id(),
        false => 1,
    };
    let path = format!("/{}/{id}", noun.plural);
    let before = is_read.then(|| ask("GET", &path, &[], b""));
    let updated = ask("PUT", &path, &[], body);
    let Some(before) = before else {
        return check_refused(&updated);
    };
    if updated.status == 200 {
        check_record(noun, &updated);
        check_put_back(&path, &updated);
        let same = updated.body == before.body;
        assert_eq!(updated.etag == before.etag, same, "{before:?} {updated:?}");
    } else {
        check_refused(&updated);
        assert_eq!(ask("GET", &path, &[], b""), before);
    }
    wait(SERVED.store.delete(noun, id, false)).expect("no record");
}

/// An error as the documentation has it.
fn check_refused(answer: &Answer) {
    let code = Code::from_status(answer.status).expect("a documented status");
    let error = Error::from_json(code, &answer.body);
    check_refusal(&error.expect("a documented error"));
}

/// A whole record in one form; answers its id.
fn check_record(noun: &'static Noun, answer: &Answer) -> i64 {
    let entries = object(std::str::from_utf8(&answer.body).expect("UTF-8"));
    let all = Shown::all(noun);
    let names = all.columns().iter().map(|column| &*column.name);
    assert!(entries.iter().map(|entry| &*entry.0).eq(names));
    for (shown, (_, json)) in all.columns().iter().zip(&entries) {
        let field = &noun.fields[shown.at];
        if field.kind == Kind::Attributes {
            // A number may be beyond a double.
            assert!(object(json).iter().all(|entry| entry.1 != "null"));
            continue;
        }
        let value: serde_json::Value = serde_json::from_str(json).expect("a value");
        if value.is_null() {
            assert!(field.nullable(), "{}", field.name);
            continue;
        }
        match field.kind {
            Kind::Id | Kind::Reference(_) | Kind::Count(..) => {
                assert!(value.as_i64().is_some_and(|int| field.kind.allows(int)));
            }
            Kind::Time(_) | Kind::Stamp | Kind::Newest(_) => {
                assert!(value.as_str().is_some_and(is_stored_time))
            }
            Kind::Attributes => {}
            Kind::Object => assert!(value.is_object()),
            Kind::Word => assert!(!value.as_str().expect("a text").trim().is_empty()),
            Kind::Text | Kind::Email | Kind::Type | Kind::Due => assert!(value.is_string()),
        }
    }
    // As a command has it that is told by a server.
    let record = Record::from_json(noun, &answer.body).expect("a record");
    assert_eq!(record.to_json_bytes(), answer.body);
    record.id()
}

/// What was given is what is read: texts to the letter, attributes to the digit.
fn check_given(noun: &'static Noun, created: &Answer, body: &[u8]) {
    type Object = BTreeMap<String, Box<RawValue>>;
    let given: Object = serde_json::from_slice(body).expect("an object");
    let read: Object = serde_json::from_slice(&created.body).expect("an object");
    for field in noun.fields {
        let Some(raw) = given.get(field.name) else {
            continue;
        };
        let read = &read[field.name];
        match field.kind {
            Kind::Text | Kind::Word => {
                let text = |raw: &RawValue| {
                    serde_json::from_str::<Option<String>>(raw.get()).expect("a text")
                };
                assert_eq!(text(raw), text(read));
            }
            Kind::Attributes if raw.get() != "null" => {
                let given: Object = serde_json::from_str(raw.get()).expect("an object");
                let read: Object = serde_json::from_str(read.get()).expect("an object");
                let given = given.iter().filter(|entry| entry.1.get() != "null");
                let given = given.map(|(key, raw)| (key.clone(), compact(raw.get())));
                let read = read
                    .iter()
                    .map(|(key, raw)| (key.clone(), raw.get().to_string()));
                assert!(given.eq(read));
            }
            _ => {}
        }
    }
}

/// What was read is put back, and nothing has changed.
fn check_put_back(path: &str, read: &Answer) {
    assert_eq!(
        ask("GET", path, &[], b""),
        Answer {
            status: 200,
            replayed: false,
            ..read.clone()
        }
    );
    let etag = read.etag.as_deref().expect("an ETag");
    let put = ask("PUT", path, &[("if-match", etag)], &read.body);
    assert_eq!(
        put,
        Answer {
            status: 200,
            replayed: false,
            ..read.clone()
        }
    );
}
