//! The rules of HTTP/1.1.

use crate::net::tests::server::{Server, generous};

#[tokio::test]
async fn a_request_has_one_host() {
    let server = Server::start(generous()).await;
    for head in [
        "GET /now HTTP/1.1\r\n\r\n",
        "GET /now HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET /now HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET http://a/now HTTP/1.1\r\n\r\n",
    ] {
        let mut client = server.connect().await;
        client.send(head).await;
        let answer = client.rest().await;
        assert!(answer.contains(" 400 Bad Request\r\n"), "{answer}");
        let expected = "\r\n\r\n{\"error\":\"Host: expected exactly one Host header\"}";
        assert!(answer.ends_with(expected), "{answer}");
    }
    for head in [
        "GET /now HTTP/1.0\r\n\r\n",
        "GET /now HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ] {
        let mut client = server.connect().await;
        client.send(head).await;
        let answer = client.rest().await;
        assert!(answer.ends_with("\r\n\r\nnow"), "{answer}");
    }
}

#[tokio::test]
async fn requests_sent_at_once_are_answered_in_order() {
    let server = Server::start(generous()).await;
    let mut client = server.connect().await;
    let body = "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab";
    let plain = "GET /now HTTP/1.1\r\nHost: a\r\n\r\n";
    let last = "GET /now HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    client.send(&[body, plain, body, last].concat()).await;
    let answers = client.rest().await;
    let bodies: Vec<&str> = answers
        .split("\r\n\r\n")
        .skip(1)
        .map(|part| part.split("HTTP/1.1").next().unwrap_or_default())
        .collect();
    assert_eq!(bodies, ["2", "now", "2", "now"]);
}

#[tokio::test]
async fn a_head_too_large_is_refused_and_the_response_arrives() {
    let server = Server::start(generous()).await;
    let mut client = server.connect().await;
    let line = format!("X: {}\r\n", "x".repeat(1000));
    client.send("GET /now HTTP/1.1\r\nHost: a\r\n").await;
    client.send(&line.repeat(8000)).await;
    let answer = client.rest().await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}
