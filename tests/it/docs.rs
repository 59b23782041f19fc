//! What is written about crm is true: the README, the manual, the help and the completions are held against the binary.
//!
//! A block of code is marked by what becomes of it: the `sh` blocks of a file are run line by line, one after the other, in
//! an empty home with a server; the `console` block of the README is run in an empty home and what it prints is compared;
//! the `toml` block is read as a config file; `text` blocks (cargo, docker) are for readers alone.

use std::path::Path;

use crm::base::error::Code;
use crm::manual::html::anchor;
use crm::manual::topics::{TOPICS, find};
use crm::model::nouns::NOUNS;
use crm::model::query::{CONTROLS, OPERATORS};
use crm::{cli, server::openapi};
use reqwest::Method;

use crate::support::{Home, Server, client};

/// The address that the examples use.
const ADDRESS: &str = "http://localhost:8000";

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A page of the manual.
fn page(name: &str) -> &'static str {
    find(name).expect(name).text
}

/// The README and the whole manual.
fn everything() -> String {
    let pages = TOPICS.iter().map(|topic| topic.text.to_string());
    let all: Vec<String> = [read("README.md")].into_iter().chain(pages).collect();
    all.join("\n")
}

/// The lines of a text's blocks with this mark.
fn blocks(text: &str, mark: &str) -> Vec<String> {
    let fence = format!("```{mark}");
    let mut lines = text.lines();
    let mut found = Vec::new();
    while lines.by_ref().any(|line| line == fence) {
        let block = lines.by_ref().take_while(|line| *line != "```");
        // A backslash at the end continues a line.
        let mut begun = String::new();
        for line in block {
            begun.push_str(line.trim_start());
            match begun.strip_suffix('\\') {
                Some(rest) => begun = rest.to_string(),
                None => found.push(std::mem::take(&mut begun)),
            }
        }
    }
    found
}

/// What a page has between `<!-- name -->` and `<!-- /name -->`.
fn between<'a>(page: &'a str, name: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("<!-- {name} -->")).expect(name);
    rest.split_once(&format!("<!-- /{name} -->")).expect(name).0
}

/// Sends what a line with `curl` would send, and answers the body; anything but success is a failed test. The shell reads
/// the line, so that its quotes are put to the test too; curl itself need not be there.
async fn curl(home: &Home, line: &str) -> String {
    let words = home
        .shell(&format!("curl() {{ printf '%s\\0' \"$@\"; }}\n{line}"))
        .ok();
    let mut words = words.split_terminator('\0');
    let (mut method, mut url, mut body) = (None, None, None);
    let mut headers = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "-s" => {}
            "-X" => method = words.next(),
            "-d" => body = words.next(),
            "-H" => headers.extend(words.next().and_then(|header| header.split_once(": "))),
            word if word.starts_with("http://") && url.is_none() => url = Some(word),
            word => panic!("{line}: {word} is more than this test understands of curl"),
        }
    }
    let url = url.unwrap_or_else(|| panic!("{line}: no URL"));
    assert!(
        !url.contains(['[', ']', '{', '}']),
        "{line}: curl gives these letters a meaning"
    );
    let method = match (method, body) {
        (Some(method), _) => method.parse().unwrap(),
        (None, Some(_)) => Method::POST,
        (None, None) => Method::GET,
    };
    let client = client();
    let mut request = client.request(method, url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    if let Some(body) = body {
        request = request.body(body.to_string());
    }
    let response = request.send().await.unwrap();
    let status = response.status();
    let body = response.text().await.unwrap();
    assert!(status.is_success(), "{line}: {status} {body}");
    body
}

/// A home with one record of each noun.
fn home_with_records() -> Home {
    let home = Home::new();
    for line in [
        "lead create --email first@example.com",
        "action create --type call --lead 1",
        "process create --name First --lead 1 --next -1h",
    ] {
        home.line(line).warned();
    }
    // The files that the examples of imports read.
    for (name, text) in [
        (
            "contacts.csv",
            "Email,Name,Company\nada@example.com,Ada,Acme\n",
        ),
        ("hubspot.csv", "Record ID,Email\n1,ada@example.com\n"),
        (
            "contacts.vcf",
            "BEGIN:VCARD\nFN:Ada\nEMAIL:ada@example.com\nEND:VCARD\n",
        ),
        ("actions.csv", "lead_id,type,attributes.number\n1,call,1\n"),
        (
            "processes.csv",
            "lead_id,name,attributes.number\n1,Sale,1\n",
        ),
    ] {
        home.write(name, text);
    }
    home
}

