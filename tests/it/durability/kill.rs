//! The server is killed, again and again, over one database that grows.

use std::time::Instant;

use super::load::{Book, Load};
use super::{integrity, length, say};
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
        "{kills} kills under load: 0 of {} acknowledged writes lost, none doubled, integrity ok ({:.0?})",
        book.acknowledged(),
        begun.elapsed()
    ));
}
