//! A day in the life: import, call, reschedule, claim by three workers, done, undo of the wrong one, and what is due tomorrow.
//! Over commands on a file, over commands on a service, and over HTTP.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::{Home, Service, client};

/// The people of the day.
const PEOPLE: [&str; 6] = ["ada", "bob", "cleo", "dan", "eve", "fay"];

/// The day with commands. `crm` runs a line of the shell.
fn day(crm: impl Fn(&str) -> String) {
    let read = |line: &str| -> Value {
        let text = crm(line);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{line}: {error}: {text}"))
    };
    // Import: a loop over a list, as people write it.
    crm(&format!(
        "for name in {}; do \
         lead=$(crm lead create --email $name@example.com --name $name --set phone=+49 -o id) && \
         crm process create --lead $lead --name 'First call' --channel call --next -1h -o id 2>/dev/null; done",
        PEOPLE.join(" ")
    ));
    assert_eq!(crm("crm due --overdue -o id").lines().count(), PEOPLE.len());

    // Three workers claim two each, and nobody gets what another has.
    let claimed: Vec<Value> = ["wim", "xia", "yan"]
        .iter()
        .flat_map(|worker| {
            let mine = read(&format!("crm next --worker {worker} --limit 2 -o json"));
            mine.as_array().unwrap().clone()
        })
        .collect();
    let ids: HashSet<i64> = claimed
        .iter()
        .map(|one| one["id"].as_i64().unwrap())
        .collect();
    assert_eq!((claimed.len(), ids.len()), (6, 6));
    assert_eq!(read("crm next --limit 2 -o json"), json!([]));
    let lead = |at: usize| claimed[at]["lead_id"].as_i64().unwrap();
    let process = |at: usize| claimed[at]["id"].as_i64().unwrap();
    let lease = |at: usize| claimed[at]["lease"].as_str().unwrap();
    let shown = read(&format!("crm lead show {} -o json", lead(0)));
    assert_eq!(shown["leases"][0]["worker"], "wim");
    assert!(!shown.to_string().contains(lease(0)), "{shown}");

    // The first is called and wants an offer tomorrow.
    let logged = read(&format!(
        "crm log {} call 'Asked for a quote' --next 'tomorrow 9am' --lead-status contacted --lease {} -o json",
        lead(0),
        lease(0)
    ));
    assert_eq!(logged["lead"]["status"], "contacted");
    assert_eq!(logged["process"]["id"], process(0));
    // The second does not answer, and is moved.
    crm(&format!(
        "crm snooze {} 'tomorrow 10am' --lease {}",
        process(1),
        lease(1)
    ));
    // The third has signed. The fourth is taken for the fifth, and that is taken back.
    crm(&format!(
        "crm log {} call 'Has signed' --done --lead-status won --lease {}",
        lead(2),
        lease(2)
    ));
    crm(&format!("crm done {}", process(3)));
    let open = || {
        let listed = crm("crm followups -o id --sort id");
        listed
            .lines()
            .map(|id| id.parse().unwrap())
            .collect::<Vec<i64>>()
    };
    assert!(!open().contains(&process(3)));
    crm("crm undo --yes");
    crm(&format!("crm done {}", process(4)));
    let mut expected = vec![process(0), process(1), process(3), process(5)];
    expected.sort();
    assert_eq!(open(), expected);

    // What is due tomorrow, and what is left of today.
    let tomorrow = read("crm followups --next tomorrow -o json");
    let tomorrow = tomorrow.as_array().unwrap().iter();
    let tomorrow: Vec<i64> = tomorrow.map(|one| one["id"].as_i64().unwrap()).collect();
    assert_eq!(tomorrow, [process(0), process(1)]);
    let mut left: Vec<i64> = crm("crm due --overdue -o id")
        .lines()
        .map(|id| id.parse().unwrap())
        .collect();
    left.sort();
    let mut expected = vec![process(3), process(5)];
    expected.sort();
    assert_eq!(left, expected);

    // The story of the first: what is next, what was said, and how it came to that.
    let shown = read(&format!("crm lead show {} -o json", lead(0)));
    assert_eq!(shown["last_actions"][0]["details"], "Asked for a quote");
    assert_eq!(shown["open_processes"][0]["id"], process(0));
    assert_eq!(shown["leases"], json!([]));
    let screen = crm(&format!("crm lead show {}", lead(0)));
    for part in [
        "contacted",
        "Next\n",
        "First call",
        "Asked for a quote",
        "status: new → contacted",
    ] {
        assert!(screen.contains(part), "{part}: {screen}");
    }
    let types = |at: usize| {
        let all = crm(&format!(
            "crm lead timeline {} -o csv --fields type",
            lead(at)
        ));
        all.lines()
            .skip(1)
            .map(String::from)
            .collect::<Vec<String>>()
    };
    let moved = types(0);
    assert_eq!(moved[0], "process.due");
    let made = ["process.created", "lead.created"];
    assert_eq!(moved[moved.len() - 2..], made);
    // A service also tells when the time of the first follow-up had come.
    let between = moved[1..moved.len() - 2].iter().map(|one| &**one);
    let between: HashSet<&str> = between.filter(|one| *one != "process.due").collect();
    let expected = ["action.created", "process.updated", "lead.updated"];
    assert_eq!(between, HashSet::from(expected), "{moved:?}");
    // The mistake and its end are part of the story.
    let undone = crm(&format!(
        "crm lead timeline {} --type process.updated -o csv --fields what",
        lead(3)
    ));
    let told: Vec<&str> = undone.lines().skip(1).collect();
    assert_eq!(told.len(), 2, "{undone}");
    assert!(
        told[0].contains("completed → active") && told[0].contains("(undo)"),
        "{undone}"
    );
}

