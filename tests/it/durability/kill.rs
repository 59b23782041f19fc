//! The server is killed, again and again, over one database that grows.

use std::time::Instant;

use super::load::{Book, Load};
use super::{integrity, length, say};
use crate::cluster;
use crate::support::Home;

#[test]
fn what_was_acknowledged_survives_kills() {
    let kills = length(8, 200);
    let begun = Instant::now();
    let home = Home::new();
    let mut book = Book::default();
    for round in 0..=kills {
        let mut server = home.serve(&["--db", "crm.db"]);
        let lost = book.compare(&home, "crm.db");
        assert!(lost.is_empty(), "kill {round} has lost {lost:?}");
        assert_eq!(integrity(&home.path("crm.db")), "ok", "kill {round}");
        if round == kills {
            assert_eq!(server.stop().0.code(), Some(0));
            break;
        }
        // So many that a commit takes a while.
        let load = Load::start(server.address(), 32, &format!("r{round}"));
        load.until_some_moment(length(200, 2_000));
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        book.enter(load.end());
    }
    say(&format!(
        "{kills} kills under load: 0 of {} acknowledged writes lost, none doubled, integrity ok, {} changes agree with \
         the records ({:.0?})",
        book.acknowledged(),
        book.changes(),
        begun.elapsed()
    ));
}

/// One of three servers over a PostgreSQL is killed while the others go on, then all of them are.
#[tokio::test]
async fn what_was_acknowledged_survives_kills_over_postgres() {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let test = tokio::task::spawn_blocking(move || {
        let kills = length(4, 100);
        let begun = Instant::now();
        let home = Home::new();
        let mut book = Book::default();
        let serve = || home.serve(&["--db", &url]);
        let mut servers = [serve(), serve(), serve()];
        for round in 0..kills {
            let loads = [0, 1, 2]
                .map(|at| Load::patient(servers[at].address(), 8, &format!("r{round}s{at}")));
            for (at, load) in loads.iter().enumerate() {
                load.until_some_moment(length(100, 400));
                servers[at].child.kill().unwrap();
                servers[at].child.wait().unwrap();
            }
            loads.into_iter().for_each(|load| book.enter(load.end()));
            servers = [serve(), serve(), serve()];
            let lost = book.compare(&home, &url);
            assert!(lost.is_empty(), "round {round} has lost {lost:?}");
        }
        say(&format!(
            "{kills} kills of each of three servers over PostgreSQL: 0 of {} acknowledged writes lost, none doubled, {} \
             changes agree with the records ({:.0?})",
            book.acknowledged(),
            book.changes(),
            begun.elapsed()
        ));
    });
    test.await.unwrap();
}
