//! Leads that may be the same person: how they are found, and what is remembered of those that are not.

use crm::base::error::Error;
use crm::model::lead::LEAD;
use crm::model::terms::Terms;
use crm::ops::delete::Delete;
use crm::ops::dismiss_duplicates::DismissDuplicates;
use crm::ops::duplicates::{Wanted, find};
use crm::ops::merge::Merge;
use crm::ops::summary::Summarize;
use crm::ops::undo::Undo;
use crm::store::any::AnyStore;
use crm::store::contract::Store;
use crm::views::duplicates::DuplicatesPage;
use serde_json::{Value, json};

use crate::contract::{create, ids, update};
use crate::support::{Home, Service, client, resolved, with_json};

async fn page(store: &AnyStore, parameters: &[(&str, &str)]) -> Result<DuplicatesPage, Error> {
    let parameters = parameters.iter();
    let parameters: Vec<(String, String)> = parameters
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    find(store, Wanted::of(&parameters)?).await
}

fn told(page: &DuplicatesPage) -> Vec<String> {
    let groups = page.groups.iter();
    let told = groups.map(|group| {
        let ids: Vec<String> = group
            .leads
            .iter()
            .map(|one| one.lead.id().to_string())
            .collect();
        format!("{}: {}", ids.join(" "), group.reasons.words().join(", "))
    });
    told.collect()
}

async fn found(store: &AnyStore) -> Vec<String> {
    told(&page(store, &[]).await.unwrap())
}

async fn dismiss(store: &AnyStore, leads: &[i64], dismissed: bool) -> Result<u64, Error> {
    let write = DismissDuplicates::new(leads.to_vec(), dismissed)?;
    Ok(store.write(write, Terms::default()).await?.done.changed)
}

async fn fill(store: &AnyStore) {
    for lead in [
        r#"{"email":"max@möstermann.de","name":"Max"}"#,
        r#"{"email":"max@xn--mstermann-07a.de","name":"Moritz"}"#,
        r#"{"email":"a.da@gmail.com","name":"Ada"}"#,
        r#"{"email":"ada+x@googlemail.com","name":"Ada"}"#,
        r#"{"email":"eve@acme.org","name":"Eve  Smith"}"#,
        r#"{"email":"e.smith@acme.org","name":"EVE SMITH","attributes":{"ref":7,"phone":"+44 20 7946 0000"}}"#,
        r#"{"email":"bob@b.cc","name":"Eve Smith","attributes":{"Mobile":"0044 (0)20 79460000"}}"#,
        r#"{"email":"zoe@c.cc","attributes":{"ref":"7"}}"#,
        r#"{"email":"alone@d.cc","name":"Ada","attributes":{"phone":"1"}}"#,
    ] {
        create(store, &LEAD, lead).await;
    }
}