#[test]
fn completions_are_those_of_the_binary() {
    let home = Home::new();
    for (shell, file) in [
        ("bash", "crm.bash"),
        ("zsh", "_crm"),
        ("fish", "crm.fish"),
        ("powershell", "_crm.ps1"),
        ("elvish", "crm.elv"),
    ] {
        let printed = home.crm(["completions", shell]).ok();
        if writes() {
            let path = format!("{}/completions/{file}", env!("CARGO_MANIFEST_DIR"));
            std::fs::write(path, &printed).unwrap();
            continue;
        }
        assert!(
            printed == read(&format!("completions/{file}")),
            "completions/{file} is out of date: `CRM_WRITE=1 cargo test --test it docs` writes it anew"
        );
    }
}

/// Every command with the words that lead to it, `crm` itself first.
fn commands() -> Vec<Vec<String>> {
    fn walk(command: &clap::Command, words: &[String], found: &mut Vec<Vec<String>>) {
        found.push(words.to_vec());
        for inner in command.get_subcommands() {
            let words = [words, &[inner.get_name().to_string()]].concat();
            walk(inner, &words, found);
        }
    }
    let mut found = Vec::new();
    walk(&cli::command(), &[], &mut found);
    found
}

#[test]
fn every_help_ends_with_examples_that_work() {
    let commands = commands();
    assert!(commands.len() > 20, "{commands:?}");
    for words in commands {
        let home = home_with_records();
        let help = home
            .crm([&words[..], &["--help".to_string()]].concat())
            .ok();
        let Some((_, examples)) = help.split_once("\nExamples:\n") else {
            panic!("crm {words:?} --help has no examples:\n{help}");
        };
        assert!(!examples.is_empty(), "crm {words:?} --help");
        for line in examples.lines() {
            let Some(line) = line.strip_prefix("  ").filter(|line| line.contains("crm ")) else {
                panic!("crm {words:?} --help: expected an example, got {line:?}");
            };
            example(&home, line);
        }
    }
}

/// Runs an example of a help page.
fn example(home: &Home, line: &str) {
    if line.starts_with("crm serve") {
        // Not beside another server on the usual port; `exec`, so that the signal reaches crm.
        let shell = home.shell(&format!("exec {line}"));
        let server = Server::start(shell.env("HOST", "127.0.0.1").env("PORT", "0").command());
        let (status, stderr) = server.stop();
        assert!(status.success(), "{line}: {status} {stderr}");
    } else if line.starts_with("crm health") {
        let server = home.serve(&[]);
        let (_, port) = server.address().rsplit_once(':').unwrap();
        let line = line.replace(ADDRESS, &server.url);
        assert_eq!(home.shell(&line).env("PORT", port).ok(), "ok\n");
    } else if line.contains("postgres://") {
        // Nobody listens at port 1: all but the database is as the example has it.
        let line = line.replace("@localhost/", "@localhost:1/");
        let told = home.shell(&line).run().stderr;
        assert!(told.contains("cannot be reached"), "{line}: {told}");
    } else {
        // A note tells what the example does.
        let run = home.shell(line).run();
        assert!(
            run.code == Some(0) && is_quiet(&run.stderr),
            "{line}: {run:?}"
        );
    }
}

/// Whether a command has only said what is no error: a note with its details, that there is nothing to do, or what a first token does.
fn is_quiet(stderr: &str) -> bool {
    let is_said = |said: &str| {
        said.starts_with("note: ")
            || said.starts_with("  ")
            || said.starts_with("nothing is due")
            || said.contains(" is the first token of this database")
    };
    stderr.lines().all(is_said)
}

/// Runs the `sh` blocks of a text; answers how many lines they have.
async fn run(text: &str) -> usize {
    let lines = blocks(text, "sh");
    if lines.is_empty() {
        return 0;
    }
    let home = Home::new();
    let server = home.serve(&[]);
    for line in &lines {
        let here = line.replace(ADDRESS, &server.url);
        if line.starts_with("curl ") {
            curl(&home, &here).await;
        } else {
            assert!(line.contains("crm "), "{line}");
            let run = home.shell(&here).run();
            assert!(
                run.code == Some(0) && is_quiet(&run.stderr),
                "{here}: {run:?}"
            );
        }
    }
    lines.len()
}

#[tokio::test]
async fn every_example_of_the_readme_works() {
    assert!(run(&read("README.md")).await >= 12);
}

