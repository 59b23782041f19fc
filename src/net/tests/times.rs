//! The times of idle connections and of heads.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use crate::net::hits::Limit;
use crate::net::limits::ConnectionLimits;
use crate::net::tests::server::{Server, generous, within};

#[tokio::test]
async fn a_connection_that_sends_nothing_is_closed() {
    let limits = ConnectionLimits {
        idle: Duration::from_millis(150),
        ..generous()
    };
    let server = Server::start(limits).await;
    let start = Instant::now();
    assert_eq!(server.connect().await.rest().await, "");
    assert!(start.elapsed() >= limits.idle);
    server.has_hit(Limit::IdleTimeout, 1).await;
}

#[tokio::test]
async fn a_connection_without_a_next_request_is_closed() {
    let limits = ConnectionLimits {
        idle: Duration::from_millis(150),
        ..generous()
    };
    let server = Server::start(limits).await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.get("/now").await;
        client.read_until("\r\n\r\nnow").await;
    }
    let start = Instant::now();
    assert_eq!(client.rest().await, "");
    // The client may have read the response a moment after the server was done with it.
    assert!(start.elapsed() >= limits.idle / 2);
}

#[tokio::test]
async fn a_head_that_drips_in_is_cut_while_bytes_still_come() {
    let limits = ConnectionLimits {
        head: Duration::from_millis(200),
        ..generous()
    };
    let server = Server::start(limits).await;
    let mut client = server.connect().await;
    let start = Instant::now();
    client.send("GET /now HTTP/1.1\r\nHost: ").await;
    let drip = async {
        loop {
            // A failure to write says that the connection is gone, as does the end of reading.
            let _ = client.0.write_all(b"x").await;
            if let Ok(read) = timeout(Duration::from_millis(5), client.0.read_u8()).await {
                return read;
            }
        }
    };
    within(drip).await.expect_err("nothing but the end");
    assert!(start.elapsed() >= limits.head);
    server.has_hit(Limit::HeadTimeout, 1).await;
}

#[tokio::test]
async fn the_time_for_a_head_ends_with_the_head() {
    let limits = ConnectionLimits {
        head: Duration::from_millis(100),
        idle: Duration::from_millis(100),
        ..generous()
    };
    let server = Server::start(limits).await;
    let mut client = server.connect().await;
    client
        .send("POST /length HTTP/1.1\r\nHost: crm\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n")
        .await;
    client.read_until("HTTP/1.1 100 Continue\r\n\r\n").await;
    client.send("abc").await;
    // Two connections that were opened later are closed because their time is over.
    assert_eq!(server.connect().await.rest().await, "");
    let mut other = server.connect().await;
    other.send("GET").await;
    assert_eq!(other.rest().await, "");
    client.send("def").await;
    let answer = client.read_until("\r\n\r\n6").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
