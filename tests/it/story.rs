//! The story of a lead: its timeline, its summary, and a day of work with both.

use std::collections::HashSet;

use crm::base::error::{Code, Error};
use crm::base::time::Zone;
use crm::model::action::ACTION;
use crm::model::author::Author;
use crm::model::draft::Purpose;
use crm::model::lead::LEAD;
use crm::model::process::PROCESS;
use crm::model::query::pairs;
use crm::model::record::Record;
use crm::model::terms::Terms;
use crm::ops::Records;
use crm::ops::story::Timeline;
use crm::ops::summary::Summarize;
use crm::ops::timeline::{PORTION, list};
use crm::ops::undo::Undo;
use crm::ops::update::Update;
use crm::store::any::AnyStore;
use crm::store::contract::Store;
use crm::views::summary::Summary;
use serde_json::Value;

use crate::contract::{create, draft, update};

/// A page of a lead's timeline, and the cursor of the next one.
async fn try_page(
    store: &AnyStore,
    lead: i64,
    query: &str,
) -> Result<(Vec<Record>, Option<String>), Error> {
    let timeline = Timeline::new(lead, pairs(query)?, &Zone::UTC, PORTION)?;
    let mut listing = list(store, timeline, Vec::<Record>::new()).await?;
    let mut entries = Vec::new();
    while let Some(chunk) = listing.next_chunk().await? {
        entries.extend(chunk);
    }
    Ok((entries, listing.next))
}

/// The entries of a lead's timeline: `type id: what`.
async fn told(store: &AnyStore, lead: i64, query: &str) -> Vec<String> {
    let (entries, _) = try_page(store, lead, query).await.unwrap();
    entries.iter().map(line).collect()
}

fn line(entry: &Record) -> String {
    let (kind, id) = (text(entry, "type"), entry.get("id"));
    format!("{kind} {id}: {}", text(entry, "what"))
}

fn text<'r>(record: &'r Record, field: &str) -> &'r str {
    record.get(field).text().unwrap_or_default()
}

async fn summary(store: &AnyStore, lead: i64) -> Summary {
    store.inquire(Summarize::of(lead)).await.unwrap()
}