#[tokio::test]
async fn every_example_of_the_manual_works() {
    let mut lines = 0;
    for topic in TOPICS {
        lines += run(topic.text).await;
    }
    assert!(lines >= 29, "{lines}");
}

/// cron takes five fields for the time, a `%` without a backslash for the end of the line, and prints by mail what is said.
#[test]
fn the_line_for_a_crontab_makes_a_backup_and_says_nothing() {
    let home = home_with_records();
    let blocks = blocks(page("backups"), "text");
    let lines: Vec<&String> = blocks
        .iter()
        .filter(|line| line.contains("* * *"))
        .collect();
    let [line] = lines[..] else {
        panic!("expected one line for a crontab, got {lines:?}");
    };
    let command = line.splitn(6, ' ').nth(5).unwrap();
    assert!(!command.replace("\\%", "").contains('%'), "{command}");
    let database = home.line("config -o json").ok();
    let database: serde_json::Value = serde_json::from_str(&database).unwrap();
    let here = command
        .replace("\\%", "%")
        .replace("/usr/local/bin/crm ", "crm ")
        .replace(
            "/var/lib/crm/crm.db",
            database[0]["value"].as_str().unwrap(),
        )
        .replace(
            "/var/backups/crm/",
            &format!("{}/", home.path("").display()),
        );
    assert_eq!(home.shell(&here).ok(), "");
    let is_backup = |name: &str| {
        let stamp = name
            .strip_prefix("crm-")
            .and_then(|name| name.strip_suffix(".db"));
        stamp.is_some_and(|stamp| crm::base::time::read_stamp(stamp).is_some())
    };
    let mut entries = std::fs::read_dir(home.path("")).unwrap();
    assert!(entries.any(|entry| is_backup(entry.unwrap().file_name().to_str().unwrap())));
}

