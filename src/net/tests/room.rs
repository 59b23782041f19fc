//! Who is admitted when there are too many connections, and who is evicted.

use tokio::io::AsyncReadExt;

use crate::net::hits::Limit;
use crate::net::limits::ConnectionLimits;
use crate::net::tests::server::{HELD, Server, generous, within};

#[tokio::test]
async fn a_new_address_is_admitted_when_others_hold_all_connections() {
    let limits = ConnectionLimits {
        connections: 6,
        ..generous()
    };
    let server = Server::start(limits).await;
    // Three connections of one address and two of another. One of the first three is busy.
    let mut many = Vec::new();
    for _ in 0..3 {
        many.push(server.connect_from([127, 0, 0, 2]).await);
    }
    let mut few = Vec::new();
    for _ in 0..3 {
        few.push(server.connect_from([127, 0, 0, 3]).await);
    }
    for client in few.iter_mut().chain(&mut many[1..]) {
        client.get("/now").await;
        client.read_until("\r\n\r\nnow").await;
    }
    many[0].send(HELD).await;
    within(server.began.notified()).await;
    drop(few.pop());
    within(async {
        // There is room as soon as the server has seen the end.
        loop {
            let mut client = server.connect_from([127, 0, 0, 2]).await;
            client.get("/now").await;
            if client.0.read_u8().await.is_ok() {
                many.push(client);
                return;
            }
        }
    })
    .await;
    many[3].read_until("\r\n\r\nnow").await;
    let refused = server.hits.of(Limit::Connections);

    // Other addresses connect. Of the address with the most connections, those that have waited longest are evicted; the
    // busy one stays.
    let mut others = Vec::new();
    for (last, gone) in [(4, 1), (5, 2)] {
        let mut client = server.connect_from([127, 0, 0, last]).await;
        client.get("/now").await;
        client.read_until("\r\n\r\nnow").await;
        others.push(client);
        assert!(within(many[gone].0.read_u8()).await.is_err(), "{gone}");
        server
            .has_hit(Limit::Connections, refused + u64::from(last) - 3)
            .await;
    }
    // No address has two more connections than the new one, so none is evicted for it.
    for _ in 0..5 {
        assert_eq!(server.connect_from([127, 0, 0, 4]).await.rest().await, "");
    }
    server.release.notify_one();
    many[0].read_until("\r\n\r\nheld").await;
    for client in few.iter_mut().chain(&mut others).chain(&mut many[3..]) {
        client.get("/now").await;
        client.read_until("\r\n\r\nnow").await;
    }
}

#[tokio::test]
async fn a_write_is_never_evicted_and_a_waiting_connection_goes_first() {
    let limits = ConnectionLimits {
        connections: 6,
        ..generous()
    };
    let server = Server::start(limits).await;
    let mut busy = Vec::new();
    // The last one has a body that nobody has started to read.
    for request in [
        HELD,
        HELD,
        "POST /held HTTP/1.1\r\nHost: crm\r\nContent-Length: 6\r\n\r\n",
    ] {
        let mut client = server.connect_from([127, 0, 0, 2]).await;
        client.send(request).await;
        within(server.began.notified()).await;
        busy.push(client);
    }
    let mut read = server.connect_from([127, 0, 0, 3]).await;
    read.get("/held").await;
    within(server.began.notified()).await;
    let mut slow = server.connect_from([127, 0, 0, 3]).await;
    slow.send(
        "POST /length HTTP/1.1\r\nHost: crm\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n",
    )
    .await;
    slow.read_until("HTTP/1.1 100 Continue\r\n\r\n").await;
    let mut idle = server.connect_from([127, 0, 0, 3]).await;
    idle.get("/now").await;
    idle.read_until("\r\n\r\nnow").await;

    // The longest wait goes first. The idle connection got its response last.
    for (last, gone) in [(4, &mut slow), (5, &mut idle)] {
        let mut other = server.connect_from([127, 0, 0, last]).await;
        other.get("/now").await;
        other.read_until("\r\n\r\nnow").await;
        assert!(within(gone.0.read_u8()).await.is_err(), "{last}");
        server
            .has_hit(Limit::Connections, u64::from(last) - 3)
            .await;
        drop(other);
        // Its seat is taken again.
        let mut same = server.connect_from([127, 0, 0, 3]).await;
        same.get("/held").await;
        within(server.began.notified()).await;
        std::mem::swap(&mut same, gone);
    }
    // When no connection waits, a read is evicted.
    let before = server.hits.of(Limit::Connections);
    let mut other = server.connect_from([127, 0, 0, 6]).await;
    other.get("/now").await;
    other.read_until("\r\n\r\nnow").await;
    server.has_hit(Limit::Connections, before + 1).await;
    assert!(within(read.0.read_u8()).await.is_err());
    for client in &mut busy {
        server.release.notify_one();
        client.read_until("\r\n\r\nheld").await;
    }
}

#[tokio::test]
async fn busy_writes_leave_the_reserve_to_new_addresses() {
    let limits = ConnectionLimits {
        connections: 32,
        ..generous()
    };
    let server = Server::start(limits).await;
    // All but the last two of 32 connections are busy writes of two addresses.
    let mut busy = Vec::new();
    for number in 0..30 {
        let mut client = server.connect_from([127, 0, 0, 2 + number % 2]).await;
        client.send(HELD).await;
        within(server.began.notified()).await;
        busy.push(client);
    }
    // The two addresses get no more, and neither does an address that already has one of the last two.
    let mut others = Vec::new();
    for (last, full) in [(4, false), (5, false), (6, true)] {
        let known = if full { 5 } else { 3 };
        let refused = server.hits.of(Limit::Connections);
        assert_eq!(
            server.connect_from([127, 0, 0, known]).await.rest().await,
            ""
        );
        server.has_hit(Limit::Connections, refused + 1).await;
        let mut other = server.connect_from([127, 0, 0, last]).await;
        if full {
            assert_eq!(other.rest().await, "");
            continue;
        }
        other.get("/now").await;
        other.read_until("\r\n\r\nnow").await;
        others.push(other);
    }
    for client in &mut busy {
        server.release.notify_one();
        client.read_until("\r\n\r\nheld").await;
    }
    for client in &mut others {
        client.get("/now").await;
        client.read_until("\r\n\r\nnow").await;
    }
}

#[tokio::test]
async fn connections_over_the_limit_are_closed_at_once_and_later_ones_are_served() {
    let limits = ConnectionLimits {
        connections: 2,
        ..generous()
    };
    let server = Server::start(limits).await;
    let mut open = [server.connect().await, server.connect().await];
    for client in &mut open {
        client.get("/now").await;
        client.read_until("\r\n\r\nnow").await;
    }
    for _ in 0..20 {
        assert_eq!(server.connect().await.rest().await, "");
    }
    server.has_hit(Limit::Connections, 20).await;
    for client in &mut open {
        client.get("/now").await;
        client.read_until("\r\n\r\nnow").await;
    }
    drop(open);
    let answer = server.serves_again().await;
    assert!(answer.ends_with("\r\n\r\nnow"), "{answer}");
}