#[test]
fn a_day_over_commands_on_a_file() {
    let home = Home::new();
    day(|line| {
        let run = home.shell(line).env("CRM_DB", "crm.db").run();
        assert_eq!(run.code, Some(0), "{line}: {run:?}");
        run.stdout
    });
}

#[test]
fn a_day_over_commands_on_a_service() {
    let (home, away) = (Home::new(), Home::new());
    let server = home.serve(&["--db", "crm.db"]);
    day(|line| {
        let run = away.shell(line).env("CRM_URL", &server.url).run();
        assert_eq!(run.code, Some(0), "{line}: {run:?}");
        run.stdout
    });
}

#[tokio::test]
async fn a_day_over_http() {
    let service = Service::start().await;
    let client = client();
    let send = async |method: &str, path: &str, body: Value| -> Value {
        let url = format!("{}{path}", service.url);
        let request = client.request(method.parse().unwrap(), url);
        let request = match body {
            Value::Null => request,
            body => request
                .header("content-type", "application/json")
                .body(body.to_string()),
        };
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    };
    let get = async |path: &str| send("GET", path, Value::Null).await;
    let id = |record: &Value| record["id"].as_i64().unwrap();

    for name in PEOPLE {
        let email = format!("{name}@example.com");
        let lead = send("POST", "/leads", json!({"email": email, "name": name})).await;
        let process = json!({"lead_id": id(&lead), "name": "First call", "next_followup_datetime": "2020-01-01"});
        send("POST", "/processes", process).await;
    }
    let mut claimed = Vec::new();
    for worker in ["wim", "xia", "yan"] {
        let wanted = json!({"limit": 2, "lease": "10m", "due": ["overdue"], "worker": worker});
        let mine = send("POST", "/followups/claim", wanted).await;
        claimed.extend(mine.as_array().unwrap().clone());
    }
    let ids: HashSet<i64> = claimed.iter().map(id).collect();
    assert_eq!((claimed.len(), ids.len()), (6, 6));
    let lead = |at: usize| claimed[at]["lead_id"].as_i64().unwrap();

    let called = json!({
        "action_type": "call", "details": "Asked for a quote", "next": "2999-01-02 09:00:00", "lead_status": "contacted",
        "lease": claimed[0]["lease"],
    });
    let logged = send("POST", &format!("/leads/{}/log", lead(0)), called).await;
    assert_eq!(logged["process"]["id"], claimed[0]["id"]);
    let moved = json!({"next_followup_datetime": "2999-01-02 10:00:00"});
    send("PATCH", &format!("/processes/{}", id(&claimed[1])), moved).await;
    let signed = json!({"action_type": "call", "done": true, "lead_status": "won", "lease": claimed[2]["lease"]});
    send("POST", &format!("/leads/{}/log", lead(2)), signed).await;
    let end = json!({"lease": claimed[3]["lease"]});
    send(
        "POST",
        &format!("/followups/{}/complete", id(&claimed[3])),
        end,
    )
    .await;
    send("POST", "/changes/undo", json!({"last": true})).await;
    let end = json!({"lease": claimed[4]["lease"]});
    send(
        "POST",
        &format!("/followups/{}/complete", id(&claimed[4])),
        end,
    )
    .await;

    let due = get("/followups?next_followup_datetime=2999-01-02").await;
    let due: Vec<i64> = due.as_array().unwrap().iter().map(id).collect();
    assert_eq!(due, [id(&claimed[0]), id(&claimed[1])]);
    let left = get("/followups?due=overdue&sort=id").await;
    let left: Vec<i64> = left.as_array().unwrap().iter().map(id).collect();
    let mut expected = vec![id(&claimed[3]), id(&claimed[5])];
    expected.sort();
    assert_eq!(left, expected);

    let summary = get(&format!("/leads/{}/summary", lead(0))).await;
    assert_eq!(summary["lead"]["status"], "contacted");
    assert_eq!(summary["last_actions"][0]["details"], "Asked for a quote");
    assert_eq!(summary["open_processes"][0]["id"], claimed[0]["id"]);
    let timeline = get(&format!("/leads/{}/timeline?type=process.updated", lead(3))).await;
    let told: Vec<&str> = timeline
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["what"].as_str().unwrap())
        .collect();
    assert!(told.len() == 2 && told[0].ends_with("(undo)"), "{told:?}");

    // Page by page, by the links, the whole story is the same.
    let path = format!("/leads/{}/timeline?fields=type,id,at,what,change", lead(0));
    let whole = get(&path).await.as_array().unwrap().clone();
    let mut paged: Vec<Value> = Vec::new();
    let mut next = Some(format!("{path}&limit=2"));
    while let Some(path) = next.take() {
        let answer = client
            .get(format!("{}{path}", service.url))
            .send()
            .await
            .unwrap();
        let link = answer
            .headers()
            .get("link")
            .map(|link| link.to_str().unwrap().to_string());
        let page = answer.text().await.unwrap();
        let page: Vec<Value> = serde_json::from_str(&page).unwrap();
        paged.extend(page);
        next = link.map(|link| {
            let target = link.strip_prefix('<').unwrap().split_once('>').unwrap().0;
            crate::support::resolved(&path, target)
        });
    }
    assert_eq!(paged, whole);
    let lines = client.get(format!("{}{path}", service.url));
    let lines = lines
        .header("accept", "application/x-ndjson")
        .send()
        .await
        .unwrap();
    assert_eq!(lines.text().await.unwrap().lines().count(), whole.len());
}
