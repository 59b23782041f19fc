//! Where we stand: the numbers are those of the records.

use crm::base::time::{self, Zone, week_start};
use crm::model::action::ACTION;
use crm::model::lead::LEAD;
use crm::model::process::PROCESS;
use crm::ops::stats::AskStats;
use crm::store::any::AnyStore;
use crm::store::contract::Store;
use serde_json::Value;

use crate::contract::create;
use crate::support::{Home, Service, client};

pub async fn the_numbers_are_those_of_the_records(store: AnyStore) {
    let empty = store.inquire(AskStats::of(Zone::UTC)).await.unwrap();
    assert_eq!((empty.leads, empty.weeks.len(), empty.due), (0, 12, [0; 5]));
    assert_eq!(empty.statuses, []);
    for (at, status) in ["new", "won", "new", "new"].into_iter().enumerate() {
        create(
            &store,
            &LEAD,
            &format!(r#"{{"email":"a{at}@b.cc","status":"{status}"}}"#),
        )
        .await;
    }
    // Monday at the beginning of the week, and a second before it.
    let zone = Zone::named("Asia/Tokyo").unwrap();
    let now = time::now();
    let (monday, start) = week_start(&now, &zone, 0).unwrap();
    let begin: std::time::SystemTime = time::read_stored(&start).unwrap();
    let before = time::stored(begin - std::time::Duration::from_secs(1)).unwrap();
    let old = "2001-01-01 00:00:00";
    for (lead, kind, at) in [
        (1, "call", &*start),
        (1, "mail", &before),
        (2, "call", &before),
        (3, "call", old),
    ] {
        let action = format!(r#"{{"lead_id":{lead},"action_type":"{kind}","timestamp":"{at}"}}"#);
        create(&store, &ACTION, &action).await;
    }
    for (name, next, status) in [
        ("a", "\"2001-01-01 09:00:00\"", "active"),
        ("b", "\"9000-01-01 09:00:00\"", "active"),
        ("c", "null", "active"),
        ("d", "\"2001-01-01 09:00:00\"", "done"),
    ] {
        let process = format!(
            r#"{{"name":"{name}","lead_id":1,"next_followup_datetime":{next},"status":"{status}"}}"#
        );
        create(&store, &PROCESS, &process).await;
    }
    let stats = store.inquire(AskStats::of(zone)).await.unwrap();
    let counted = |all: &[(&str, i64)]| -> Vec<(String, i64)> {
        all.iter()
            .map(|(word, count)| (word.to_string(), *count))
            .collect()
    };
    assert_eq!((stats.leads, &stats.tz[..]), (4, "Asia/Tokyo"));
    assert_eq!(stats.statuses, counted(&[("new", 3), ("won", 1)]));
    assert_eq!((stats.never_contacted, stats.not_recently), (1, 1));
    assert_eq!(stats.due, [1, 0, 0, 1, 1]);
    let [.., last, current] = &stats.weeks[..] else {
        panic!("{stats:?}");
    };
    assert_eq!(
        (&current.monday, current.leads, current.actions),
        (&monday, 4, 1)
    );
    assert_eq!(current.types, counted(&[("call", 1)]));
    assert_eq!((last.leads, last.actions), (0, 2));
    assert_eq!(last.types, counted(&[("call", 1), ("mail", 1)]));
    assert_eq!(
        stats.weeks[..10]
            .iter()
            .map(|week| week.actions)
            .sum::<i64>(),
        0
    );
}

#[tokio::test]
async fn a_service_tells_where_we_stand() {
    let service = Service::start().await;
    create(&service.store, &LEAD, r#"{"email":"a@b.cc"}"#).await;
    let get = async |path: &str| {
        let sent = client()
            .get(format!("{}{path}", service.url))
            .send()
            .await
            .unwrap();
        let status = sent.status().as_u16();
        let json: Value = serde_json::from_str(&sent.text().await.unwrap()).unwrap();
        (status, json)
    };
    let (status, stats) = get("/stats?tz=America/New_York").await;
    assert_eq!((status, &stats["tz"]), (200, &"America/New_York".into()));
    assert_eq!(stats["leads_by_status"][0]["status"], "new");
    assert_eq!(stats["weeks"][11]["new_leads"], 1);
    assert_eq!(get("/stats").await.1["tz"], "UTC");
    let (status, refused) = get("/stats?tz=Nowhere/Land").await;
    assert_eq!((status, refused["fields"]["tz"].is_string()), (400, true));
    assert_eq!(get("/stats?x=1").await.0, 400);
    service.stop().await;
}

#[test]
fn a_command_tells_where_we_stand() {
    let home = Home::new();
    let crm = |line: &str| home.line(&format!("{line} --db crm.db"));
    crm("lead create --email ada@b.cc --name Ada").ok();
    crm("log 1 call hello").ok();
    let shown = crm("stats").ok();
    // Without a terminal there are numbers alone.
    assert!(shown.starts_with("Leads: 1\n  new  1\n"), "{shown}");
    assert!(
        shown.contains("  new leads  0 0 0 0 0 0 0 0 0 0 0 1\n"),
        "{shown}"
    );
    assert!(
        shown.contains("    call     0 0 0 0 0 0 0 0 0 0 0 1\n"),
        "{shown}"
    );
    assert!(shown.contains("  never contacted  0\n"), "{shown}");
    let json: Value = serde_json::from_str(&crm("stats -o json --tz Europe/Berlin").ok()).unwrap();
    assert_eq!(
        (&json["leads"], &json["tz"]),
        (&1.into(), &"Europe/Berlin".into())
    );
    let csv = crm("stats -o csv").ok();
    assert!(
        csv.starts_with("what,name,week,count\nleads,,,1\nleads_by_status,new,,1\n"),
        "{csv}"
    );
    assert_eq!(crm("stats -o id").ok(), "1\n");
}
