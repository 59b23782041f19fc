//! The line of a request in each form of the log.

use super::*;

fn line<'a>(method: &'a Method, path: &'a str) -> RequestLine<'a> {
    RequestLine {
        method,
        path,
        status: Some(200),
        took: Duration::from_nanos(12_045_999),
        bytes: 1_234,
        client: IpAddr::from([192, 0, 2, 1]),
        id: "0123456789abcdef",
        who: None,
        broken: false,
    }
}

fn written(form: Form, line: &RequestLine<'_>) -> String {
    let mut out = Vec::new();
    line.write(form, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn the_line_of_a_request_in_text() {
    let one = line(&Method::GET, "/leads/1");
    assert_eq!(
        written(Form::Text, &one),
        " GET /leads/1 200 12.045ms 1234B 192.0.2.1 0123456789abcdef -"
    );
    let other = RequestLine {
        status: None,
        took: Duration::ZERO,
        client: std::net::Ipv6Addr::LOCALHOST.into(),
        who: Some("ci"),
        broken: true,
        ..line(&Method::POST, "/leads")
    };
    assert_eq!(
        written(Form::Text, &other),
        " POST /leads - 0.000ms 1234B ::1 0123456789abcdef ci broke off"
    );
}

#[test]
fn the_line_of_a_request_in_json() {
    let json = |line: &RequestLine<'_>| {
        let text = format!("{{\"level\":\"INFO\"{}}}", written(Form::Json, line));
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let one = RequestLine {
        id: "a\"\\b",
        ..line(&Method::GET, "/leads/\"1\"")
    };
    let expected = serde_json::json!({
        "level": "INFO", "message": "request", "method": "GET", "path": "/leads/\"1\"",
        "status": 200, "duration_ms": 12.045, "bytes": 1234, "client": "192.0.2.1",
        "request_id": "a\"\\b", "token": null, "broken": false,
    });
    assert_eq!(json(&one), expected);
    let long = "/é".repeat(LONGEST_PATH);
    let other = RequestLine {
        status: None,
        who: Some("ci"),
        broken: true,
        ..line(&Method::GET, &long)
    };
    let other = json(&other);
    assert_eq!(other["status"], serde_json::Value::Null);
    assert_eq!(
        (&other["token"], &other["broken"]),
        (&"ci".into(), &true.into())
    );
    let path = other["path"].as_str().unwrap();
    assert!(
        path.ends_with("…") && path.len() <= LONGEST_PATH + 3,
        "{path}"
    );
}

#[test]
fn misleading_characters_and_secrets_are_not_in_a_line() {
    let secret = token::Secret::new().unwrap();
    let path = format!("/leads/{}\u{85}\u{202e}x", secret.text());
    let method = Method::from_bytes(&[b'M'; 100]).unwrap();
    let one = RequestLine {
        id: secret.text(),
        ..line(&method, &path)
    };
    for form in [Form::Text, Form::Json] {
        let written = written(form, &one);
        assert!(!written.contains(&secret.text()[12..]), "{written}");
        assert!(written.contains(secret.start()), "{written}");
        assert!(!written.contains(&"M".repeat(LONGEST_METHOD + 1)));
    }
    for method in [secret.text().into(), format!("X{}", secret.text())] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let line = line(&method, "/leads");
        for form in [Form::Text, Form::Json] {
            let written = written(form, &line);
            assert!(
                written.contains(&format!("{}…", secret.start())),
                "{written}"
            );
            assert!(!written.contains(&secret.text()[..9]), "{written}");
        }
    }
    let text = written(Form::Text, &one);
    assert!(text.contains(r"\u{85}\u{202e}x"), "{text}");
}
