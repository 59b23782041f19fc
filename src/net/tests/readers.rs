//! Clients that read slowly or not at all, and responses that break off.

use std::io;
use std::time::Duration;

use tokio::io::AsyncReadExt;

use crate::net::limits::ConnectionLimits;
use crate::net::tests::server::{Server, generous, within};

#[tokio::test]
async fn a_client_that_stops_reading_is_cut_and_one_that_reads_is_not() {
    let limits = ConnectionLimits {
        rate_window: Duration::from_millis(300),
        // So that what its kernel takes gives a client that does not read no more than moments.
        rate: 1 << 30,
        ..generous()
    };
    one_is_cut(limits, "/endless").await;
}

#[tokio::test]
async fn a_slow_client_that_holds_wanted_memory_is_cut() {
    let limits = ConnectionLimits {
        hold: Duration::from_secs(1),
        ..generous()
    };
    one_is_cut(limits, "/wanted").await;
}

/// Two clients request this path. The one that does not read is cut.
async fn one_is_cut(limits: ConnectionLimits, path: &str) {
    let mut server = Server::start(limits).await;
    let mut stopped = server.connect().await;
    let mut reading = server.connect().await;
    stopped.get(path).await;
    reading.get(path).await;
    let mut buffer = vec![0; 64 * 1024];
    within(async {
        loop {
            tokio::select! {
                biased;
                dropped = server.dropped.recv() => return dropped.expect("the server runs"),
                read = reading.0.read(&mut buffer) => assert!(read.is_ok_and(|count| count > 0), "cut the wrong one"),
            }
        }
    })
    .await;
    // The other client continues. The one that was cut has lost the bytes in flight.
    for _ in 0..100 {
        let read = within(reading.0.read_exact(&mut buffer)).await;
        read.expect("it goes on");
    }
    let mut rest = Vec::new();
    let end = within(stopped.0.read_to_end(&mut rest)).await;
    assert_eq!(
        end.map_err(|error| error.kind()),
        Err(io::ErrorKind::ConnectionReset)
    );
}

#[tokio::test]
async fn a_response_that_fails_midway_looks_broken() {
    let server = Server::start(generous()).await;
    // In HTTP/1.0 the end of the connection is the end of the response.
    for version in ["1.0", "1.1"] {
        let mut client = server.connect().await;
        client
            .send(&format!("GET /fails HTTP/{version}\r\nHost: crm\r\n\r\n"))
            .await;
        let mut answer = Vec::new();
        let end = within(client.0.read_to_end(&mut answer)).await;
        assert!(end.is_err(), "{}", String::from_utf8_lossy(&answer));
    }
}
