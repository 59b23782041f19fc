//! How connections end: early responses, clients that are gone, and the end of the service.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::net::limits::ConnectionLimits;
use crate::net::tests::server::{Client, Server, generous, within};

#[tokio::test]
async fn an_early_response_reaches_a_client_that_keeps_sending() {
    let server = Server::start(generous()).await;
    let body = "x".repeat(8 * 1024 * 1024);
    for head in [
        format!(
            "POST /early HTTP/1.1\r\nHost: crm\r\nContent-Length: {}\r\n\r\n",
            body.len()
        ),
        "POST /early HTTP/1.1\r\nHost: crm\r\nTransfer-Encoding: chunked\r\n\r\n800000\r\n".into(),
    ] {
        let mut client = server.connect().await;
        client.send(&head).await;
        client.send(&body).await;
        let answer = client.read_until("\r\n\r\nearly").await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
        assert_eq!(client.rest().await, "");
    }
}

#[tokio::test]
async fn a_client_that_never_stops_sending_is_cut() {
    let limits = ConnectionLimits {
        linger: Duration::from_millis(100),
        connections: 1,
        ..generous()
    };
    let server = Server::start(limits).await;
    let mut client = server.connect().await;
    client
        .send("POST /early HTTP/1.1\r\nHost: crm\r\nContent-Length: 1000000000\r\n\r\n")
        .await;
    client.read_until("\r\n\r\nearly").await;
    let cut = async { while client.0.write_all(b"x").await.is_ok() {} };
    within(cut).await;
}

#[tokio::test]
async fn a_connection_that_ends_normally_is_closed_at_once() {
    // If the connection lingered, the only seat would stay taken.
    let limits = ConnectionLimits {
        connections: 1,
        ..generous()
    };
    let server = Server::start(limits).await;
    let mut client = server.connect().await;
    client
        .send("POST /length HTTP/1.1\r\nHost: crm\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        .await;
    assert!(client.rest().await.ends_with("\r\n\r\n3"));
    // The first client has not closed its side yet.
    server.serves_again().await;
    drop(client);
}

#[tokio::test]
async fn stopping_answers_the_requests_that_were_read() {
    let server = Server::start(generous()).await;
    let mut idle = server.connect().await;
    idle.get("/now").await;
    idle.read_until("\r\n\r\nnow").await;
    let mut fresh = server.connect().await;
    let mut client = server.connect().await;
    client.get("/held").await;
    within(server.began.notified()).await;

    server.stop.send(()).expect("the server runs");
    assert_eq!(idle.rest().await, "");
    assert_eq!(fresh.rest().await, "");
    let refused = async { while TcpStream::connect(server.address).await.is_ok() {} };
    within(refused).await;
    assert!(!server.task.is_finished());

    server.release.notify_one();
    let answer = client.rest().await;
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nheld"), "{answer}");
    within(server.task).await.expect("it ends well");
}

#[tokio::test]
async fn stopping_cuts_responses_that_do_not_end() {
    let limits = ConnectionLimits {
        drain: Duration::from_millis(100),
        ..generous()
    };
    let mut server = Server::start(limits).await;
    let mut client = server.connect().await;
    client.get("/endless").await;
    client.read_until("xxxx").await;
    server.stop.send(()).expect("the server runs");
    let reading = tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match client.0.read(&mut buffer).await {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(error.kind()),
            }
        }
    });
    within(server.task).await.expect("it ends well");
    // No part of the response is alive any more.
    server.dropped.try_recv().expect("it was dropped");
    let end = within(reading).await.expect("the client ends well");
    assert_eq!(end, Some(io::ErrorKind::ConnectionReset));
}

/// Begins a request that takes until it is released.
async fn held(server: &Server) -> Client {
    let mut client = server.connect().await;
    client.get("/held").await;
    within(server.began.notified()).await;
    client
}

/// Resets the connection.
fn reset(client: Client) {
    client.0.set_zero_linger().expect("an open socket");
}

#[tokio::test]
async fn a_client_that_ends_only_its_side_gets_its_response() {
    let server = Server::start(generous()).await;
    let mut client = held(&server).await;
    client.0.shutdown().await.expect("an open socket");
    // The end has come to the server before these responses.
    let mut other = server.connect().await;
    other.get("/now").await;
    other.get("/now").await;
    other.0.shutdown().await.expect("an open socket");
    let answer = other.rest().await;
    assert_eq!(answer.matches("\r\n\r\nnow").count(), 2, "{answer}");

    server.release.notify_one();
    let answer = client.rest().await;
    assert!(answer.ends_with("\r\n\r\nheld"), "{answer}");
}

#[tokio::test]
async fn a_body_that_ends_too_early_is_refused() {
    let server = Server::start(generous()).await;
    for request in [
        "POST /length HTTP/1.1\r\nHost: crm\r\nContent-Length: 6\r\n\r\nabc",
        "POST /length HTTP/1.1\r\nHost: crm\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ] {
        let mut client = server.connect().await;
        client.send(request).await;
        client.0.shutdown().await.expect("an open socket");
        let answer = client.rest().await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
    // So is half a head, to which there is nothing to say.
    let mut client = server.connect().await;
    client.send("GET /now HTTP/1.1\r\nHost").await;
    client.0.shutdown().await.expect("an open socket");
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn work_for_a_client_that_has_reset_the_connection_is_given_up() {
    let mut server = Server::start(generous()).await;
    reset(held(&server).await);
    assert_eq!(within(server.dropped.recv()).await, Some(()));

    // Its end, or its next request, is there already and unread.
    let mut client = held(&server).await;
    client.0.shutdown().await.expect("an open socket");
    reset(client);
    assert_eq!(within(server.dropped.recv()).await, Some(()));
    let mut client = held(&server).await;
    client.get("/now").await;
    reset(client);
    assert_eq!(within(server.dropped.recv()).await, Some(()));
}

#[tokio::test]
async fn a_client_that_has_closed_is_noticed_by_writing() {
    let mut server = Server::start(generous()).await;
    let mut client = server.connect().await;
    client.get("/endless").await;
    client.read_until("xxxx").await;
    drop(client);
    assert_eq!(within(server.dropped.recv()).await, Some(()));
}
