//! One suite for every store: what the store's laws promise, on a SQLite file and on a server over one.

use std::collections::HashSet;
use std::future::Future;

use crm::base::error::{Code, Error};
use crm::model::action::ACTION;
use crm::model::draft::{Draft, Purpose};
use crm::model::lead::{LEAD, OnDuplicate};
use crm::model::noun::Noun;
use crm::model::process::PROCESS;
use crm::model::query::{Query, pairs};
use crm::model::record::Record;
use crm::model::terms::Terms;
use crm::ops::Records;
use crm::ops::delete::{Delete, Deleted};
use crm::store::any::AnyStore;
use crm::store::contract::{Saved, Store};
use crm::store::postgres::{CONNECTIONS, Postgres};
use crm::store::sqlite::Work;

use futures_util::StreamExt;

use crate::bulk::{
    a_record_is_found_by_a_field_of_ones_own, a_record_is_found_by_its_address,
    a_request_that_breaks_off_is_continued_by_its_key, all_or_nothing_is_done_on_demand,
    lines_are_done_in_order_each_by_itself, lines_refer_to_what_is_there,
    two_requests_with_one_key_do_each_line_once,
};
use crate::changes::{
    a_cursor_of_another_sequence_is_gone, a_feed_is_read_on_from_its_cursor,
    a_reader_misses_no_change, changes_are_filtered, every_write_has_its_change,
};
use crate::claims::{
    a_claim_with_a_key_is_done_once, a_follow_up_is_claimed_by_one_worker,
    a_lease_ends_by_itself_and_can_be_renewed, a_moved_follow_up_has_no_lease,
    filters_by_urgency_find_what_is_shown,
};
use crate::cluster;
use crate::dupes::{
    dismissed_pairs_are_remembered, duplicates_are_found_in_groups, pages_of_duplicates_go_on,
};
use crate::log::{
    a_cadence_keeps_the_time_of_day, a_lead_has_the_time_of_its_newest_action,
    a_log_is_one_group_and_done_once, a_log_that_is_refused_changes_nothing,
    a_logged_action_finds_its_process, a_logged_action_moves_the_follow_up,
    a_newest_time_is_no_change_of_the_lead, filters_take_times_from_now,
    those_who_log_at_once_all_move_the_follow_up,
};
use crate::merge::{
    a_merge_that_is_refused_changes_nothing, a_merge_with_a_key_is_done_once,
    a_merged_lead_says_into_which, an_erased_lead_is_gone_with_those_merged_into_it,
    merged_leads_are_one,
};
use crate::search::{
    a_search_sees_every_write, an_erased_lead_is_not_found, the_index_finds_what_is_there,
    words_are_found_by_their_beginnings,
};
use crate::stats::the_numbers_are_those_of_the_records;
use crate::story::{
    a_summary_has_what_matters, a_timeline_has_all_of_a_lead_once, a_timeline_has_what_was_deleted,
    a_timeline_is_filtered, pages_of_a_timeline_neither_skip_nor_repeat,
};
use crate::stream::changes_meet_conditions_as_the_database_has_it;
use crate::support::{Home, Service};
use crate::undo::named::{
    an_undo_names_every_conflict, undos_at_once_take_back_one_group_after_the_other,
};
use crate::undo::{
    an_undo_can_be_undone, an_undo_gives_back_what_was, an_undo_with_a_key_is_done_once,
    references_keep_a_group_from_being_taken_back, the_last_group_is_taken_back_first,
    what_has_changed_since_is_not_taken_back,
};

