//! What is sent for a change: the body of Standard Webhooks, and its id.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::client::Message;
use crate::store::sql::webhooks::ChangeRow;

/// The type of a test.
const TEST: &str = "webhook.test";

/// A change as `GET /changes` shows it. A large record, and large earlier values, are left out.
fn data(change: &ChangeRow) -> String {
    let mut members: Map<String, Value> = Map::new();
    members.insert("seq".into(), change.seq.into());
    members.insert("at".into(), change.at.as_str().into());
    members.insert("by".into(), change.author.as_str().into());
    members.insert("on_behalf_of".into(), change.on_behalf_of.clone().into());
    members.insert("request_id".into(), change.request_id.clone().into());
    members.insert("group".into(), change.first.unwrap_or(change.seq).into());
    members.insert("operation".into(), change.operation.as_str().into());
    members.insert("type".into(), change.kind.as_str().into());
    members.insert("id".into(), change.record_id.into());
    members.insert("version".into(), change.version.into());
    let mut text = Value::Object(members).to_string();
    // The texts are JSON. They are not parsed, so that every digit of a number is kept.
    text.pop();
    for (name, json) in [("record", &change.record), ("previous", &change.previous)] {
        let raw = json.as_deref().filter(|json| is_json(json));
        if let Some(raw) = raw {
            text.push_str(&format!(",\"{name}\":{raw}"));
        } else if name == "previous" && !change.is_previous_large {
            text.push_str(",\"previous\":null");
        }
    }
    text.push('}');
    text
}

/// Whether another program has not written something else there.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

/// A time of the stored form, as RFC 3339.
fn iso(at: &str) -> String {
    format!("{}Z", at.replacen(' ', "T", 1))
}

/// The message of a change for a webhook. Its id has the name of the sequence, because a restored database gives the
/// same numbers again.
pub(super) fn message(epoch: &str, webhook: i64, change: &ChangeRow) -> Message {
    let kind = Value::from(change.kind.as_str());
    let at = Value::from(iso(&change.at));
    Message {
        id: format!("{epoch}-{webhook}-{}", change.seq),
        body: format!(
            "{{\"type\":{kind},\"timestamp\":{at},\"data\":{}}}",
            data(change)
        ),
    }
}

/// The message of a test.
pub(super) fn test(epoch: &str, webhook: i64, name: &str, asked: &str, number: &str) -> Message {
    let body = json!({"type": TEST, "timestamp": iso(asked), "data": {"webhook": name}});
    Message {
        id: format!("{epoch}-{webhook}-test-{number}"),
        body: body.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change() -> ChangeRow {
        ChangeRow {
            seq: 7,
            record_id: 3,
            at: "2026-01-31 09:30:00".into(),
            author: "ada".into(),
            on_behalf_of: None,
            request_id: Some("r".into()),
            first: None,
            operation: "updateLead".into(),
            kind: "lead.updated".into(),
            version: 2,
            record: Some(r#"{"id":3,"n":1.50}"#.into()),
            previous: Some(r#"{"name":"Ada"}"#.into()),
            is_previous_large: false,
        }
    }

    #[test]
    fn the_body_has_the_change_as_the_api_shows_it() {
        let message = message("e", 2, &change());
        assert_eq!(message.id, "e-2-7");
        assert_eq!(
            message.body,
            r#"{"type":"lead.updated","timestamp":"2026-01-31T09:30:00Z","data":{"seq":7,"at":"2026-01-31 09:30:00","by":"ada","on_behalf_of":null,"request_id":"r","group":7,"operation":"updateLead","type":"lead.updated","id":3,"version":2,"record":{"id":3,"n":1.50},"previous":{"name":"Ada"}}}"#
        );
        let large = ChangeRow {
            record: None,
            previous: None,
            first: Some(5),
            ..change()
        };
        let body = super::message("e", 2, &large).body;
        assert!(body.contains(r#""group":5"#) && body.ends_with(r#""previous":null}}"#));
        assert!(!body.contains("record\":{"));
    }
}