pub async fn duplicates_are_found_in_groups(store: AnyStore) {
    assert_eq!(found(&store).await, Vec::<String>::new());
    fill(&store).await;
    let all = [
        "1 2: same address",
        "3 4: same mailbox",
        "5 6 7: same phone, same name",
    ];
    assert_eq!(found(&store).await, all);
    let group = page(&store, &[]).await.unwrap().groups.remove(2);
    let reasons: Vec<String> = group
        .leads
        .iter()
        .map(|one| one.reasons.join(", "))
        .collect();
    assert_eq!(
        reasons,
        ["same name", "same phone, same name", "same phone"]
    );
    assert_eq!(group.count, 3);
    for key in ["ref", "attributes.ref"] {
        let with = page(&store, &[("key", key)]).await.unwrap();
        assert_eq!(
            told(&with),
            [
                "1 2: same address",
                "5 6 7 8: same attribute, same phone, same name",
                "3 4: same mailbox",
            ]
        );
    }
    // What is changed is found as it is now.
    update(&store, &LEAD, 2, r#"{"email":"moritz@b.cc"}"#).await;
    assert_eq!(found(&store).await, all[1..]);
    for (wrong, field) in [
        (("limit", "0"), "limit"),
        (("limit", "1001"), "limit"),
        (("after", "x"), "after"),
        (("key", "attributes."), "key"),
        (("status", "new"), "status"),
    ] {
        let error = page(&store, &[wrong]).await.unwrap_err();
        assert_eq!(error.problems[0].field, field);
    }
}

pub async fn dismissed_pairs_are_remembered(store: AnyStore) {
    fill(&store).await;
    let version = store.get(&LEAD, 3).await.unwrap().version();
    assert_eq!(dismiss(&store, &[4, 3], true).await.unwrap(), 1);
    assert_eq!(dismiss(&store, &[3, 4], true).await.unwrap(), 0);
    assert_eq!(store.get(&LEAD, 3).await.unwrap().version(), version);
    assert_eq!(
        found(&store).await,
        ["1 2: same address", "5 6 7: same phone, same name"]
    );
    let summary = store.inquire(Summarize::of(4)).await.unwrap();
    assert_eq!(summary.duplicates, []);
    // They are still connected through a third one.
    dismiss(&store, &[5, 7], true).await.unwrap();
    assert_eq!(found(&store).await[1], "5 6 7: same phone, same name");
    assert_eq!(dismiss(&store, &[5, 6, 7], true).await.unwrap(), 2);
    assert_eq!(found(&store).await, ["1 2: same address"]);
    assert_eq!(dismiss(&store, &[5, 6], false).await.unwrap(), 1);
    assert_eq!(found(&store).await, ["1 2: same address", "5 6: same name"]);
    let summary = store.inquire(Summarize::of(2)).await.unwrap();
    assert_eq!(summary.duplicates[0].lead.id(), 1);
    for (leads, problem) in [
        (&[3, 99][..], "no lead has the id 99"),
        (&[3, 3], "3 is given twice"),
        (&[3], "expected an array"),
    ] {
        let error = dismiss(&store, leads, true).await.unwrap_err();
        assert!(error.problems[0].expected.starts_with(problem), "{error}");
    }

    // The pairs of a lead that is merged are those of the lead that stays, until that is taken back.
    create(&store, &LEAD, r#"{"email":"ada@gmail.com"}"#).await;
    dismiss(&store, &[4, 10], true).await.unwrap();
    assert_eq!(found(&store).await[1], "3 10: same mailbox");
    let merge = Merge::new(3, r#"{"others":[4]}"#, false).unwrap();
    let merged = store.write(merge, Terms::default()).await.unwrap();
    assert_eq!(found(&store).await, ["1 2: same address", "5 6: same name"]);
    let undo = Undo::new(merged.group, false);
    store.write(undo, Terms::default()).await.unwrap();
    assert_eq!(found(&store).await[1], "3 10: same mailbox");
    // A lead that is deleted is no duplicate, and is one again when it is restored.
    let delete = store
        .write(Delete::new(&LEAD, 4, false), Terms::default())
        .await
        .unwrap();
    let undo = Undo::new(delete.group, false);
    store.write(undo, Terms::default()).await.unwrap();
    assert_eq!(found(&store).await[1], "3 10: same mailbox");
}

pub async fn pages_of_duplicates_go_on(store: AnyStore) {
    for at in 0..14 {
        let (person, plus) = (at % 7, if at < 7 { "" } else { "+x" });
        create(
            &store,
            &LEAD,
            &format!(r#"{{"email":"p{person}{plus}@b.cc"}}"#),
        )
        .await;
    }
    let all = found(&store).await;
    assert_eq!(all.len(), 7);
    let (mut seen, mut after) = (Vec::new(), None::<String>);
    loop {
        let mut parameters = vec![("limit", "3")];
        if let Some(after) = &after {
            parameters.push(("after", after));
        }
        let page = page(&store, &parameters).await.unwrap();
        seen.extend(told(&page));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, all);
    assert_eq!(ids(&store, &LEAD, "").await.len(), 14);
}

#[tokio::test]
async fn a_service_finds_and_dismisses_duplicates() {
    let service = Service::start().await;
    fill(&service.store).await;
    let http = client();
    let get = async |path: &str| {
        let sent = http
            .get(format!("{}{path}", service.url))
            .send()
            .await
            .unwrap();
        let link = sent
            .headers()
            .get("link")
            .map(|link| link.to_str().unwrap().to_string());
        let status = sent.status().as_u16();
        let json: Value = serde_json::from_str(&sent.text().await.unwrap()).unwrap();
        (status, link, json)
    };
    let (status, link, first) = get("/leads/duplicates?limit=1&key=ref").await;
    assert_eq!((status, first[0]["count"].clone()), (200, json!(2)));
    assert_eq!(
        first[0]["leads"][1]["email"],
        "max@xn--mstermann-07a.de".replace("xn--mstermann-07a", "möstermann")
    );
    let link = link.unwrap();
    let target = link
        .strip_prefix('<')
        .unwrap()
        .strip_suffix(">; rel=\"next\"")
        .unwrap();
    let (_, _, second) = get(&resolved("/leads/duplicates", target)).await;
    assert_eq!(
        second[0]["reasons"],
        json!(["same attribute", "same phone", "same name"])
    );
    let (status, link, none) = get("/leads/duplicates/").await;
    assert_eq!(
        (status, link, none.as_array().unwrap().len()),
        (200, None, 3)
    );
    let (status, _, refused) = get("/leads/duplicates?limit=x").await;
    assert_eq!(
        (status, &refused["fields"]["limit"].is_string()),
        (400, &true)
    );
    let request = http.post(format!("{}/leads/duplicates/dismiss", service.url));
    let sent = with_json(request, &json!({"leads": [1, 2]}))
        .send()
        .await
        .unwrap();
    let done: Value = serde_json::from_str(&sent.text().await.unwrap()).unwrap();
    assert_eq!(
        done,
        json!({"leads": [1, 2], "dismissed": true, "changed": 1})
    );
    assert_eq!(
        get("/leads/duplicates").await.2.as_array().unwrap().len(),
        2
    );
    service.stop().await;
}

#[test]
fn a_command_finds_and_dismisses_duplicates() {
    let home = Home::new();
    let crm = |line: &str| home.line(&format!("{line} --db crm.db"));
    crm("lead create --email ada@b.cc --name Ada").ok();
    crm("lead create --email ada+x@b.cc --name ada --status won").ok();
    crm("lead create --email eve@b.cc").ok();
    let shown = crm("lead dupes").ok();
    assert_eq!(
        shown,
        "same mailbox, same name\n  1  ada@b.cc    Ada  new  same mailbox, same name\n  2  ada+x@b.cc  ada  won  same mailbox, same name\n"
    );
    assert_eq!(crm("lead dupes -o id").ok(), "1 2\n");
    let csv = crm("lead dupes -o csv").ok();
    assert!(
        csv.contains("\n1,2,ada+x@b.cc,ada,won,\"same mailbox, same name\"\n"),
        "{csv}"
    );
    let told = crm("lead dupes --dismiss ada@b.cc 2").ok();
    assert!(
        told.contains("leads 1, 2 are no duplicates of each other"),
        "{told}"
    );
    assert_eq!(crm("lead dupes -o json").ok(), "[]\n");
    // A copy remembers it.
    home.line("copy crm.db other.db").run();
    assert_eq!(home.line("lead dupes -o json --db other.db").ok(), "[]\n");
    crm("lead dupes --undismiss 1 2").ok();
    assert_eq!(crm("lead dupes -o id").ok(), "1 2\n");
    crm("lead dupes --dismiss 1").fails(2);
    let refused = crm("lead dupes --limit 0").fails(2);
    assert!(
        refused.contains("limit: expected a whole number from 1 to 1000"),
        "{refused}"
    );
}