/// The text with zeros in the place of the digits of every date and time.
fn masked(text: &str) -> String {
    let mut bytes = text.trim_end().as_bytes().to_vec();
    for shape in [&b"0000-00-00"[..], b"00:00:00"] {
        for at in 0..bytes.len() {
            let Some(window) = bytes.get_mut(at..at + shape.len()) else {
                break;
            };
            let alike = |(byte, shape): (&u8, &u8)| match shape {
                b'0' => byte.is_ascii_digit(),
                shape => byte == shape,
            };
            if window.iter().zip(shape).all(alike) {
                window.copy_from_slice(shape);
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn the_transcript_of_the_readme_is_what_crm_prints() {
    let home = Home::new();
    let root = home.path("");
    let root = root.to_str().unwrap().trim_end_matches('/');
    let mut server = None;
    let transcript = blocks(&read("README.md"), "console").join("\n");
    let mut steps = 0;
    for step in format!("\n{transcript}").split("\n$ ").skip(1) {
        let (line, expected) = step.split_once('\n').unwrap_or((step, ""));
        let printed = if line == "crm serve &" {
            let started = home.serve(&[]);
            let printed = started.line.replace(&started.url, "http://0.0.0.0:8000");
            server = Some(started);
            printed.replace(root, "/home/ada")
        } else if line.starts_with("curl ") {
            let server: &Server = server.as_ref().expect("crm serve before curl");
            curl(&home, &line.replace(ADDRESS, &server.url)).await
        } else {
            let run = home.shell(line).run();
            assert_eq!(
                run.code == Some(0),
                run.stderr.is_empty(),
                "{line}: {run:?}"
            );
            run.stdout + &run.stderr
        };
        assert_eq!(masked(&printed), masked(expected), "{line}");
        steps += 1;
    }
    assert!(steps > 5, "{transcript}");
}

#[test]
fn the_config_file_of_the_manual_is_one() {
    let home = Home::new();
    home.write(
        "config/crm.toml",
        &blocks(page("settings"), "toml").join("\n"),
    );
    let settings = home.line("config --config config/crm.toml").ok();
    // Its output is json.
    let settings: serde_json::Value = serde_json::from_str(&settings).unwrap();
    let database = settings[0]["value"].as_str().unwrap();
    assert!(database.ends_with("/config/work.db"), "{settings}");
}

/// The names that a source file reads from the environment.
fn variables(file: &str) -> Vec<String> {
    let source = read(file);
    let source = source.split("#[cfg(test)]").next().unwrap();
    let mut names = Vec::new();
    for call in ["variable(\"", "environment(\"", "environment)(\""] {
        for rest in source.split(call).skip(1) {
            names.extend(rest.split('"').next().map(str::to_string));
        }
    }
    names
}

#[test]
fn the_manual_names_every_variable() {
    let manual = everything();
    let settings = crm::config::table::KNOBS.iter();
    let settings = settings.filter_map(|knob| knob.variable);
    let settings: Vec<String> = settings.map(String::from).collect();
    let others = ["src/output/terminal.rs", "src/config/settings.rs"].map(variables);
    let names = [settings, others.concat()].concat();
    for known in [
        "DATABASE_URL",
        "CRM_URL",
        "CRM_OUTPUT",
        "HOST",
        "PORT",
        "NO_COLOR",
        "TZ",
    ] {
        assert!(
            names.iter().any(|name| name == known),
            "{known} was not found"
        );
    }
    for name in names {
        let named = [format!("`{name}`"), format!("`{name}=")];
        assert!(named.iter().any(|name| manual.contains(name)), "{name}");
    }
}

#[test]
fn the_manual_names_every_command_field_and_parameter() {
    let manual = everything();
    let named = |name: &str| assert!(manual.contains(name), "the manual does not name {name}");
    for words in commands().iter().filter(|words| words.len() == 1) {
        named(&format!("`crm {}", words[0]));
    }
    for field in NOUNS.iter().flat_map(|noun| noun.fields) {
        named(&format!("`{}`", field.name));
        if let Some(flag) = field.flag {
            named(&format!("`--{flag}`"));
        }
        if let Some(name) = field.old_name {
            named(&format!("`{name}`"));
        }
    }
    for control in CONTROLS {
        let row = |line: &str| line.starts_with('|') && line.contains(&format!("`{control}"));
        assert!(page("api").lines().any(row), "{control}");
    }
    for operator in OPERATORS {
        let ways = ["`", ":"].map(|end| format!("`{operator}{end}"));
        assert!(
            ways.iter().any(|way| page("api").contains(way)),
            "{operator}"
        );
    }
}

#[test]
fn the_manual_names_every_flag() {
    fn walk(command: &clap::Command, found: &mut Vec<String>) {
        let args = command.get_arguments().filter(|arg| !arg.is_hide_set());
        found.extend(args.filter_map(|arg| arg.get_long()).map(str::to_string));
        command
            .get_subcommands()
            .for_each(|inner| walk(inner, found));
    }
    let (manual, mut flags) = (everything(), Vec::new());
    walk(&cli::command(), &mut flags);
    assert!(flags.len() > 40, "{flags:?}");
    for flag in flags {
        // A field of a record may be named without its flag: they are the same.
        let ways = [format!("--{flag}"), format!("`{}`", flag.replace('-', "_"))];
        assert!(ways.iter().any(|way| manual.contains(way)), "--{flag}");
    }
}

#[test]
fn the_manual_tells_every_status_and_exit_code() {
    let statuses = between(page("api"), "codes");
    let exits = between(page("commands"), "codes");
    for (code, status, exit) in Code::TABLE {
        let row = |line: &str| line.starts_with(&format!("| {exit} |"));
        assert!(exits.lines().any(row), "{code:?}: {exit}");
        let Some(status) = status else { continue };
        let (start, end) = (format!("| {status} |"), format!("| {exit} |"));
        let row = |line: &str| line.starts_with(&start) && line.ends_with(&end);
        assert!(statuses.lines().any(row), "{code:?}: {start} … {end}");
    }
}

/// Compares the part of a page between two marks with what the program makes, or with `CRM_WRITE=1` writes it there.
fn made(topic: &str, mark: &str, table: &str) {
    let table = table.trim();
    let path = format!("src/manual/{topic}.md");
    let page = read(&path);
    let written = between(&page, mark);
    if written.trim() != table && writes() {
        let text = page.replace(written, &format!("\n\n{table}\n\n"));
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path), text).unwrap();
        return;
    }
    assert!(
        written.trim() == table,
        "{path}: expected between its marks what `CRM_WRITE=1 cargo test --test it docs` writes:\n{table}"
    );
}

/// Whether files that are made by the program are written anew instead of compared.
fn writes() -> bool {
    std::env::var_os("CRM_WRITE").is_some()
}

#[test]
fn the_table_of_settings_is_that_of_the_binary() {
    made("settings", "settings", &crm::config::markdown());
}

#[test]
fn the_table_of_paths_is_that_of_the_list_of_operations() {
    let table = openapi::markdown();
    assert!(table.lines().count() > 8, "{table}");
    made("api", "paths", &table);
}

#[test]
fn the_readme_is_one_page_and_leads_to_every_topic() {
    let readme = read("README.md");
    assert!(readme.lines().count() <= 150, "{}", readme.lines().count());
    for topic in TOPICS {
        let link = format!("](src/manual/{}.md)", topic.name);
        assert!(
            readme.contains(&link),
            "the README does not link {}",
            topic.name
        );
    }
}

#[test]
fn the_readme_names_files_that_exist() {
    let readme = read("README.md");
    let spans = readme.split('`').skip(1).step_by(2);
    let paths = spans.filter(|span| span.starts_with("src/") || span.starts_with("tests/"));
    let mut count = 0;
    for path in paths {
        let path = path.split(' ').next().unwrap();
        let there = Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists();
        assert!(there, "{path}");
        count += 1;
    }
    assert!(count > 4, "{count}");
}

/// The anchors of the headings of a text.
fn anchors(text: &str) -> Vec<String> {
    let mut is_code = false;
    let headings = text.lines().filter(|line| {
        is_code ^= line.starts_with("```");
        !is_code && line.starts_with('#')
    });
    headings
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect()
}

#[test]
fn links_lead_somewhere() {
    let pages = TOPICS
        .iter()
        .map(|topic| format!("src/manual/{}.md", topic.name));
    let others = [
        "README.md",
        "CHANGELOG.md",
        "tests/bench/README.md",
        "tests/it/durability/README.md",
    ];
    let mut links = 0;
    for file in pages.chain(others.map(str::to_string)) {
        let text = read(&file);
        let folder = Path::new(&file).parent().unwrap();
        for target in text.split("](").skip(1) {
            let target = target.split(')').next().unwrap();
            if target.starts_with("https://") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            // A page of the manual is also read where there are no files.
            let is_page = |name: &str| find(name.trim_end_matches(".md")).is_some();
            assert!(
                !file.starts_with("src/manual/") || path.is_empty() || is_page(path),
                "{file}: {target}"
            );
            let there = match path {
                "" => text.clone(),
                path => read(folder.join(path).to_str().unwrap()),
            };
            assert!(
                heading.is_empty() || anchors(&there).iter().any(|anchor| anchor == heading),
                "{file}: {target}"
            );
            links += 1;
        }
    }
    assert!(links > 20, "{links}");
}

#[test]
fn help_shows_topics_commands_and_a_sentence_for_the_rest() {
    let home = Home::new();
    let help = home.crm(["help"]).ok();
    for topic in TOPICS {
        assert!(help.contains(&format!("\n  {}", topic.name)), "{help}");
        let page = home.crm(["help", topic.name]).ok();
        assert!(
            page.starts_with(topic.text[2..].lines().next().unwrap()),
            "{page}"
        );
    }
    assert_eq!(
        home.crm(["help", "lead", "list"]).ok(),
        home.crm(["lead", "list", "--help"]).ok()
    );
    let run = home.crm(["help", "nope"]).run();
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr
            .contains("(api, commands, import, bulk, due, search,"),
        "{run:?}"
    );
}

#[test]
fn man_writes_a_page_for_each_command_and_topic() {
    let home = Home::new();
    assert!(home.crm(["man"]).ok().contains(".TH crm 1"));
    home.crm(["man", "pages"]).ok();
    for words in commands() {
        let name = [&["crm".to_string()], &words[..]].concat().join("-");
        let page = std::fs::read_to_string(home.path(&format!("pages/{name}.1"))).unwrap();
        for section in ["EXAMPLES", "SEE ALSO"] {
            assert!(page.contains(&format!(".SH {section}\n")), "{name}");
        }
        assert!(!page.contains("EXTRA"), "{name}");
    }
    for topic in TOPICS {
        let path = home.path(&format!("pages/crm-{}.7", topic.name));
        assert!(
            std::fs::read_to_string(path)
                .unwrap()
                .starts_with(".TH CRM-")
        );
    }
}

#[tokio::test]
async fn the_service_shows_the_manual_to_everybody() {
    let home = Home::new();
    let server = home.serve(&["--require-token"]);
    for topic in TOPICS {
        let url = format!("{}/docs/{}", server.url, topic.name);
        let answer = client().get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", topic.name);
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
        let page = answer.text().await.unwrap();
        assert!(page.contains("<h1 id="), "{page}");
    }
}