pub async fn a_timeline_has_all_of_a_lead_once(store: AnyStore) {
    let lead = r#"{"email": "ada@example.com", "name": "Ada"}"#;
    create(&store, &LEAD, lead).await;
    create(&store, &LEAD, r#"{"email": "other@example.com"}"#).await;
    let call = r#"{"lead_id": 1, "action_type": "call", "details": "Asked for a quote"}"#;
    create(&store, &ACTION, call).await;
    // With the id of the lead, and of another lead.
    create(&store, &ACTION, r#"{"lead_id": 2, "action_type": "note"}"#).await;
    let old = r#"{"lead_id": 1, "action_type": "mail", "timestamp": "2020-01-01"}"#;
    create(&store, &ACTION, old).await;
    let process = r#"{"lead_id": 1, "name": "Quote", "next_followup_datetime": "2999-01-02"}"#;
    create(&store, &PROCESS, process).await;
    create(&store, &PROCESS, r#"{"lead_id": 2, "name": "Not this"}"#).await;
    let behalf = Terms {
        author: Author {
            on_behalf_of: Some("grace".into()),
            ..Author::default()
        },
        ..Terms::default()
    };
    let change = draft(&LEAD, r#"{"status": "contacted"}"#, Purpose::Update);
    store.write(Update::new(1, change), behalf).await.unwrap();
    update(&store, &ACTION, 1, r#"{"details": "Asked for two quotes"}"#).await;
    let finished = r#"{"lead_id": 1, "name": "Over", "status": "done", "next_followup_datetime": "2999-01-01"}"#;
    create(&store, &PROCESS, finished).await;

    let (entries, next) = try_page(&store, 1, "").await.unwrap();
    assert_eq!(next, None);
    let lines: Vec<String> = entries.iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "process.due 1: follow-up: Quote",
            "process.created 3: created: Over",
            "lead.updated 1: status: new → contacted",
            "process.created 1: created: Quote",
            "action.created 1: call: Asked for two quotes",
            "lead.created 1: created: Ada <ada@example.com>",
            "action.created 3: mail",
        ]
    );
    let [due, _, updated, _, action, created, mail] = &entries[..] else {
        panic!("{lines:?}");
    };
    assert_eq!(text(due, "at"), "2999-01-02 00:00:00");
    assert_eq!((text(due, "by"), due.get("change").int()), ("", None));
    let who = (text(updated, "by"), text(updated, "on_behalf_of"));
    assert_eq!(who, ("-", "grace"));
    let previous: Value = serde_json::from_str(text(updated, "previous")).unwrap();
    assert_eq!(previous["status"], "new");
    // The edit is not an entry of its own, but it shows.
    assert_eq!((text(action, "by"), text(action, "edited_by")), ("-", "-"));
    assert!(!text(action, "edited_at").is_empty() && text(mail, "edited_at").is_empty());
    let record: Value = serde_json::from_str(text(action, "record")).unwrap();
    assert_eq!(record["details"], "Asked for two quotes");
    assert!(record.get("description").is_none(), "{record}");
    assert!(created.get("change").int() < action.get("change").int());
    assert_eq!(text(mail, "at"), "2020-01-01 00:00:00");
}

pub async fn a_timeline_has_what_was_deleted(store: AnyStore) {
    create(&store, &LEAD, r#"{"email": "ada@example.com"}"#).await;
    // Such letters are no field.
    let call = r#"{"lead_id": 1, "action_type": "call", "details": "\"lead_id\":7", "attributes": {"lead_id": 7}}"#;
    create(&store, &ACTION, call).await;
    create(
        &store,
        &ACTION,
        r#"{"action_type": "note", "attributes": {"lead_id": 1}}"#,
    )
    .await;
    create(&store, &PROCESS, r#"{"lead_id": 1, "name": "Spring"}"#).await;
    for (noun, id) in [(&ACTION, 1), (&ACTION, 2), (&PROCESS, 1)] {
        store.delete(noun, id, false).await.unwrap();
    }
    assert_eq!(
        told(&store, 1, "").await,
        [
            "process.deleted 1: deleted: Spring",
            "action.deleted 1: deleted: call, \"lead_id\":7",
            "process.created 1: created: Spring",
            "lead.created 1: created: ada@example.com",
        ]
    );
    // What is there again is an action, not a delete.
    let undo = |change| Undo::new(change, false);
    let (changes, _) = try_page(&store, 1, "type=action.deleted").await.unwrap();
    let change = changes[0].get("change").int();
    store.write(undo(change), Terms::default()).await.unwrap();
    let lines = told(&store, 1, "type=action.*").await;
    assert_eq!(lines, ["action.created 1: call: \"lead_id\":7"]);
    let (entries, _) = try_page(&store, 1, "type=action.*").await.unwrap();
    assert_eq!(entries[0].get("edited_at").text(), None);

    store.delete(&LEAD, 1, true).await.unwrap();
    let gone = try_page(&store, 1, "").await.unwrap_err();
    assert_eq!(
        (gone.code, &*gone.message),
        (Code::NotFound, "Lead not found")
    );
    let gone = store.inquire(Summarize::of(1)).await.unwrap_err();
    assert_eq!(
        (gone.code, &*gone.message),
        (Code::NotFound, "Lead not found")
    );
}

pub async fn a_timeline_is_filtered(store: AnyStore) {
    create(&store, &LEAD, r#"{"email": "ada@example.com"}"#).await;
    for at in ["2020-01-01", "2020-01-02", "2020-01-03"] {
        let call = format!(r#"{{"lead_id": 1, "action_type": "call", "timestamp": "{at}"}}"#);
        create(&store, &ACTION, &call).await;
    }
    let process =
        r#"{"lead_id": 1, "name": "Quote", "next_followup_datetime": "2020-01-02 12:00:00"}"#;
    create(&store, &PROCESS, process).await;
    update(&store, &LEAD, 1, r#"{"status": "lost"}"#).await;
    let due = "process.due 1: follow-up: Quote";
    for (query, expected) in [
        (
            "type=lead.*",
            &[
                "lead.updated 1: status: new → lost",
                "lead.created 1: created: ada@example.com",
            ][..],
        ),
        ("type=process.due", &[due]),
        (
            "type=in:process.*,lead.updated",
            &[
                "lead.updated 1: status: new → lost",
                "process.created 1: created: Quote",
                due,
            ],
        ),
        ("at=2020-01-02", &[due, "action.created 2: call"]),
        ("at=lt:2020-01-02", &["action.created 1: call"]),
        (
            "type=like:ACTION%25&at=gte:2020-01-03",
            &["action.created 3: call"],
        ),
        ("by=is:null", &[due]),
        ("q=lost", &["lead.updated 1: status: new → lost"]),
        ("type=action.updated", &[]),
        (
            "at=2020-01-02T23:00:00Z/2020-01-03T01:00:00Z",
            &["action.created 3: call"],
        ),
    ] {
        assert_eq!(told(&store, 1, query).await, expected, "{query}");
    }
    for (query, field) in [
        ("sort=at", "sort"),
        ("count=true", "count"),
        ("limit=0", "limit"),
        ("after=x", "after"),
        ("after=x&after=y", "after"),
        ("colour=red", "colour"),
        ("at=soon", "at"),
        ("fields=nothing", "fields"),
    ] {
        let error = try_page(&store, 1, query).await.unwrap_err();
        let fields: Vec<&str> = error.problems.iter().map(|one| &*one.field).collect();
        assert_eq!(
            (error.code, &fields[..]),
            (Code::Invalid, &[field][..]),
            "{query}"
        );
    }
    // The cursor of another lead's timeline.
    create(&store, &LEAD, r#"{"email": "bob@example.com"}"#).await;
    let (_, next) = try_page(&store, 1, "limit=1").await.unwrap();
    let error = try_page(&store, 2, &format!("after={}", next.unwrap())).await;
    assert_eq!(error.unwrap_err().problems[0].field, "after");
}

pub async fn pages_of_a_timeline_neither_skip_nor_repeat(store: AnyStore) {
    create(&store, &LEAD, r#"{"email": "ada@example.com"}"#).await;
    let process = r#"{"lead_id": 1, "name": "Quote", "next_followup_datetime": "2999-01-01"}"#;
    create(&store, &PROCESS, process).await;
    create(&store, &PROCESS, process).await;
    // Many of them at equal times, and more than are read at once.
    for number in 0..45 {
        let at = format!("2999-02-{:02}", number % 3 + 1);
        let call = format!(r#"{{"lead_id": 1, "action_type": "c{number}", "timestamp": "{at}"}}"#);
        create(&store, &ACTION, &call).await;
        update(
            &store,
            &PROCESS,
            number % 2 + 1,
            &format!(r#"{{"channel": "c{number}"}}"#),
        )
        .await;
    }
    let key = |entry: &Record| {
        format!(
            "{} {} {}",
            line(entry),
            text(entry, "at"),
            entry.get("change")
        )
    };
    let (whole, _) = try_page(&store, 1, "").await.unwrap();
    let whole: Vec<String> = whole.iter().map(key).collect();
    assert_eq!(whole.len(), 1 + 2 + 2 + 45 + 45);
    let distinct: HashSet<&String> = whole.iter().collect();
    assert_eq!(distinct.len(), whole.len());
    for limit in [1, 7, 20, 94, 95, 200] {
        let (mut paged, mut after) = (Vec::new(), String::new());
        loop {
            let (page, next) = try_page(&store, 1, &format!("limit={limit}{after}"))
                .await
                .unwrap();
            assert!(page.len() <= limit);
            paged.extend(page.iter().map(key));
            // New entries are above, or are older ones that do not disturb the order of the others.
            if limit == 7 {
                let older = r#"{"lead_id": 1, "action_type": "older", "timestamp": "1999-01-01"}"#;
                let action = create(&store, &ACTION, older).await.id();
                update(
                    &store,
                    &LEAD,
                    1,
                    &format!(r#"{{"name": "n{}"}}"#, paged.len()),
                )
                .await;
                store.delete(&ACTION, action, false).await.unwrap();
            }
            match next {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        paged.retain(|entry| !entry.contains("name: ") && !entry.contains("older"));
        assert_eq!(paged, whole, "limit {limit}");
    }
}

pub async fn a_summary_has_what_matters(store: AnyStore) {
    let lead =
        r#"{"email": "ada@example.com", "name": "Ada  Lovelace", "attributes": {"n": 1.50}}"#;
    create(&store, &LEAD, lead).await;
    let empty = summary(&store, 1).await;
    assert_eq!(
        (empty.open.len(), empty.actions.len(), empty.changes.len()),
        (0, 0, 1)
    );
    assert_eq!((empty.counts.actions, empty.duplicates.len()), (0, 0));

    for address in [
        "ada@example.com",
        "ada+crm@example.com",
        "ada+x@other.example",
        "adamant@example.com",
    ] {
        let name = if address.contains("crm") {
            "ada lovelace"
        } else {
            "Someone"
        };
        create(
            &store,
            &LEAD,
            &format!(r#"{{"email": "{address}", "name": "{name}"}}"#),
        )
        .await;
    }
    for day in 1..=7 {
        let call =
            format!(r#"{{"lead_id": 1, "action_type": "call", "timestamp": "2020-01-0{day}"}}"#);
        create(&store, &ACTION, &call).await;
    }
    for (name, next, status) in [
        ("none", "null", "active"),
        ("later", r#""2999-01-02""#, "active"),
        ("over", r#""2020-01-01""#, "Won"),
        ("first", r#""2999-01-01""#, "waiting"),
    ] {
        let process = format!(
            r#"{{"lead_id": 1, "name": "{name}", "status": "{status}", "next_followup_datetime": {next}}}"#
        );
        create(&store, &PROCESS, &process).await;
    }
    let known = summary(&store, 1).await;
    assert_eq!(known.lead, store.get(&LEAD, 1).await.unwrap());
    assert_eq!(text(&known.lead, "attributes"), r#"{"n":1.50}"#);
    let open: Vec<&str> = known
        .open
        .iter()
        .map(|process| text(process, "name"))
        .collect();
    assert_eq!(open, ["first", "later", "none"]);
    let actions: Vec<i64> = known.actions.iter().map(Record::id).collect();
    assert_eq!(actions, [7, 6, 5, 4, 3]);
    let changes: Vec<String> = known.changes.iter().map(line).collect();
    let created = [
        "4: created: first",
        "3: created: over",
        "2: created: later",
        "1: created: none",
    ];
    let mut expected: Vec<String> = created.map(|one| format!("process.created {one}")).to_vec();
    expected.push("lead.created 1: created: Ada  Lovelace <ada@example.com>".into());
    assert_eq!(changes, expected);
    let counts = (
        known.counts.actions,
        known.counts.processes,
        known.counts.open,
    );
    assert_eq!(counts, (7, 4, 3));
    let duplicates = known.duplicates.iter();
    let duplicates: Vec<(i64, Vec<&str>)> = duplicates
        .map(|one| {
            (
                one.lead.id(),
                one.reasons.iter().map(String::as_str).collect(),
            )
        })
        .collect();
    assert_eq!(
        duplicates,
        [
            (2, vec!["same address"]),
            (3, vec!["same mailbox", "same name"])
        ]
    );
    // From the other side as well.
    let other = summary(&store, 3).await;
    let others: Vec<i64> = other.duplicates.iter().map(|one| one.lead.id()).collect();
    assert_eq!(others, [1, 2]);
    // What another server answers is read as it was written. It has a part of each duplicate alone.
    let json = known.to_json();
    let read = Summary::from_json(json.as_bytes()).unwrap();
    assert_eq!((read.lead, read.leases), (known.lead, known.leases));
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        value["possible_duplicates"][0]["reasons"][0],
        "same address"
    );
}

#[test]
fn what_is_older_than_the_changes_is_told_without_who_did_it() {
    let home = crate::support::Home::new();
    let crm = |line: &str| home.shell(&format!("{line} --db crm.db")).ok();
    crm("crm lead create --email ada@example.com -o id");
    crm("crm action create --lead 1 --type call --details First --at 2020-01-01 -o id");
    crm("crm action create --lead 1 --type call --details Second --at 2020-01-02 -o id");
    crm("crm process create --lead 1 --name Spring -o id");
    crm("crm action update 1 --details 'First of all' -o id");
    crm("crm lead update 1 --status contacted -o id");
    let file = rusqlite::Connection::open(home.path("crm.db")).unwrap();
    // As the service removes them, and as they are in a database from before there were changes.
    let removed = "DELETE FROM crm_changes WHERE seq < (SELECT max(seq) FROM crm_changes)";
    assert_eq!(file.execute(removed, []).unwrap(), 5);
    let listed = crm("crm lead timeline 1 -o csv --fields at,by,type,what,edited_by,change");
    let lines: Vec<&str> = listed.lines().skip(1).collect();
    let [status, second, first] = lines[..] else {
        panic!("{listed}");
    };
    assert!(
        status.contains(",lead.updated,status: new → contacted,,6"),
        "{status}"
    );
    assert_eq!(second, "2020-01-02 00:00:00,,action.created,call: Second,,");
    assert_eq!(
        first,
        "2020-01-01 00:00:00,,action.created,call: First of all,,"
    );
    let table = crm("crm lead timeline 1");
    assert!(table.contains("call: First of all (edited 2"), "{table}");
    let screen = crm("crm lead show 1");
    for part in [
        "ada@example.com  lead 1\n",
        "nothing is planned",
        "First of all",
        "Also open\n",
        "contacted",
    ] {
        assert!(screen.contains(part), "{part}: {screen}");
    }
}

#[test]
fn one_lead_is_named_by_its_id_or_its_address() {
    let home = crate::support::Home::new();
    let crm = |line: &str| home.shell(&format!("{line} --db crm.db"));
    crm("crm lead create --email ada@example.com --name \"$(printf 'A\\033[31mda')\" -o id").ok();
    for verb in ["show", "timeline"] {
        crm(&format!("crm lead {verb} ada@example.com")).ok();
        assert_eq!(crm(&format!("crm lead {verb} 1 -o id")).ok().trim(), "1");
        let missing = crm(&format!("crm lead {verb} bob@example.com")).fails(3);
        assert!(missing.contains("no lead has the address"), "{missing}");
        assert_eq!(
            crm(&format!("crm lead {verb} 7")).fails(3),
            "error: Lead not found\n"
        );
        for several in ["1,2", "1-3"] {
            let refused = crm(&format!("crm lead {verb} {several}")).fails(2);
            assert!(refused.contains("expected one lead"), "{refused}");
        }
    }
    crm("crm lead create --email ada@example.com -o id").ok();
    let several = crm("crm lead show ada@example.com").fails(5);
    assert!(
        several.contains("1, 2; expected one of these ids"),
        "{several}"
    );
    // Nothing of the data reaches a terminal as it is.
    let screen = crm("crm lead show 1").ok();
    assert!(
        !screen.contains('\u{1b}') && screen.contains(r"A\u{1b}[31mda"),
        "{screen}"
    );
}

#[test]
fn all_times_of_a_table_are_in_one_zone() {
    let home = crate::support::Home::new();
    let crm = |line: &str| home.shell(&format!("{line} --db crm.db"));
    let here = |line: &str| crm(&format!("{line} --tz America/New_York"));
    crm("crm lead create --email ada@example.com -o id").ok();
    here("crm process create --lead 1 --name Spring --next 2126-11-29 -o id").ok();
    here("crm snooze 1 '2126-12-04 09:00' -o id").ok();
    let moved = "next: 2126-11-29 → 2126-12-04 09:00";
    for told in ["crm lead timeline 1", "crm lead show 1", "crm changes"] {
        let table = here(told).ok();
        assert!(table.contains(moved), "{told}\n{table}");
    }
    // Others are for programs.
    for told in [
        "crm lead timeline 1 -o csv",
        "crm lead timeline 1 --fields what",
        "crm lead timeline 1 -o json",
    ] {
        let text = here(told).ok();
        let moved = "next_followup_datetime: 2126-11-29 05:00:00 → 2126-12-04 14:00:00";
        assert!(text.contains(moved), "{told}\n{text}");
    }
    crm("crm undo -y -o id").ok();
    let table = here("crm lead timeline 1").ok();
    let back = "next: 2126-12-04 09:00 → 2126-11-29 (undo)";
    assert!(table.contains(back), "{table}");
    let refused = here("crm snooze 1 2026-01-02").fails(2);
    assert_eq!(
        refused,
        "error: WHEN: expected a time to come, got 2026-01-02\n"
    );
}
