//! One recorded list of requests, answered by a service on SQLite and by one on PostgreSQL: byte for byte the same, but
//! for the times.

use crate::cluster;
use crate::http::{Answer, exchange};
use crate::support::Home;

/// A text with each time in it replaced by as many letters.
fn timeless(text: &str) -> String {
    let form = b"0000-00-00 00:00:00";
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    while at + form.len() <= bytes.len() {
        let is_time = form
            .iter()
            .zip(&bytes[at..])
            .all(|(form, byte)| match form {
                b'0' => byte.is_ascii_digit(),
                other => byte == other,
            });
        // Those that the requests give are compared as well.
        if is_time && &bytes[at..at + 4] >= b"2026".as_slice() {
            bytes[at..at + form.len()].fill(b't');
        }
        at += 1;
    }
    String::from_utf8(bytes).unwrap()
}

/// Everything of an answer that may not differ.
fn shown(answer: &Answer) -> String {
    let names = [
        "content-type",
        "location",
        "link",
        "x-total-count",
        "retry-after",
        "vary",
    ];
    let headers = names.map(|name| format!("{name}: {}\n", answer.header(name).unwrap_or("-")));
    let text = format!("{}\n{}{}", answer.status, headers.concat(), answer.text());
    timeless(&text)
}

fn ask(address: &str, line: &str) -> String {
    let mut words = line.splitn(3, ' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let body = words.next().unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    shown(&exchange(address, request.as_bytes(), false))
}

/// Writes and reads of all kinds. What PostgreSQL refuses by itself burns an id there, so that those come last.
fn requests() -> Vec<String> {
    let long = "x".repeat(3_000);
    let mut lines: Vec<String> = r#"
POST /leads {"email":"Ada@Example.com","name":"Ada Lovelace","attributes":{"size":10,"company":"Acme","tags":["a","b"]}}
POST /leads {"email":"zoë@example.com","name":"Zoë","status":"won","attributes":{"size":9.50,"big":12345678901234567890.10}}
POST /leads {"email":"b@example.com","name":"ÉCOLE 100%_\\","attributes":{"size":"10","company":"ACME"}}
POST /leads {"email":"c@example.com","name":null,"status":"Won"}
POST /leads {"email":"d@example.com","name":"","attributes":{"k\"ey":"v","size":1e2,"nested":{"a":1}}}
POST /leads {"email":"e@example.com","name":"K and ſ, Σας"}
POST /leads?on_duplicate=reject {"email":"ada@example.com"}
POST /leads?on_duplicate=update {"email":"ADA@example.com","status":"won","attributes":{"size":null,"new":true}}
POST /leads?on_duplicate=update {"email":"f@example.com"}
POST /leads?on_duplicate=maybe {"email":"f@example.com"}
POST /actions {"lead_id":1,"action_type":"call","details":"first","timestamp":"2020-01-01 10:00:00"}
POST /actions {"lead_id":1,"action_type":"mail","description":"second","timestamp":"2020-01-02T10:00:00+02:00"}
POST /actions {"action_type":"mail"}
POST /processes {"name":"p","lead_id":1,"last_action_id":2,"next_followup_datetime":"2020-01-05"}
POST /processes {"name":"q","lead_id":2,"channel":"phone"}
POST /processes {"name":"r"}
POST /leads {}
POST /leads {"email":"no address","status":"","foo":1,"attributes":[]}
POST /leads {"email":"g@example.com","name":"a\u0000b"}
POST /leads {"email":"g@example.com","attributes":{"a":"\u0000"}}
POST /leads {"email":"g@example.com","attributes":{"a":1,"a":2}}
POST /leads {"email":"g@example.com","created_at":"2020-01-01 00:00:00"}
POST /actions {"action_type":"x","timestamp":"2020-02-30"}
POST /actions {"action_type":"x","lead_id":9223372036854775808}
POST /actions {"action_type":"x","lead_id":0}
POST /actions {"action_type":"x","lead_id":"1"}
PUT /leads/1 {"status":"lost","attributes":{"company":null}}
PUT /leads/1 {"status":"lost"}
PUT /leads/2 {"name":null}
PUT /leads/2 {"email":null}
PUT /leads/99 {"name":"x"}
PUT /actions/1 {"lead_id":99}
PUT /processes/1 {"last_action_id":99,"lead_id":98}
PUT /processes/1 {"next_followup_datetime":null,"created_at":"2020-01-01 00:00:00"}
GET /leads/1
GET /leads/1?fields=id,name
GET /leads/0
GET /leads/9223372036854775807
GET /leads/9223372036854775808
GET /actions/2
GET /processes/1
GET /leads
GET /leads?limit=2
GET /leads?limit=2&sort=-name
GET /leads?sort=name
GET /leads?sort=-status,name&limit=3&count=true
GET /leads?sort=email,-id&limit=1000
GET /leads?sort=created_at
GET /leads?limit=0
GET /leads?sort=nope
GET /leads?after=zz
GET /leads?status=won
GET /leads?status=ne:won
GET /leads?status=in:won,lost
GET /leads?name=is:null
GET /leads?name=is:notnull&count=true&limit=1
GET /leads?name=gt:B
GET /leads?name=lte:Zo%C3%AB
GET /leads?name=like:%25cole%25
GET /leads?name=like:%C3%A9COLE%25
GET /leads?name=like:%25100\%25\_%25
GET /leads?name=like:%25k%20AND%20S%25
GET /leads?name=like:a\
GET /leads?email=like:ADA%25
GET /leads?email=ZO%C3%8B@example.com
GET /leads?email=in:b@example.com,c@example.com
GET /leads?email=gt:b@example.com
GET /leads?q=ada
GET /leads?q=ZO%C3%8B&count=true
GET /leads?q=%CF%83%CE%B1%CF%82
GET /leads?q=100%25
GET /leads?q=won&sort=-name&limit=1
GET /leads?id=gt:2&id=lt:5
GET /leads?id=in:1,3,99
GET /leads?id=gt:-9223372036854775808
GET /leads?id=gt:9223372036854775808
GET /leads?created_at=gte:2020-01-01&limit=1
GET /leads?created_at=lt:2020-01-01
POST /processes?tz=America/New_York {"name":"z","next_followup_datetime":"2020-11-27 09:00"}
PUT /processes/3?tz=Asia/Tokyo {"next_followup_datetime":"2020-11-28"}
GET /processes?next_followup_datetime=2020-11-27&tz=America/New_York
GET /processes?next_followup_datetime=ne:2020-11-27T05:00Z/2020-11-28T05:00Z
GET /processes?tz=Mars
GET /leads?attributes.size=10
GET /leads?attributes.size=10.0
GET /leads?attributes.size=gt:9
GET /leads?attributes.size=ne:10
GET /leads?attributes.size=in:10,100
GET /leads?attributes.size=is:null
GET /leads?attributes.size=is:notnull&sort=-id&limit=2
GET /leads?attributes.company=like:%25me
GET /leads?attributes.company=ACME&count=true
GET /leads?attributes.k%22ey=v
GET /leads?attributes.big=12345678901234567890.1
GET /leads?attributes.nested=%7B%22a%22:1%7D
GET /leads?attributes=like:%25tags%25
GET /leads?name=%00
GET /leads?name=%ff
GET /leads?foo=1
GET /actions?timestamp=2020-01-02
GET /actions?timestamp=ne:2020-01-02
GET /actions?lead_id=1&sort=-timestamp
GET /actions?details=second
GET /actions?description=second
GET /processes?next_followup_datetime=is:null
GET /processes?sort=next_followup_datetime
GET /processes?sort=-next_followup_datetime&limit=1
GET /processes?channel=phone
DELETE /leads/1
DELETE /leads/1?cascade=maybe
DELETE /actions/2
GET /processes/1
DELETE /leads/1?cascade=true
DELETE /leads/1
DELETE /leads/99
GET /actions
GET /processes
GET /leads?count=true
GET /nothing
PATCH /leads
POST /leads {"email":"last@example.com"}
"#
    .trim()
    .lines()
    .map(str::to_string)
    .collect();
    // Longer than an entry of an index may be.
    lines.push(format!(
        r#"POST /leads {{"email":"h@example.com","status":"{long}"}}"#
    ));
    lines.push(format!("GET /leads?status={long}"));
    lines.push(format!("GET /leads?status=in:won,{long}"));
    lines.push("GET /leads?sort=-status&limit=2".into());
    for refused in [
        r#"POST /actions {"action_type":"x","lead_id":99}"#,
        r#"POST /processes {"name":"x","lead_id":98,"last_action_id":97}"#,
        r#"POST /actions {"action_type":"","lead_id":99}"#,
    ] {
        lines.push(refused.into());
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn both_databases_answer_alike() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let home = Home::new();
    let (one, other) = (home.serve(&["--db", "crm.db"]), home.serve(&["--db", &url]));
    for line in requests() {
        let (expected, found) = (ask(one.address(), &line), ask(other.address(), &line));
        assert_eq!(found, expected, "{line}");
        // Pages are walked to their end.
        let mut next = follow(&expected);
        while let Some(path) = next {
            let line = format!("GET {path}");
            let (expected, found) = (ask(one.address(), &line), ask(other.address(), &line));
            assert_eq!(found, expected, "{line}");
            next = follow(&expected);
        }
    }
}

/// The next page of an answer that has one.
fn follow(answer: &str) -> Option<String> {
    let (_, rest) = answer.split_once("\nlink: <")?;
    Some(rest.split_once('>')?.0.to_string())
}
