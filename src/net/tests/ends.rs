//! How connections end: early responses, clients that are gone, and the end of the service.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::net::limits::ConnectionLimits;
use crate::net::tests::server::{Server, generous, within};

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

#[tokio::test]
async fn work_for_a_client_that_has_gone_is_given_up() {
    let mut server = Server::start(generous()).await;
    let mut client = server.connect().await;
    client.get("/held").await;
    within(server.began.notified()).await;
    drop(client);
    assert_eq!(within(server.dropped.recv()).await, Some(()));
}
