//! What an undo that is refused says: every record and every reason, who has erased one, and what is no longer kept.

use futures_util::future::join_all;

use super::*;

/// What is said of each record.
fn told(error: &Error) -> Vec<(&str, &str)> {
    let problems = error.problems.iter();
    problems
        .map(|problem| (&*problem.field, &*problem.expected))
        .collect()
}

async fn erase(store: &AnyStore, id: i64) -> i64 {
    let outcome = store.write(Delete::erasing(&LEAD, id), Terms::default());
    outcome.await.unwrap().group.unwrap()
}

pub async fn an_undo_names_every_conflict(store: AnyStore) {
    let group = made(&store, &LEAD, r#"{"email":"a@b.cc"}"#).await;
    create(&store, &ACTION, r#"{"lead_id":1,"action_type":"call"}"#).await;
    create(&store, &PROCESS, r#"{"lead_id":1,"name":"p"}"#).await;
    let later = change(&store, &LEAD, 1, r#"{"name":"x"}"#).await;
    let error = undo(&store, group).await.unwrap_err();
    let json: serde_json::Value = serde_json::from_str(&error.to_json()).unwrap();
    let all = format!(
        "was changed since, by - (change {later}); action 1 refers to it now; process 1 refers to it now"
    );
    assert_eq!(json["fields"]["lead 1"], all.as_str(), "{json}");
    // Several records refer to one that is gone.
    let write = |id| Delete::new(&ACTION, id, false);
    create(&store, &ACTION, r#"{"lead_id":1,"action_type":"mail"}"#).await;
    let first = store.write(write(1), Terms::default()).await.unwrap();
    let mut terms = Terms::default();
    terms.author.group = first.group;
    store.write(write(2), terms).await.unwrap();
    let gone = delete(&store, &LEAD, 1, true).await;
    let error = undo(&store, first.group.unwrap()).await.unwrap_err();
    // The process goes first.
    let what = format!(
        "refers to lead 1, which was deleted since, by - (change {})",
        gone + 1
    );
    assert_eq!(
        told(&error),
        [("action 1", what.as_str()), ("action 2", what.as_str())]
    );
}

async fn says_what_was_erased(store: AnyStore) {
    for address in ["a@b.cc", "b@b.cc", "c@b.cc"] {
        create(&store, &LEAD, &format!(r#"{{"email":"{address}"}}"#)).await;
    }
    create(&store, &ACTION, r#"{"lead_id":2,"action_type":"call"}"#).await;
    create(&store, &ACTION, r#"{"lead_id":2,"action_type":"mail"}"#).await;
    create(&store, &ACTION, r#"{"lead_id":2,"action_type":"move"}"#).await;
    let write = |id| Update::new(id, draft(&LEAD, r#"{"status":"x"}"#, Purpose::Update));
    let first = store.write(write(1), Terms::default()).await.unwrap();
    let group = first.group.unwrap();
    for id in [2, 3] {
        let mut terms = Terms::default();
        terms.author.group = first.group;
        store.write(write(id), terms).await.unwrap();
    }
    let updated = change(&store, &ACTION, 1, r#"{"details":"x"}"#).await;
    let moved = change(&store, &ACTION, 3, r#"{"lead_id":1}"#).await;
    let gone = delete(&store, &ACTION, 2, false).await;
    let later = change(&store, &LEAD, 1, r#"{"name":"x"}"#).await;
    let erased = erase(&store, 2).await;
    // Its action goes first.
    let by = format!("was erased, by - (change {})", erased + 1);
    let changed = format!("was changed since, by - (change {later})");
    let error = undo(&store, group).await.unwrap_err();
    assert_eq!(error.code, Code::Conflict);
    let all = [("lead 2", &*by), ("lead 1", &*changed)];
    assert_eq!(told(&error), all, "{error}");
    assert!(error.message.contains("nothing was changed"), "{error}");
    // An action that went with it, one that was deleted before, and one that had been moved away.
    let by = format!("was erased, by - (change {erased})");
    let error = undo(&store, updated).await.unwrap_err();
    assert_eq!(told(&error), [("action 1", &*by)]);
    let error = undo(&store, gone).await.unwrap_err();
    assert_eq!(told(&error), [("action 2", "was erased")]);
    let error = undo(&store, moved).await.unwrap_err();
    assert_eq!(told(&error)[0].0, "action 3");
    assert!(told(&error)[0].1.contains("that was erased"), "{error}");
    // A create, of which the change has no contents that are needed.
    let error = undo(&store, 2).await.unwrap_err();
    assert!(told(&error)[0].1.starts_with("was erased, by -"), "{error}");
    // The erasure itself.
    let error = undo(&store, erased).await.unwrap_err();
    assert!(error.message.contains("has erased lead 2"), "{error}");
    // A record that refers to one that was erased since.
    create(&store, &ACTION, r#"{"lead_id":3,"action_type":"call"}"#).await;
    let away = change(&store, &ACTION, 4, r#"{"lead_id":1}"#).await;
    let erased = erase(&store, 3).await;
    let error = undo(&store, away).await.unwrap_err();
    assert_eq!(error.code, Code::Conflict);
    assert!(!error.message.contains("deleted"), "{error}");
    assert!(error.message.contains("was erased"), "{error}");
    assert!(erased > away);
    store.close().await.unwrap();
}

#[tokio::test]
async fn an_undo_says_what_was_erased_from_a_file() {
    let home = Home::new();
    let (store, _) = AnyStore::open(&home.path("crm.db"), Work::Command).unwrap();
    says_what_was_erased(store).await;
}

#[tokio::test]
async fn an_undo_says_what_was_erased_from_postgres() {
    if let Some(url) = cluster::schema().await {
        let store = Postgres::open(&url, CONNECTIONS).await.unwrap();
        says_what_was_erased(AnyStore::Postgres(store)).await;
    }
}

/// Each takes back another group, and those that find none say so.
async fn one_after_the_other(store: &AnyStore) {
    for number in 0..4 {
        create(store, &LEAD, &format!(r#"{{"email":"u{number}@b.cc"}}"#)).await;
    }
    for round in 0..3 {
        let before = state(store).await;
        let mut groups = Vec::new();
        for id in [1, 1, 2, 3] {
            let json = format!(r#"{{"name":"{round} {id} {}"}}"#, groups.len());
            groups.push(change(store, &LEAD, id, &json).await);
        }
        let all = join_all((0..4).map(|_| undo_last(store))).await;
        let mut undone: Vec<i64> = all.into_iter().map(|one| one.unwrap().undoes).collect();
        undone.sort_unstable();
        assert_eq!(undone, groups);
        assert_eq!(state(store).await, before);
    }
    // More than there is to take back: what made the leads.
    let all = join_all((0..7).map(|_| undo_last(store))).await;
    let (done, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
    assert_eq!(done.len(), 4);
    for one in refused {
        assert_eq!(one.unwrap_err().code, Code::NotFound);
    }
    assert_eq!(ids(store, &LEAD, "").await, Vec::<i64>::new());
}

pub async fn undos_at_once_take_back_one_group_after_the_other(store: AnyStore) {
    one_after_the_other(&store).await;
}

/// A change that is no longer kept is gone, whether it was the first of its group or is the one that was named.
#[tokio::test]
async fn what_is_no_longer_kept_is_gone() {
    let home = Home::new();
    let path = home.path("crm.db");
    let (store, _) = AnyStore::open(&path, Work::Command).unwrap();
    fill(&store).await;
    let group = delete(&store, &LEAD, 1, true).await;
    let file = rusqlite::Connection::open(&path).unwrap();
    let sql = format!(
        "DELETE FROM crm_changes WHERE seq <= {group}; UPDATE crm_epoch SET removed = {group}"
    );
    file.execute_batch(&sql).unwrap();
    for named in [1, group, group + 1] {
        for error in [
            undo(&store, named).await.unwrap_err(),
            dry_run(&store, Some(named)).await.unwrap_err(),
        ] {
            assert_eq!(error.code, Code::Gone, "{named}: {error}");
            let kept = format!("changes are kept from number {} on", group + 1);
            assert!(error.message.contains(&kept), "{error}");
            assert!(error.message.contains("correct them by hand"), "{error}");
        }
    }
    let error = undo(&store, group + 100).await.unwrap_err();
    assert_eq!(error.code, Code::NotFound);
    store.close().await.unwrap();
    let said = home
        .line(&format!("undo {group} --yes --db crm.db"))
        .fails(7);
    assert!(said.contains("no longer kept"), "{said}");
}