macro_rules! on_every_store {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test] async fn $test() { super::on_sqlite(super::$test).await })*
        }
        mod command {
            $(#[tokio::test] async fn $test() { super::on_command(super::$test).await })*
        }
        mod postgres {
            $(#[tokio::test] async fn $test() { super::on_postgres(super::$test).await })*
        }
        mod remote {
            $(#[tokio::test] async fn $test() { super::on_remote(super::$test).await })*
        }
        mod remote_postgres {
            $(#[tokio::test] async fn $test() { super::on_remote_postgres(super::$test).await })*
        }
    };
}

on_every_store! {
    lines_are_done_in_order_each_by_itself
    a_record_is_found_by_its_address
    a_record_is_found_by_a_field_of_ones_own
    lines_refer_to_what_is_there
    all_or_nothing_is_done_on_demand
    a_request_that_breaks_off_is_continued_by_its_key
    two_requests_with_one_key_do_each_line_once
    a_timeline_has_all_of_a_lead_once
    a_timeline_has_what_was_deleted
    a_timeline_is_filtered
    pages_of_a_timeline_neither_skip_nor_repeat
    a_summary_has_what_matters
    a_created_record_is_read_back
    times_are_stored_in_one_form
    times_are_read_in_a_zone
    all_failing_fields_are_told_at_once
    a_draft_that_is_refused_changes_nothing
    an_update_changes_what_is_given
    an_unchanged_value_is_accepted_unseen
    attributes_merge_and_keep_order_and_digits
    details_go_by_two_names
    a_missing_record_is_not_found
    references_have_to_hold
    ids_are_never_given_twice
    a_lead_with_records_is_a_conflict
    a_cascade_takes_everything_with_it
    a_deleted_action_is_forgotten_by_processes
    an_erased_lead_is_gone_with_all_of_its_own
    creating_an_action_changes_no_process
    duplicates_do_what_is_asked
    duplicates_are_rejected_under_concurrency
    filters_compare
    filters_find_null
    filters_ignore_case_for_all_letters
    filters_find_custom_fields
    an_address_has_one_form
    numbers_of_any_size_are_kept_and_compared
    own_fields_are_searched
    own_fields_are_sorted
    pages_by_own_fields_neither_skip_nor_repeat
    a_date_is_its_whole_day
    lists_are_sorted_with_null_first_and_ties_by_id
    pages_neither_skip_nor_repeat
    long_texts_sort_and_page
    a_whole_list_has_every_record_once
    a_page_of_large_records_is_whole
    a_very_large_page_ends_and_goes_on
    a_record_is_never_larger_than_a_body
    keys_and_versions
    many_attributes_take_no_long_time
    many_values_are_refused_and_never_a_fault
    it_is_ready
    a_logged_action_moves_the_follow_up
    a_logged_action_finds_its_process
    a_log_that_is_refused_changes_nothing
    a_log_is_one_group_and_done_once
    those_who_log_at_once_all_move_the_follow_up
    a_cadence_keeps_the_time_of_day
    a_lead_has_the_time_of_its_newest_action
    a_newest_time_is_no_change_of_the_lead
    filters_take_times_from_now
    duplicates_are_found_in_groups
    dismissed_pairs_are_remembered
    pages_of_duplicates_go_on
    the_numbers_are_those_of_the_records
    merged_leads_are_one
    a_merged_lead_says_into_which
    a_merge_that_is_refused_changes_nothing
    a_merge_with_a_key_is_done_once
    an_erased_lead_is_gone_with_those_merged_into_it
    an_undo_gives_back_what_was
    an_undo_can_be_undone
    the_last_group_is_taken_back_first
    what_has_changed_since_is_not_taken_back
    references_keep_a_group_from_being_taken_back
    an_undo_with_a_key_is_done_once
    an_undo_names_every_conflict
    undos_at_once_take_back_one_group_after_the_other
    changes_meet_conditions_as_the_database_has_it
    many_writers_lose_nothing
    every_write_has_its_change
    changes_are_filtered
    a_feed_is_read_on_from_its_cursor
    a_cursor_of_another_sequence_is_gone
    a_reader_misses_no_change
    a_follow_up_is_claimed_by_one_worker
    a_moved_follow_up_has_no_lease
    a_lease_ends_by_itself_and_can_be_renewed
    a_claim_with_a_key_is_done_once
    filters_by_urgency_find_what_is_shown
    words_are_found_by_their_beginnings
    a_search_sees_every_write
    the_index_finds_what_is_there
    an_erased_lead_is_not_found
}

async fn on_sqlite<F: Future<Output = ()>>(test: impl FnOnce(AnyStore) -> F) {
    let home = Home::new();
    let (store, notice) = AnyStore::open(&home.path("crm.db"), Work::Server).unwrap();
    assert_eq!(notice, None);
    test(store.clone()).await;
    store.close().await.unwrap();
}

async fn on_command<F: Future<Output = ()>>(test: impl FnOnce(AnyStore) -> F) {
    let home = Home::new();
    let (store, _) = AnyStore::open(&home.path("crm.db"), Work::Command).unwrap();
    test(store.clone()).await;
    store.close().await.unwrap();
}

async fn on_postgres<F: Future<Output = ()>>(test: impl FnOnce(AnyStore) -> F) {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let store = AnyStore::Postgres(Postgres::open(&url, CONNECTIONS).await.unwrap());
    test(store.clone()).await;
    store.close().await.unwrap();
}

async fn on_remote_postgres<F: Future<Output = ()>>(test: impl FnOnce(AnyStore) -> F) {
    let Some(url) = cluster::schema().await else {
        return;
    };
    let store = AnyStore::Postgres(Postgres::open(&url, CONNECTIONS).await.unwrap());
    let service = Service::over(store).await;
    test(AnyStore::connect(&service.url, None).unwrap()).await;
    service.stop().await;
}

async fn on_remote<F: Future<Output = ()>>(test: impl FnOnce(AnyStore) -> F) {
    let service = Service::start().await;
    test(AnyStore::connect(&service.url, None).unwrap()).await;
    service.stop().await;
}

pub fn draft(noun: &'static Noun, json: &str, purpose: Purpose) -> Draft {
    let draft = Draft::from_json(noun, json.as_bytes(), purpose).unwrap();
    // The remote store sends a draft that can be read; the others take any.
    draft
}

async fn try_create(store: &AnyStore, noun: &'static Noun, json: &str) -> Result<Saved, Error> {
    store
        .create(draft(noun, json, Purpose::Create), OnDuplicate::Create)
        .await
}

pub async fn create(store: &AnyStore, noun: &'static Noun, json: &str) -> Record {
    try_create(store, noun, json).await.unwrap().record
}

async fn try_update(
    store: &AnyStore,
    noun: &'static Noun,
    id: i64,
    json: &str,
) -> Result<Record, Error> {
    store.update(id, draft(noun, json, Purpose::Update)).await
}

pub async fn update(store: &AnyStore, noun: &'static Noun, id: i64, json: &str) -> Record {
    try_update(store, noun, id, json).await.unwrap()
}

pub async fn all(store: &AnyStore, noun: &'static Noun) -> Vec<Record> {
    list(store, noun, "").await
}

async fn list(store: &AnyStore, noun: &'static Noun, query: &str) -> Vec<Record> {
    let mut listing = store
        .list(Query::new(noun, pairs(query).unwrap()).unwrap())
        .await
        .unwrap();
    let mut records = Vec::new();
    while let Some(chunk) = listing.next_chunk().await.unwrap() {
        records.extend(chunk);
    }
    records
}

pub async fn ids(store: &AnyStore, noun: &'static Noun, query: &str) -> Vec<i64> {
    list(store, noun, query)
        .await
        .iter()
        .map(Record::id)
        .collect()
}

pub fn text(record: &Record, field: &str) -> String {
    record.get(field).to_string()
}

fn fields(error: &Error) -> Vec<&str> {
    error
        .problems
        .iter()
        .map(|problem| problem.field.as_str())
        .collect()
}

async fn a_created_record_is_read_back(store: AnyStore) {
    let saved = try_create(
        &store,
        &LEAD,
        r#"{"email": " Ada@Example.COM ", "name": "Ada"}"#,
    )
    .await
    .unwrap();
    assert!(saved.created);
    let lead = saved.record;
    assert_eq!(
        (
            lead.id(),
            text(&lead, "email").as_str(),
            text(&lead, "status").as_str()
        ),
        (1, "ada@example.com", "new")
    );
    assert_eq!(text(&lead, "attributes"), "{}");
    assert_eq!(text(&lead, "created_at"), text(&lead, "updated_at"));
    assert_eq!(store.get(&LEAD, 1).await.unwrap(), lead);
    let process = create(&store, &PROCESS, r#"{"name": "Spring", "lead_id": 1}"#).await;
    assert_eq!(text(&process, "status"), "active");
    assert_eq!(store.get(&PROCESS, 1).await.unwrap(), process);
}

async fn times_are_stored_in_one_form(store: AnyStore) {
    for (given, stored) in [
        ("2026-01-31 09:30:00", "2026-01-31 09:30:00"),
        ("2026-01-31T09:30:00.750+02:00", "2026-01-31 07:30:00"),
        ("2026-01-31", "2026-01-31 00:00:00"),
    ] {
        let json = format!(r#"{{"action_type": "call", "timestamp": "{given}"}}"#);
        assert_eq!(
            text(&create(&store, &ACTION, &json).await, "timestamp"),
            stored
        );
    }
    let now = create(&store, &ACTION, r#"{"action_type": "call"}"#).await;
    assert_eq!(text(&now, "timestamp"), text(&now, "created_at"));
}

async fn times_are_read_in_a_zone(store: AnyStore) {
    use crm::base::time::Zone;
    use crm::model::draft::{Draft, ReadIn};

    let zone = Zone::named("America/New_York").unwrap();
    let times = |is_named| ReadIn {
        zone: &zone,
        is_named,
    };
    let made = |given: &str, purpose, is_named| {
        let json = format!(r#"{{"name": "p", "next_followup_datetime": "{given}"}}"#);
        Draft::from_json_in(&PROCESS, json.as_bytes(), purpose, times(is_named)).unwrap()
    };
    for (given, stored) in [
        ("2026-11-27 09:00", "2026-11-27 14:00:00"),
        ("2026-11-27T09:00Z", "2026-11-27 09:00:00"),
        ("2026-11-27T09:00[Asia/Tokyo]", "2026-11-27 00:00:00"),
        ("2026-11-27", "2026-11-27 05:00:00"),
    ] {
        let draft = made(given, Purpose::Create, true);
        let saved = store.create(draft, OnDuplicate::Create).await.unwrap();
        assert_eq!(text(&saved.record, "next_followup_datetime"), stored);
    }
    // In the default zone of a service, what was read can be sent back. A client that names its zone means that zone.
    let field = "next_followup_datetime";
    let draft = made("2026-11-27 14:00:00", Purpose::Update, false);
    let same = store.update(1, draft).await.unwrap();
    if !matches!(store, AnyStore::Remote(_)) {
        assert_eq!(text(&same, field), "2026-11-27 14:00:00");
    }
    let draft = made("2026-11-27 14:00:00", Purpose::Update, true);
    let moved = store.update(1, draft).await.unwrap();
    assert_eq!(text(&moved, field), "2026-11-27 19:00:00");
    let draft = made("2026-11-28", Purpose::Update, false);
    let moved = store.update(1, draft).await.unwrap();
    assert_eq!(text(&moved, field), "2026-11-28 05:00:00");
    for (query, expected) in [
        ("tz=UTC&next_followup_datetime=2026-11-27", &[2, 3, 4][..]),
        (
            "next_followup_datetime=2026-11-27&tz=America/New_York",
            &[2, 4],
        ),
        (
            "tz=America/New_York&next_followup_datetime=ne:2026-11-27",
            &[1, 3],
        ),
        (
            "tz=America/New_York&next_followup_datetime=in:2026-11-26,2026-11-28",
            &[1, 3],
        ),
        (
            "tz=%2B09:00&next_followup_datetime=gte:2026-11-27 18:00",
            &[1, 2],
        ),
        (
            "next_followup_datetime=2026-11-27T05:00Z/2026-11-28",
            &[2, 4],
        ),
        (
            "next_followup_datetime=ne:2026-11-27T05:00Z/2026-11-28",
            &[1, 3],
        ),
        (
            "next_followup_datetime=in:2026-11-27/2026-11-27T01:00,2026-11-28/",
            &[1, 3],
        ),
    ] {
        assert_eq!(ids(&store, &PROCESS, query).await, expected, "{query}");
    }
}

async fn all_failing_fields_are_told_at_once(store: AnyStore) {
    let error = try_create(
        &store,
        &PROCESS,
        r#"{"channel": " ", "lead_id": 77, "status": null, "next_followup_datetime": "soon"}"#,
    )
    .await
    .unwrap_err();
    assert_eq!(error.code, Code::Invalid);
    let mut told = fields(&error);
    told.sort_unstable();
    assert_eq!(
        told,
        [
            "channel",
            "lead_id",
            "name",
            "next_followup_datetime",
            "status"
        ]
    );
    let error = try_create(&store, &LEAD, "{}").await.unwrap_err();
    assert_eq!(
        error.message,
        "email: is required; expected an e-mail address like ada@example.com"
    );
}

async fn a_draft_that_is_refused_changes_nothing(store: AnyStore) {
    create(&store, &LEAD, r#"{"email": "a@b.cc"}"#).await;
    for json in [
        r#"{"email": "nobody"}"#,
        r#"{"email": "a@b.cc", "name": "\u0000"}"#,
        r#"{"status": ""}"#,
    ] {
        try_create(&store, &LEAD, json).await.unwrap_err();
        if json.contains("name") || !json.contains("a@b") {
            try_update(&store, &LEAD, 1, json).await.unwrap_err();
        }
    }
    let leads = list(&store, &LEAD, "").await;
    assert_eq!(leads.len(), 1);
    assert_eq!(
        (
            text(&leads[0], "name").as_str(),
            text(&leads[0], "status").as_str()
        ),
        ("", "new")
    );
}

async fn an_update_changes_what_is_given(store: AnyStore) {
    let before = create(
        &store,
        &LEAD,
        r#"{"email": "a@b.cc", "name": "Ada", "attributes": {"k": 1}}"#,
    )
    .await;
    let after = update(&store, &LEAD, 1, r#"{"status": "won", "name": null}"#).await;
    assert_eq!(
        (
            text(&after, "status").as_str(),
            text(&after, "name").as_str()
        ),
        ("won", "")
    );
    assert_eq!(
        (after.get("email"), after.get("attributes")),
        (before.get("email"), before.get("attributes"))
    );
    assert_eq!(store.get(&LEAD, 1).await.unwrap(), after);
    // What was read can be put back whole.
    assert_eq!(update(&store, &LEAD, 1, &after.to_json()).await, after);
    let error = try_update(&store, &LEAD, 1, r#"{"id": 2}"#)
        .await
        .unwrap_err();
    assert_eq!((error.code, fields(&error)), (Code::Invalid, vec!["id"]));
    assert_eq!(update(&store, &LEAD, 1, "{}").await, after);
}

async fn an_unchanged_value_is_accepted_unseen(store: AnyStore) {
    create(&store, &LEAD, r#"{"email": "a@b.cc"}"#).await;
    let after = update(
        &store,
        &LEAD,
        1,
        r#"{"email": " A@B.CC ", "created_at": "whenever", "updated_at": null}"#,
    )
    .await;
    assert_eq!(text(&after, "email"), "a@b.cc");
}

async fn attributes_merge_and_keep_order_and_digits(store: AnyStore) {
    create(
        &store,
        &LEAD,
        r#"{"email": "a@b.cc", "attributes": {"z": 1.50, "a": [1, {"y": 2, "x": 3}], "n": null}}"#,
    )
    .await;
    let after = update(
        &store,
        &LEAD,
        1,
        r#"{"attributes": {"b": 12345678901234567890.10, "z": null, "a": "x"}}"#,
    )
    .await;
    assert_eq!(
        text(&after, "attributes"),
        r#"{"a":"x","b":12345678901234567890.10}"#
    );
    assert_eq!(store.get(&LEAD, 1).await.unwrap(), after);
    let after = update(&store, &LEAD, 1, r#"{"attributes": null}"#).await;
    assert_eq!(text(&after, "attributes"), "{}");
}

async fn details_go_by_two_names(store: AnyStore) {
    let details = |record: &Record| text(record, "details");
    assert_eq!(
        details(
            &create(
                &store,
                &ACTION,
                r#"{"action_type": "call", "description": "old"}"#
            )
            .await
        ),
        "old"
    );
    let both = r#"{"action_type": "call", "description": "old", "details": "new"}"#;
    assert_eq!(details(&create(&store, &ACTION, both).await), "new");
    // An old client reads both, edits one and puts both back.
    assert_eq!(
        details(
            &update(
                &store,
                &ACTION,
                2,
                r#"{"details": "new", "description": "edited"}"#
            )
            .await
        ),
        "edited"
    );
    assert_eq!(
        details(
            &update(
                &store,
                &ACTION,
                2,
                r#"{"details": "newer", "description": "edited"}"#
            )
            .await
        ),
        "newer"
    );
    assert_eq!(
        details(
            &update(
                &store,
                &ACTION,
                2,
                r#"{"details": "a", "description": "b"}"#
            )
            .await
        ),
        "a"
    );
    assert_eq!(
        details(&update(&store, &ACTION, 2, r#"{"description": null}"#).await),
        ""
    );
}

async fn a_missing_record_is_not_found(store: AnyStore) {
    let expected = Error::new(Code::NotFound, "Process not found");
    assert_eq!(store.get(&PROCESS, 7).await.unwrap_err(), expected);
    assert_eq!(
        try_update(&store, &PROCESS, 7, r#"{"name": "x"}"#)
            .await
            .unwrap_err(),
        expected
    );
    assert_eq!(
        store.delete(&PROCESS, 7, false).await.unwrap_err(),
        expected
    );
    let lead = Error::new(Code::NotFound, "Lead not found");
    assert_eq!(store.delete(&LEAD, i64::MAX, true).await.unwrap_err(), lead);
}

async fn references_have_to_hold(store: AnyStore) {
    let error = try_create(&store, &ACTION, r#"{"action_type": "call", "lead_id": 5}"#)
        .await
        .unwrap_err();
    assert_eq!(
        (error.code, error.message.as_str()),
        (Code::Invalid, "lead_id: no lead has the id 5")
    );
    create(&store, &PROCESS, r#"{"name": "p"}"#).await;
    let error = try_update(
        &store,
        &PROCESS,
        1,
        r#"{"lead_id": 5, "last_action_id": 6}"#,
    )
    .await
    .unwrap_err();
    assert_eq!(fields(&error), ["lead_id", "last_action_id"]);
}

async fn ids_are_never_given_twice(store: AnyStore) {
    for _ in 0..3 {
        create(&store, &LEAD, r#"{"email": "a@b.cc"}"#).await;
    }
    store.delete(&LEAD, 3, false).await.unwrap();
    assert_eq!(
        create(&store, &LEAD, r#"{"email": "a@b.cc"}"#).await.id(),
        4
    );
}

async fn lead_with_records(store: &AnyStore) {
    create(store, &LEAD, r#"{"email": "a@b.cc"}"#).await;
    create(store, &LEAD, r#"{"email": "other@b.cc"}"#).await;
    for _ in 0..2 {
        create(store, &ACTION, r#"{"action_type": "call", "lead_id": 1}"#).await;
    }
    create(store, &PROCESS, r#"{"name": "p", "lead_id": 1}"#).await;
    create(
        store,
        &PROCESS,
        r#"{"name": "of another lead", "lead_id": 2, "last_action_id": 2}"#,
    )
    .await;
}

async fn a_lead_with_records_is_a_conflict(store: AnyStore) {
    lead_with_records(&store).await;
    let error = store.delete(&LEAD, 1, false).await.unwrap_err();
    assert_eq!(error.code, Code::Conflict);
    assert!(error.message.contains("2 actions and 1 process"), "{error}");
    assert_eq!(ids(&store, &LEAD, "").await, [1, 2]);
    assert_eq!(ids(&store, &ACTION, "").await, [1, 2]);
}

async fn a_cascade_takes_everything_with_it(store: AnyStore) {
    lead_with_records(&store).await;
    store.delete(&LEAD, 1, true).await.unwrap();
    assert_eq!(ids(&store, &LEAD, "").await, [2]);
    assert_eq!(ids(&store, &ACTION, "").await, [0; 0]);
    let left = list(&store, &PROCESS, "").await;
    assert_eq!(
        (
            left.len(),
            left[0].id(),
            text(&left[0], "last_action_id").as_str()
        ),
        (1, 2, "")
    );
}

async fn an_erased_lead_is_gone_with_all_of_its_own(store: AnyStore) {
    lead_with_records(&store).await;
    let other = create(&store, &LEAD, r#"{"email": "other@example.com"}"#).await;
    let erase = |id| {
        let store = store.clone();
        async move {
            let erased = store
                .write(Delete::erasing(&LEAD, id), Terms::default())
                .await;
            erased.map(|outcome| outcome.done)
        }
    };
    let told = erase(1).await;
    if let Err(error) = &told
        && error.code == Code::Unauthenticated
    {
        // A service without a token: nobody may.
        assert!(error.message.starts_with("erase: "), "{error}");
        assert_eq!(ids(&store, &LEAD, "").await, [1, 2, other.id()]);
        return;
    }
    let Ok(Deleted::Erased(told)) = told else {
        panic!("{told:?}");
    };
    assert!(told.contains("erased; "), "{told}");
    assert_eq!(ids(&store, &LEAD, "").await, [2, other.id()]);
    assert_eq!(ids(&store, &ACTION, "").await, [0; 0]);
    // That of another lead has lost its action, and nothing else.
    let left = list(&store, &PROCESS, "").await;
    assert_eq!((left.len(), left[0].id()), (1, 2));
    assert_eq!(text(&left[0], "name"), "of another lead");
    for id in [1, 99] {
        assert_eq!(erase(id).await.unwrap_err(), LEAD.not_found());
    }
    // One that was deleted before has its changes left.
    store.delete(&LEAD, other.id(), false).await.unwrap();
    assert!(matches!(erase(other.id()).await, Ok(Deleted::Erased(_))));
    assert_eq!(erase(other.id()).await.unwrap_err(), LEAD.not_found());
}

async fn a_deleted_action_is_forgotten_by_processes(store: AnyStore) {
    lead_with_records(&store).await;
    store.delete(&ACTION, 2, false).await.unwrap();
    assert_eq!(
        text(&store.get(&PROCESS, 2).await.unwrap(), "last_action_id"),
        ""
    );
}

async fn creating_an_action_changes_no_process(store: AnyStore) {
    lead_with_records(&store).await;
    let before = list(&store, &PROCESS, "").await;
    create(&store, &ACTION, r#"{"action_type": "mail", "lead_id": 1}"#).await;
    assert_eq!(list(&store, &PROCESS, "").await, before);
}

async fn duplicates_do_what_is_asked(store: AnyStore) {
    for _ in 0..2 {
        create(
            &store,
            &LEAD,
            r#"{"email": "a@b.cc", "status": "won", "attributes": {"k": 1}}"#,
        )
        .await;
    }
    let again = |on_duplicate| {
        store.create(
            draft(
                &LEAD,
                r#"{"email": "A@b.cc", "name": "Ada", "attributes": {"l": 2}}"#,
                Purpose::Create,
            ),
            on_duplicate,
        )
    };
    let error = again(OnDuplicate::Reject).await.unwrap_err();
    assert_eq!(error.code, Code::Conflict);
    assert!(error.message.contains("lead 1 already has"), "{error}");
    let saved = again(OnDuplicate::Update).await.unwrap();
    assert!(!saved.created);
    assert_eq!(
        (saved.record.id(), text(&saved.record, "status").as_str()),
        (1, "won")
    );
    assert_eq!(text(&saved.record, "attributes"), r#"{"k":1,"l":2}"#);
    assert_eq!(ids(&store, &LEAD, "").await, [1, 2]);
    assert!(again(OnDuplicate::Create).await.unwrap().created);
    let new = draft(&LEAD, r#"{"email": "new@b.cc"}"#, Purpose::Create);
    assert!(
        store
            .create(new, OnDuplicate::Update)
            .await
            .unwrap()
            .created
    );
}

async fn duplicates_are_rejected_under_concurrency(store: AnyStore) {
    let creates = (0..20).map(|_| {
        let new = draft(&LEAD, r#"{"email": "a@b.cc"}"#, Purpose::Create);
        store.create(new, OnDuplicate::Reject)
    });
    let answers = futures_util::future::join_all(creates).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(ids(&store, &LEAD, "").await.len(), 1);
}

async fn people(store: &AnyStore) {
    for json in [
        r#"{"email": "ada@example.com", "name": "Ada Lovelace", "attributes": {"company": "Acme", "size": 9}}"#,
        r#"{"email": "bob@example.com", "name": "Bob", "status": "contacted", "attributes": {"company": "acme", "size": 10}}"#,
        r#"{"email": "eve@example.com", "status": "won", "attributes": {"size": "large"}}"#,
        r#"{"email": "jörg@müller.de", "name": "JÖRG 100%", "status": "contacted"}"#,
    ] {
        create(store, &LEAD, json).await;
    }
}

async fn filters_compare(store: AnyStore) {
    people(&store).await;
    for (query, expected) in [
        ("status=contacted", &[2, 4][..]),
        ("status=eq:contacted", &[2, 4]),
        ("status=ne:contacted", &[1, 3]),
        ("status=in:new,won", &[1, 3]),
        ("id=gt:1&id=lte:3", &[2, 3]),
        ("id=in:1,4,9", &[1, 4]),
        ("name=gte:Bob", &[2, 4]),
        ("name=lt:Bob", &[1]),
        ("email=ADA@example.com", &[1]),
        ("status=contacted&name=Bob", &[2]),
        ("status=nothing", &[]),
        ("id=gt:-5&id=lt:2", &[1]),
    ] {
        assert_eq!(ids(&store, &LEAD, query).await, expected, "{query}");
    }
}

async fn filters_find_null(store: AnyStore) {
    people(&store).await;
    assert_eq!(ids(&store, &LEAD, "name=is:null").await, [3]);
    assert_eq!(ids(&store, &LEAD, "name=is:notnull").await, [1, 2, 4]);
    assert_eq!(ids(&store, &LEAD, "name=ne:Bob").await, [1, 3, 4]);
    assert_eq!(
        ids(&store, &LEAD, "attributes.company=is:null").await,
        [3, 4]
    );
    assert_eq!(
        ids(&store, &LEAD, "attributes.company=ne:Acme").await,
        [2, 3, 4]
    );
}

async fn filters_ignore_case_for_all_letters(store: AnyStore) {
    people(&store).await;
    for (query, expected) in [
        ("q=ADA", &[1][..]),
        ("q=jörg", &[4]),
        ("q=JÖRG@MÜ", &[4]),
        ("q=%25", &[4]),
        ("q=_", &[]),
        ("q=contacted", &[2, 4]),
        ("name=like:jörg%25", &[4]),
        ("name=like:%25100%5C%25", &[4]),
        ("name=like:b_b", &[2]),
        ("name=like:bo", &[]),
        ("attributes.company=like:AC%25", &[1, 2]),
    ] {
        assert_eq!(ids(&store, &LEAD, query).await, expected, "{query}");
    }
}

async fn filters_find_custom_fields(store: AnyStore) {
    people(&store).await;
    for (query, expected) in [
        ("attributes.company=Acme", &[1][..]),
        ("attributes.size=10", &[2]),
        ("attributes.size=1e1", &[2]),
        ("attributes.size=gt:9", &[2, 3]),
        ("attributes.size=gte:9&attributes.size=lt:10", &[1]),
        ("attributes.company=in:Acme,acme", &[1, 2]),
        ("attributes.nothing=is:notnull", &[]),
    ] {
        assert_eq!(ids(&store, &LEAD, query).await, expected, "{query}");
    }
}

async fn an_address_has_one_form(store: AnyStore) {
    let shown = "max@möstermann.de";
    create(&store, &LEAD, r#"{"email": "other@b.cc"}"#).await;
    let first = create(&store, &LEAD, r#"{"email": "MAX@xn--MSTERMANN-07a.de"}"#).await;
    assert_eq!(text(&first, "email"), shown);
    for given in [
        "max@möstermann.de",
        "max@mo\u{308}stermann.de",
        "ｍａｘ＠Ｍöｓｔｅｒｍａｎｎ．ｄｅ",
        "max@xn--mstermann-07a.de",
    ] {
        for (query, expected) in [
            (format!("email={given}"), &[2][..]),
            (format!("email=ne:{given}"), &[1]),
            (format!("email=in:none@b.cc,{given}"), &[2]),
            (format!("email=gte:{given}&email=lte:{given}&limit=5"), &[2]),
            (format!("email={given}&limit=5&sort=-email"), &[2]),
            (format!("email={given}&sort=name"), &[2]),
        ] {
            assert_eq!(ids(&store, &LEAD, &query).await, expected, "{query}");
        }
        let again = format!(r#"{{"email": "{given}", "name": "Max"}}"#);
        let again =
            |on_duplicate| store.create(draft(&LEAD, &again, Purpose::Create), on_duplicate);
        let error = again(OnDuplicate::Reject).await.unwrap_err();
        assert_eq!(error.code, Code::Conflict);
        let taken = format!("email: lead 2 already has the address {shown}");
        assert_eq!(error.message, taken, "{given}");
        let saved = again(OnDuplicate::Update).await.unwrap();
        assert_eq!(
            (saved.created, text(&saved.record, "email").as_str()),
            (false, shown)
        );
        // An address that is sent back in another spelling is no change.
        let before = store.get(&LEAD, 2).await.unwrap();
        let same = update(&store, &LEAD, 2, &format!(r#"{{"email": "{given}"}}"#)).await;
        assert_eq!(same.get("updated_at"), before.get("updated_at"));
        assert_eq!(
            store.get(&LEAD, 2).await.unwrap().version(),
            before.version()
        );
    }
    for email in ["संपर्क@डाटामेल.भारत", "نامه\u{200c}ای@نامه\u{200c}ای.com"]
    {
        let lead = create(&store, &LEAD, &format!(r#"{{"email": "{email}"}}"#)).await;
        assert_eq!(text(&lead, "email"), email);
        let found = ids(&store, &LEAD, &format!("email={email}")).await;
        assert_eq!(found, [lead.id()]);
    }
    let error = try_create(&store, &LEAD, "{\"email\": \"संपर्क \u{202e}é\"}")
        .await
        .unwrap_err();
    assert!(
        error.message.ends_with(r#"got "संपर्क \u{202e}é""#),
        "{error}"
    );
}

async fn numbers_of_any_size_are_kept_and_compared(store: AnyStore) {
    let digits = "7".repeat(400);
    let numbers = [
        "-1E+400",
        "1e-400",
        "3",
        &digits,
        "1e400",
        "12345678901234567890.10",
    ];
    for number in numbers {
        let stored = format!(r#"{{"n":{number},"in":[{{"n":{number}}}]}}"#);
        let json = format!(r#"{{"email":"a@b.cc","attributes":{stored}}}"#);
        let lead = create(&store, &LEAD, &json).await;
        assert_eq!(text(&lead, "attributes"), stored);
        let read = store.get(&LEAD, lead.id()).await.unwrap();
        assert_eq!(text(&read, "attributes"), stored);
        let change = format!(r#"{{"attributes":{{"m":{number}}}}}"#);
        let changed = update(&store, &LEAD, lead.id(), &change).await;
        let expected = format!("{},\"m\":{number}}}", &stored[..stored.len() - 1]);
        assert_eq!(text(&changed, "attributes"), expected);
    }
    let all: Vec<String> = list(&store, &LEAD, "")
        .await
        .iter()
        .map(|lead| text(lead, "attributes"))
        .collect();
    for (at, number) in numbers.iter().enumerate() {
        assert!(all[at].ends_with(&format!("\"m\":{number}}}")), "{number}");
        let query = format!("attributes.n={}", number.replace('+', "%2B"));
        assert_eq!(ids(&store, &LEAD, &query).await, [at as i64 + 1], "{query}");
    }
    for (query, expected) in [
        ("attributes.n=gt:1e399", &[4, 5][..]),
        ("attributes.n=10e399", &[5]),
        ("attributes.n=lt:0", &[1]),
        ("attributes.n=lt:1e-399&attributes.n=gt:0", &[2]),
        ("attributes.n=in:3.0,0.1e401", &[3, 5]),
        ("sort=attributes.n", &[1, 2, 3, 6, 4, 5]),
        ("sort=-attributes.n&limit=9", &[5, 4, 6, 3, 2, 1]),
    ] {
        assert_eq!(ids(&store, &LEAD, query).await, expected, "{query}");
    }
    for wrong in ["1e", "01", "1e400e1", "--1", "NaN"] {
        let json = format!(r#"{{"email":"a@b.cc","attributes":{{"n":1e400,"m":{wrong}}}}}"#);
        assert!(
            Draft::from_json(&LEAD, json.as_bytes(), Purpose::Create).is_err(),
            "{wrong}"
        );
    }
}

/// Leads with own fields of every kind.
async fn owners(store: &AnyStore) {
    for attributes in [
        r#"{"company":"Acme, \"Inc\"","size":10,"tags":["VIP",{"city":"L\u00f6ndon"}]}"#,
        r#"{"company":"acme","size":9}"#,
        r#"{"company":"Zeta","size":"10"}"#,
        r#"{"size":null,"first name":"A","a,b":"x"}"#,
        r#"{"company":"Ärzte","size":-1.5,"first name":"b","a,b":"w"}"#,
    ] {
        let json = format!(r#"{{"email":"a@b.cc","attributes":{attributes}}}"#);
        create(store, &LEAD, &json).await;
    }
}

async fn own_fields_are_searched(store: AnyStore) {
    owners(&store).await;
    for (query, expected) in [
        ("q=ACME", &[1, 2][..]),
        ("q=acme, \"inc\"", &[1]),
        ("q=vip", &[1]),
        ("q=LÖND", &[1]),
        ("q=ärz", &[5]),
        ("q=1.5", &[5]),
        ("q=10", &[1, 3]),
        ("q=company", &[]),
        ("q=city", &[]),
        ("q={", &[]),
        ("q=u00f6", &[]),
        ("q=a@b", &[1, 2, 3, 4, 5]),
        ("q=acme&attributes.size=9", &[2]),
    ] {
        let escaped = query.replace('"', "%22").replace('{', "%7B");
        assert_eq!(ids(&store, &LEAD, &escaped).await, expected, "{query}");
        let limited = ids(&store, &LEAD, &format!("{escaped}&limit=9&sort=-id")).await;
        assert!(limited.iter().rev().eq(expected), "{query}");
        let counted = Query::new(
            &LEAD,
            pairs(&format!("{escaped}&count=true&limit=1")).unwrap(),
        );
        let total = store.list(counted.unwrap()).await.unwrap().total;
        assert_eq!(total, Some(expected.len() as u64), "{query}");
    }
}

async fn own_fields_are_sorted(store: AnyStore) {
    owners(&store).await;
    for (query, expected) in [
        ("sort=attributes.company", [4, 1, 3, 2, 5]),
        ("sort=-attributes.company", [5, 2, 3, 1, 4]),
        // Null, then numbers, then texts.
        ("sort=attributes.size", [4, 5, 2, 1, 3]),
        ("sort=-attributes.size", [3, 1, 2, 5, 4]),
        ("sort=attributes.first name,-id", [3, 2, 1, 4, 5]),
        ("sort=attributes.a%5C,b,-attributes.size", [3, 1, 2, 5, 4]),
        ("sort=status,-attributes.size,id", [3, 1, 2, 5, 4]),
        ("sort=attributes.nothing", [1, 2, 3, 4, 5]),
    ] {
        assert_eq!(ids(&store, &LEAD, query).await, expected, "{query}");
        let limited = format!("{query}&limit=10");
        assert_eq!(ids(&store, &LEAD, &limited).await, expected, "{limited}");
        let filtered = format!("{query}&q=a@b&email=a@b.cc");
        assert_eq!(ids(&store, &LEAD, &filtered).await, expected, "{filtered}");
        for limit in 1..5 {
            let query = format!("{query}&limit={limit}");
            assert_eq!(pages(&store, &query).await, expected, "{query}");
        }
    }
    for wrong in ["sort=attributes", "sort=attributes.a,attributes.a"] {
        assert!(Query::new(&LEAD, pairs(wrong).unwrap()).is_err(), "{wrong}");
    }
    let view = crm::views::VIEWS[0];
    let sort = Query::new(view, pairs("sort=attributes.a").unwrap());
    assert_eq!(sort.is_ok(), view.has_attributes());
}

async fn pages_by_own_fields_neither_skip_nor_repeat(store: AnyStore) {
    let filler = "x".repeat(300);
    for number in 0..60 {
        // Ties, missing values, and texts that are equal as far as they are compared.
        let attributes = match number % 4 {
            0 => "{}".into(),
            1 => format!(r#"{{"k":{}}}"#, number % 3),
            2 => format!(r#"{{"k":"{filler}{number}"}}"#),
            _ => format!(r#"{{"k":"{number}"}}"#),
        };
        let json = format!(r#"{{"email":"a@b.cc","attributes":{attributes}}}"#);
        create(&store, &LEAD, &json).await;
    }
    for sort in [
        "attributes.k",
        "-attributes.k",
        "-attributes.k,-id",
        "status,attributes.k",
    ] {
        let whole = ids(&store, &LEAD, &format!("sort={sort}")).await;
        assert_eq!(whole.iter().collect::<HashSet<_>>().len(), 60, "{sort}");
        assert_eq!(
            pages(&store, &format!("sort={sort}&limit=7")).await,
            whole,
            "{sort}"
        );
        let large = ids(&store, &LEAD, &format!("sort={sort}&limit=2000")).await;
        assert_eq!(large, whole, "{sort}");
    }
}

async fn a_date_is_its_whole_day(store: AnyStore) {
    for time in [
        "2025-12-31 23:59:59",
        "2026-01-01 00:00:00",
        "2026-01-01 23:59:59",
        "2026-01-02 00:00:00",
    ] {
        create(
            &store,
            &PROCESS,
            &format!(r#"{{"name": "p", "next_followup_datetime": "{time}"}}"#),
        )
        .await;
    }
    create(&store, &PROCESS, r#"{"name": "p"}"#).await;
    for (query, expected) in [
        ("2026-01-01", &[2, 3][..]),
        ("ne:2026-01-01", &[1, 4, 5]),
        ("lte:2026-01-01", &[1, 2, 3]),
        ("lt:2026-01-01", &[1]),
        ("gt:2026-01-01", &[4]),
        ("gte:2026-01-01", &[2, 3, 4]),
        ("in:2025-12-31,2026-01-02", &[1, 4]),
        ("2026-01-01T01:00:00%2B01:00", &[2]),
        ("2026-01-01T00:00:00.5Z", &[]),
        ("like:2026-%25", &[2, 3, 4]),
    ] {
        assert_eq!(
            ids(&store, &PROCESS, &format!("next_followup_datetime={query}")).await,
            expected,
            "{query}"
        );
    }
}

async fn lists_are_sorted_with_null_first_and_ties_by_id(store: AnyStore) {
    people(&store).await;
    for (query, expected) in [
        ("", [1, 2, 3, 4]),
        ("sort=-id", [4, 3, 2, 1]),
        ("sort=name", [3, 1, 2, 4]),
        ("sort=-name", [4, 2, 1, 3]),
        ("sort=status", [2, 4, 1, 3]),
        ("sort=-status,-name", [3, 1, 4, 2]),
        ("sort=created_at,-id", [4, 3, 2, 1]),
    ] {
        if query == "sort=created_at,-id"
            && list(&store, &LEAD, "")
                .await
                .iter()
                .map(|lead| text(lead, "created_at"))
                .collect::<HashSet<_>>()
                .len()
                > 1
        {
            // The clock went on between two creates.
            continue;
        }
        assert_eq!(ids(&store, &LEAD, query).await, expected, "{query}");
        let limited = format!("{query}{}limit=10", if query.is_empty() { "" } else { "&" });
        assert_eq!(ids(&store, &LEAD, &limited).await, expected, "{limited}");
    }
}

/// The ids of all pages.
async fn pages(store: &AnyStore, query: &str) -> Vec<i64> {
    let mut after = String::new();
    let mut all = Vec::new();
    loop {
        let page = Query::new(&LEAD, pairs(&format!("{query}{after}")).unwrap()).unwrap();
        let mut listing = store.list(page).await.unwrap();
        while let Some(chunk) = listing.next_chunk().await.unwrap() {
            all.extend(chunk.iter().map(Record::id));
        }
        match listing.next {
            Some(next) => after = format!("&after={next}"),
            None => return all,
        }
    }
}

async fn pages_neither_skip_nor_repeat(store: AnyStore) {
    people(&store).await;
    people(&store).await;
    for query in [
        "",
        "sort=-id&",
        "sort=name&",
        "sort=-name&",
        "sort=status,-name&",
        "sort=-status,name,-id&",
        "sort=-created_at,name&",
    ] {
        let whole = ids(&store, &LEAD, query).await;
        assert_eq!(whole.len(), 8);
        for limit in [1, 3, 8] {
            assert_eq!(
                pages(&store, &format!("{query}limit={limit}")).await,
                whole,
                "{query} {limit}"
            );
        }
    }
    let query = Query::new(&LEAD, pairs("status=contacted&limit=1&count=true").unwrap()).unwrap();
    let listing = store.list(query).await.unwrap();
    assert_eq!(listing.total, Some(4));
    assert!(listing.next.is_some());
    let query = Query::new(&LEAD, pairs("limit=8").unwrap()).unwrap();
    assert_eq!(store.list(query).await.unwrap().next, None);
}

async fn long_texts_sort_and_page(store: AnyStore) {
    for tail in ["b", "a", "c"] {
        let name = format!("{}{tail}", "ä".repeat(100_000));
        create(
            &store,
            &LEAD,
            &format!(r#"{{"email": "a@b.cc", "name": "{name}"}}"#),
        )
        .await;
    }
    // Ties beyond what a sort looks at go by id, and the cursor stays short.
    assert_eq!(pages(&store, "sort=-name&limit=1").await, [1, 2, 3]);
}

async fn a_whole_list_has_every_record_once(store: AnyStore) {
    let filler = "x".repeat(2_000);
    let creates = (0..300).map(|number| {
        let json = format!(
            r#"{{"email": "a{number}@b.cc", "name": "{}{filler}", "status": "s{}"}}"#,
            999 - number,
            number % 3
        );
        let store = store.clone();
        async move { create(&store, &LEAD, &json).await.id() }
    });
    let mut created = futures_util::future::join_all(creates).await;
    created.sort_unstable();
    assert_eq!(ids(&store, &LEAD, "").await, created);
    let by_name = list(&store, &LEAD, "sort=name").await;
    assert!(by_name.is_sorted_by_key(|lead| text(lead, "name")));
    assert_eq!(by_name.len(), 300);
    created.reverse();
    assert_eq!(ids(&store, &LEAD, "sort=-id").await, created);
    let filtered = ids(
        &store,
        &LEAD,
        "status=s1&created_at=gte:2000-01-01&email=like:a%25",
    )
    .await;
    assert_eq!(filtered.len(), 100);
    assert!(filtered.is_sorted());
}

async fn a_page_of_large_records_is_whole(store: AnyStore) {
    let filler = "x".repeat(60_000);
    for number in 0..12 {
        create(
            &store,
            &LEAD,
            &format!(r#"{{"email": "a{number}@b.cc", "name": "{filler}"}}"#),
        )
        .await;
    }
    assert_eq!(
        ids(&store, &LEAD, "limit=11").await,
        (1..=11).collect::<Vec<i64>>()
    );
    assert_eq!(pages(&store, "sort=-email&limit=5").await.len(), 12);
}

async fn a_very_large_page_ends_and_goes_on(store: AnyStore) {
    const MANY: i64 = 1_050;
    let creates = (0..MANY).map(|number| {
        let new = draft(
            &ACTION,
            &format!(r#"{{"action_type": "t{}"}}"#, number % 7),
            Purpose::Create,
        );
        store.create(new, OnDuplicate::Create)
    });
    // Some at a time, as a server takes so many connections and a database so many waiting writes.
    futures_util::stream::iter(creates)
        .buffer_unordered(64)
        .for_each(async |saved| drop(saved.unwrap()))
        .await;
    for order in [
        "",
        "sort=-id&",
        "sort=action_type&",
        "sort=-action_type,-id&",
    ] {
        let whole = ids(&store, &ACTION, order).await;
        assert_eq!(whole.len() as i64, MANY);
        for limit in [1_001, MANY - 1, MANY, MANY + 1] {
            let query =
                Query::new(&ACTION, pairs(&format!("{order}limit={limit}")).unwrap()).unwrap();
            let next = store.list(query).await.unwrap().next;
            let mut all = ids(&store, &ACTION, &format!("{order}limit={limit}")).await;
            assert_eq!(all.len() as i64, limit.min(MANY), "{order}{limit}");
            assert_eq!(next.is_some(), limit < MANY, "{order}{limit}");
            if let Some(next) = next {
                all.extend(ids(&store, &ACTION, &format!("{order}limit=100&after={next}")).await);
            }
            assert_eq!(all, whole, "{order}{limit}");
        }
    }
}

async fn a_record_is_never_larger_than_a_body(store: AnyStore) {
    let half = "x".repeat(600_000);
    create(
        &store,
        &LEAD,
        &format!(r#"{{"email": "a@b.cc", "name": "{half}"}}"#),
    )
    .await;
    let error = try_update(
        &store,
        &LEAD,
        1,
        &format!(r#"{{"attributes": {{"k": "{half}"}}}}"#),
    )
    .await
    .unwrap_err();
    assert_eq!(error.code, Code::TooLarge);
    let whole = store.get(&LEAD, 1).await.unwrap();
    assert_eq!(update(&store, &LEAD, 1, &whole.to_json()).await, whole);
}

async fn many_attributes_take_no_long_time(store: AnyStore) {
    let keys = |from: usize| {
        let keys: Vec<String> = (from..from + 40_000)
            .map(|key| format!(r#""k{key}":1"#))
            .collect();
        format!("{{{}}}", keys.join(","))
    };
    create(
        &store,
        &LEAD,
        &format!(r#"{{"email": "a@b.cc", "attributes": {}}}"#, keys(0)),
    )
    .await;
    let nulls = keys(0).replace(":1", ":null");
    let after = update(&store, &LEAD, 1, &format!(r#"{{"attributes": {nulls}}}"#)).await;
    assert_eq!(text(&after, "attributes"), "{}");
    update(
        &store,
        &LEAD,
        1,
        &format!(r#"{{"attributes": {}}}"#, keys(20_000)),
    )
    .await;
    let values = (0..1_000)
        .map(|value| value.to_string())
        .collect::<Vec<_>>()
        .join(",");
    assert_eq!(
        ids(&store, &LEAD, &format!("attributes.k20000=in:{values}")).await,
        [1]
    );
}

async fn many_values_are_refused_and_never_a_fault(store: AnyStore) {
    let values = ",".repeat(999);
    let query = |count: usize| {
        let filters: Vec<String> = (0..count).map(|_| format!("name=in:{values}")).collect();
        Query::new(&LEAD, pairs(&filters.join("&")).unwrap())
    };
    assert!(store.list(query(10).unwrap()).await.is_ok());
    assert_eq!(query(11).unwrap_err().code, Code::Invalid);
    for name in ["q", "name=like:"] {
        let long = format!("{name}={}", "a".repeat(1_001)).replace(":=", ":");
        assert!(Query::new(&LEAD, pairs(&long).unwrap()).is_err());
    }
    assert!(
        Query::new(
            &LEAD,
            pairs(&format!("name={}", "é".repeat(15_000))).unwrap()
        )
        .is_err()
    );
}

async fn it_is_ready(store: AnyStore) {
    let before = crm::base::time::now();
    assert!(store.ready().await.unwrap().last_commit >= before);
    assert!(store.ready().await.unwrap().last_commit >= before);
}

async fn many_writers_lose_nothing(store: AnyStore) {
    create(&store, &LEAD, r#"{"email": "a@b.cc"}"#).await;
    let writes = (0..100).map(|number| {
        let store = store.clone();
        async move {
            let json = format!(r#"{{"attributes": {{"k{number}": {number}}}}}"#);
            update(&store, &LEAD, 1, &json).await;
            // One that fails among them fails alone.
            try_create(&store, &ACTION, r#"{"action_type": "call", "lead_id": 99}"#)
                .await
                .unwrap_err();
        }
    });
    futures_util::future::join_all(writes).await;
    let lead = store.get(&LEAD, 1).await.unwrap();
    let attributes: serde_json::Value = serde_json::from_str(&text(&lead, "attributes")).unwrap();
    assert_eq!(attributes.as_object().unwrap().len(), 100);
}

/// A write with a key is done once; one under a version that is gone is not done.
async fn keys_and_versions(store: AnyStore) {
    use crm::base::error::Code;
    use crm::model::terms::{Key, Tag, Versions};
    use crm::ops::create::Create;
    use crm::ops::delete::Delete;
    use crm::ops::update::Update;

    let under = |key: &str, body: &str| Terms {
        versions: None,
        key: Some(Key::parse(key, &["0", "POST", "/leads", ""], body.as_bytes()).unwrap()),
        ..Terms::default()
    };
    let new = |json: &str| Create::new(draft(&LEAD, json, Purpose::Create), OnDuplicate::Create);
    let json = r#"{"email":"ada@example.com","attributes":{"n":1.50}}"#;
    let first = store.write(new(json), under("k1", json)).await.unwrap();
    let second = store.write(new(json), under("k1", json)).await.unwrap();
    assert_eq!((first.replayed, second.replayed), (false, true));
    assert_eq!(first.done, second.done);
    assert!(second.done.created);
    let record = second.done.record;
    assert_eq!((record.id(), record.version()), (1, 1));
    if !matches!(store, AnyStore::Remote(_)) {
        // A server makes the hash of the body itself.
        let other = store.write(new(json), under("k1", "other")).await;
        assert_eq!(other.unwrap_err().code, Code::KeyReused);
    }
    // What was refused is not kept.
    let bad = r#"{"email":"none"}"#;
    for _ in 0..2 {
        let refused = store.write(new(bad), under("k2", bad)).await.unwrap_err();
        assert_eq!(refused.code, Code::Invalid);
    }
    let twins = (0..8).map(|_| store.write(new(json), under("k3", json)));
    let twins = futures_util::future::join_all(twins).await;
    let made = twins.iter().filter(|twin| !twin.as_ref().unwrap().replayed);
    assert_eq!(made.count(), 1, "{twins:?}");
    assert_eq!(ids(&store, &LEAD, "").await.len(), 2);

    let change = |name: &str| {
        let json = format!(r#"{{"name":"{name}"}}"#);
        Update::new(1, draft(&LEAD, &json, Purpose::Update))
    };
    let at = |version: i64| Terms {
        versions: Some(Versions::Of(vec![Tag::of(version)])),
        key: None,
        ..Terms::default()
    };
    let changed = store.write(change("a"), at(1)).await.unwrap();
    assert_eq!(changed.done.record.version(), 2);
    let stale = store.write(change("b"), at(1)).await.unwrap_err();
    assert_eq!(stale.code, Code::Stale);
    let delete = || Delete::new(&LEAD, 1, false);
    let stale = store.write(delete(), at(1)).await.unwrap_err();
    assert_eq!(stale.code, Code::Stale);
    assert_eq!(store.get(&LEAD, 1).await.unwrap().version(), 2);
    store.write(delete(), at(2)).await.unwrap();
}
