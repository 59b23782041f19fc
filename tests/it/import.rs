//! Imports and exports by the command line: files of each program, what becomes of their rows, and back again.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Home, Run, wait_for};

/// How many rows a file has.
const ROWS: usize = 100;

/// The header rows as the programs write them, with the names of the columns of the first and last name or the name, the
/// address, and a long text.
const PROGRAMS: [(&str, &str, char, &str); 6] = [
    (
        "HubSpot",
        "Record ID,First Name,Last Name,Email,Phone Number,Contact owner,Associated Company,Last Activity Date (CET),Lead Status,Marketing contact status,Create Date (CET),Associated Notes",
        ',',
        "First Name|Last Name|Email|Associated Notes",
    ),
    (
        "Pipedrive",
        "Person - ID;Person - Name;Person - Organization;Person - Email - Work;Person - Email - Home;Person - Email - Other;Person - Phone - Work;Person - Label;Person - Person created;Person - Owner;Person - Notes",
        ';',
        "Person - Name||Person - Email - Work|Person - Notes",
    ),
    (
        "Google Contacts",
        "First Name,Middle Name,Last Name,Phonetic First Name,Phonetic Middle Name,Phonetic Last Name,Name Prefix,Name Suffix,Nickname,File As,Organization Name,Organization Title,Organization Department,Birthday,Notes,Photo,Labels,E-mail 1 - Label,E-mail 1 - Value,E-mail 2 - Label,E-mail 2 - Value,Phone 1 - Label,Phone 1 - Value",
        ',',
        "First Name|Last Name|E-mail 1 - Value|Notes",
    ),
    (
        "Google Contacts (the form before 2024)",
        "Name,Given Name,Additional Name,Family Name,Yomi Name,Given Name Yomi,Additional Name Yomi,Family Name Yomi,Name Prefix,Name Suffix,Initials,Nickname,Short Name,Maiden Name,Birthday,Gender,Location,Billing Information,Directory Server,Mileage,Occupation,Hobby,Sensitivity,Priority,Subject,Notes,Language,Photo,Group Membership,E-mail 1 - Type,E-mail 1 - Value,Phone 1 - Type,Phone 1 - Value,Organization 1 - Type,Organization 1 - Name,Organization 1 - Title",
        ',',
        "Given Name|Family Name|E-mail 1 - Value|Notes",
    ),
    (
        "Outlook",
        "First Name,Middle Name,Last Name,Title,Suffix,Nickname,Given Yomi,Surname Yomi,E-mail Address,E-mail 2 Address,E-mail 3 Address,Home Phone,Home Phone 2,Business Phone,Business Phone 2,Mobile Phone,Car Phone,Other Phone,Primary Phone,Pager,Business Fax,Home Fax,Other Fax,Company Main Phone,Callback,Radio Phone,Telex,TTY/TDD Phone,IMAddress,Job Title,Department,Company,Office Location,Manager's Name,Assistant's Name,Assistant's Phone,Company Yomi,Business Street,Business City,Business State,Business Postal Code,Business Country/Region,Home Street,Home City,Home State,Home Postal Code,Home Country/Region,Other Street,Other City,Other State,Other Postal Code,Other Country/Region,Personal Web Page,Spouse,Schools,Hobby,Location,Web Page,Birthday,Anniversary,Notes",
        ',',
        "First Name|Last Name|E-mail Address|Notes",
    ),
    (
        "classic Outlook",
        "Title\tFirst Name\tMiddle Name\tLast Name\tSuffix\tCompany\tDepartment\tJob Title\tBusiness Street\tBusiness City\tBusiness State\tBusiness Postal Code\tBusiness Country/Region\tBusiness Phone\tMobile Phone\tBirthday\tCategories\tE-mail Address\tE-mail Type\tE-mail Display Name\tE-mail 2 Address\tE-mail 2 Type\tE-mail 2 Display Name\tGovernment ID Number\tNotes\tWeb Page",
        '\t',
        "First Name|Last Name|E-mail Address|Notes",
    ),
];

/// A file of a program: a hundred rows with umlauts, quotes, line breaks and delimiters; ten without an address, one with a
/// bad one, one that is too short and one that is too long; an empty line at the end.
fn file(header: &str, delimiter: char, columns: &str) -> String {
    let names: Vec<&str> = header.split(delimiter).collect();
    let columns: Vec<&str> = columns.split('|').collect();
    let quoted = |cell: &str| match cell.contains([delimiter, '"', '\n']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_string(),
    };
    let separator = delimiter.to_string();
    let mut text = format!("{header}\r\n");
    for at in 0..ROWS {
        let mail = match at {
            10..20 => String::new(),
            30 => "bad@".into(),
            _ => format!("Jürgen.{at}@Müller.example"),
        };
        let note = format!("Zeile 1 \"{at}\"\nZeile 2; Größe, 1\t2");
        let mut cells: Vec<String> = names
            .iter()
            .map(|name| match () {
                () if *name == columns[0] => format!("Jürgen {at}"),
                () if *name == columns[1] => "Groß; \"KG\", Söhne".into(),
                () if *name == columns[2] => mail.clone(),
                () if *name == columns[3] => note.clone(),
                () => String::new(),
            })
            .collect();
        match at {
            40 => cells.truncate(2),
            50 => cells.push("more".into()),
            _ => {}
        }
        let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
        text += &format!("{}\r\n", cells.join(&separator));
    }
    text + "\r\n"
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The counts that a run has printed.
fn counts(run: &Run) -> Vec<u64> {
    let told = json(&run.stdout);
    let names = ["created", "updated", "unchanged", "skipped", "refused"];
    names
        .iter()
        .map(|name| told[name].as_u64().unwrap())
        .collect()
}

fn newest_change(home: &Home) -> String {
    home.line("changes --sort -seq --limit 1 -o id").ok()
}

#[test]
fn files_of_each_program_are_imported_by_name_alone() {
    for (at, (program, header, delimiter, columns)) in PROGRAMS.into_iter().enumerate() {
        let home = Home::new();
        let text = file(header, delimiter, columns);
        let bytes = match at % 3 {
            0 => text.clone().into_bytes(),
            1 => ["\u{feff}".as_bytes(), text.as_bytes()].concat(),
            _ => "\u{feff}"
                .encode_utf16()
                .chain(text.encode_utf16())
                .flat_map(u16::to_le_bytes)
                .collect(),
        };
        std::fs::write(home.path("export.csv"), bytes).unwrap();
        let dry = home.line("lead import export.csv --dry-run -o json").run();
        assert_eq!(
            (dry.code, counts(&dry)),
            (Some(8), vec![87, 0, 0, 0, 13]),
            "{program}"
        );
        assert!(home.line("lead list").ok().is_empty(), "{program}");
        let run = home
            .line("lead import export.csv --rejects rejects.csv -o json")
            .run();
        assert_eq!(
            (run.code, counts(&run)),
            (Some(8), vec![87, 0, 0, 0, 13]),
            "{program}: {run:?}"
        );
        assert!(
            run.stderr.contains(&format!(", as {program} writes it")),
            "{}",
            run.stderr
        );
        assert!(
            run.stderr
                .contains("refused 10 rows: no e-mail address (lines "),
            "{}",
            run.stderr
        );
        let group = json(&run.stdout)["group"].as_i64().unwrap();
        let lead = json(&home.line("lead get jürgen.3@müller.example -o json").ok());
        assert!(
            lead["name"].as_str().unwrap().starts_with("Jürgen 3"),
            "{lead}"
        );
        assert!(
            lead.to_string()
                .contains("Zeile 1 \\\"3\\\"\\nZeile 2; Größe, 1\\t2"),
            "{lead}"
        );
        // The same file once more changes nothing.
        let before = newest_change(&home);
        let again = home.line("lead import export.csv -o json").run();
        assert_eq!(
            (again.code, counts(&again)),
            (Some(8), vec![0, 0, 87, 0, 13]),
            "{program}"
        );
        assert_eq!(newest_change(&home), before, "{program}");
        // The rejects are mended and imported: the bad address, and the short row, which has its cells now.
        let rejects = std::fs::read_to_string(home.path("rejects.csv")).unwrap();
        assert!(rejects.starts_with("\u{feff}crm_refused"), "{rejects}");
        let mended = rejects.replace("bad@", "good@example.com");
        home.write("mended.csv", &mended);
        let mended = home.line("lead import mended.csv -o json").run();
        assert_eq!(counts(&mended)[0], 1, "{program}: {mended:?}");
        // One undo takes all of the first import back.
        home.line(&format!("undo {group} --yes")).ok();
        assert_eq!(
            home.line("lead list --count -o id").ok().trim(),
            "1",
            "{program}"
        );
    }
}

#[test]
fn vcards_of_apple_are_imported_by_name_alone() {
    let home = Home::new();
    let mut text = String::new();
    for at in 0..ROWS {
        let mail = match at {
            10..20 => String::new(),
            30 => "EMAIL;type=INTERNET;type=HOME;type=pref:bad@\r\n".into(),
            _ => format!("EMAIL;type=INTERNET;type=HOME;type=pref:j{at}@example.com\r\n"),
        };
        text += &format!(
            "BEGIN:VCARD\r\nVERSION:3.0\r\nPRODID:-//Apple Inc.//iPhone OS 17.5//EN\r\nN:Groß;Jürgen {at};;;\r\nFN:Jürgen {at} Groß\r\n\
             ORG:Söhne\\; KG;\r\n{mail}TEL;type=CELL;type=VOICE;type=pref:+49 {at}\r\nNOTE:Zeile 1\\nZeile \"2\"\\, Ende\r\nEND:VCARD\r\n"
        );
    }
    home.write("contacts.vcf", &text);
    let run = home
        .line("lead import contacts.vcf --rejects rejects.vcf -o json")
        .run();
    assert_eq!(
        (run.code, counts(&run)),
        (Some(8), vec![89, 0, 0, 0, 11]),
        "{run:?}"
    );
    assert!(
        run.stderr.contains("as Apple Contacts writes it"),
        "{}",
        run.stderr
    );
    let lead = json(&home.line("lead get j3@example.com -o json").ok());
    assert_eq!(lead["attributes"]["note"], "Zeile 1\nZeile \"2\", Ende");
    let again = home.line("lead import contacts.vcf -o json").run();
    assert_eq!(counts(&again), [0, 0, 89, 0, 11]);
    let rejects = std::fs::read_to_string(home.path("rejects.vcf")).unwrap();
    home.write("mended.vcf", &rejects.replace("bad@", "good@example.com"));
    assert_eq!(
        counts(&home.line("lead import mended.vcf -o json").run()),
        [1, 0, 0, 0, 10]
    );
}

#[test]
fn a_row_finds_its_record_as_the_user_says() {
    let home = Home::new();
    home.line("lead create --email max@möstermann.de --name Max --set number=7")
        .ok();
    home.write(
        "a.csv",
        "email,name,number\nMAX@xn--mstermann-07a.de,Maxine,7\nnew@example.com,New,8\n",
    );
    let run = |words: &str| {
        home.line(&format!("lead import a.csv -o json {words}"))
            .run()
    };
    for (words, code, expected) in [
        ("--dry-run", 0, [1, 1, 0, 0, 0]),
        ("--dry-run --on-duplicate skip", 0, [1, 0, 0, 1, 0]),
        ("--dry-run --on-duplicate reject", 8, [1, 0, 0, 0, 1]),
        ("--dry-run --on-duplicate create", 0, [2, 0, 0, 0, 0]),
        ("--on-duplicate skip", 0, [1, 0, 0, 1, 0]),
        ("--on-duplicate reject", 8, [0, 0, 0, 0, 2]),
        ("", 0, [0, 1, 1, 0, 0]),
        ("--set source=fair", 0, [0, 2, 0, 0, 0]),
        (
            "--key attributes.number --map email=attributes.mail --set source=fair",
            0,
            [0, 2, 0, 0, 0],
        ),
        ("--on-duplicate create", 0, [2, 0, 0, 0, 0]),
    ] {
        let run = run(words);
        assert_eq!(
            (run.code, counts(&run)),
            (Some(code), expected.to_vec()),
            "{words}: {run:?}"
        );
    }
    // Two rows about one record.
    home.write(
        "b.csv",
        "email,name\nx@example.com,One\nX@example.com,Two\nx@Example.com,One\n",
    );
    let run = home.line("lead import b.csv").run();
    assert_eq!(run.code, Some(8));
    assert!(run.stdout.starts_with("created 1, unchanged 1, refused 1 (--rejects FILE keeps those rows); take it back with: crm undo "), "{}", run.stdout);
    assert!(
        run.stderr
            .contains("says something else than an earlier row"),
        "{}",
        run.stderr
    );
}

#[test]
fn actions_find_their_leads_by_address() {
    let home = Home::new();
    home.line("lead create --email ada@example.com").ok();
    home.write("a.csv", "email,type,at,what\nADA@example.com,call,2026-01-31 09:30,x\nbob@example.com,call,2026-01-31,y\n");
    let dry = home.line("action import a.csv --dry-run -o json").run();
    assert_eq!(counts(&dry), [1, 0, 0, 0, 1]);
    let run = home
        .line("action import a.csv -o json --tz Europe/Berlin")
        .run();
    assert_eq!(
        (run.code, counts(&run)),
        (Some(8), vec![1, 0, 0, 0, 1]),
        "{run:?}"
    );
    let action = json(&home.line("action get 1 -o json").ok());
    assert_eq!(
        (&action["lead_id"], &action["timestamp"]),
        (&1.into(), &"2026-01-31 08:30:00".into())
    );
    // By the ids of an export they are changed, not made once more.
    home.line("action export a.ndjson").ok();
    let text = std::fs::read_to_string(home.path("a.ndjson")).unwrap();
    home.write("a.ndjson", &text.replace("\"call\"", "\"mail\""));
    let run = home.line("action import a.ndjson --key id -o json").run();
    assert_eq!(
        (run.code, counts(&run)),
        (Some(0), vec![0, 1, 0, 0, 0]),
        "{run:?}"
    );
}

#[test]
fn what_is_wrong_with_the_command_is_said() {
    let home = Home::new();
    home.write("a.csv", "mail-address,name\na@example.com,Ada\n");
    home.write("good.csv", "email,name\na@example.com,Ada\n");
    for (line, code, expected) in [
        ("lead import nothing.csv", 1, "nothing.csv: No such file"),
        (
            "lead import a.csv",
            2,
            "no column has an e-mail address; name it with --map 'COLUMN=email'; the columns are mail-address, name",
        ),
        (
            "lead import good.csv --map x=name",
            2,
            "--map: good.csv has no column \"x\"; it has email, name",
        ),
        (
            "lead import good.csv --map name=salary",
            2,
            "--map: expected one of email, name",
        ),
        (
            "lead import good.csv --key phone",
            2,
            "--key: expected email, id or attributes.KEY",
        ),
        (
            "lead import good.csv --encoding klingon",
            2,
            "--encoding: expected the name of an encoding",
        ),
        (
            "lead import good.csv --delimiter ab",
            2,
            "--delimiter: expected comma",
        ),
        (
            "lead import good.csv --rejects good.csv",
            2,
            "--rejects: expected a file other than",
        ),
        (
            "action import good.csv --on-duplicate update",
            2,
            "--on-duplicate update: expected --key",
        ),
        (
            "lead export a.xlsx",
            2,
            "FILE: expected a name that ends with .csv",
        ),
        (
            "action export a.vcf",
            2,
            "FILE: expected a name that ends with .csv, .ndjson, .json, got",
        ),
    ] {
        let said = home.line(line).fails(code);
        assert!(said.contains(expected), "{line}: {said}");
    }
}

/// A home with leads that are hard to write: all types of attributes, formulas, quotes, texts that look like numbers.
fn home_with_odd_leads() -> Home {
    let home = Home::new();
    let leads = [
        r#"{"email":"a@example.com","name":"=1+1","status":"new","attributes":{"zip":"012","size":1.50,"x":{"a":[1,null]}}}"#,
        r#"{"email":"ä@müller.de","name":"Groß, \"Jürgen\"\nzwei","status":"won","attributes":{"size":"12","empty":"","a;b":"@x","flag":true}}"#,
        r#"{"email":"c@example.com","name":null,"status":"-","attributes":{"company":"'=x","phone":"+49 171","note":"one\ntwo; \\ three","mobile":42}}"#,
        r#"{"email":"d@example.com","name":"","status":"new","attributes":{"k:=":"v","email":"not this","company":"-1"}}"#,
    ];
    home.line("lead create --json -")
        .stdin(&leads.join("\n"))
        .ok();
    home
}

/// The leads without what crm sets.
fn leads(home: &Home) -> Vec<Value> {
    let text = home
        .line("lead list -o ndjson --fields email,name,status,attributes")
        .ok();
    text.lines().map(json).collect()
}

#[test]
fn an_export_comes_back_as_it_was() {
    let home = home_with_odd_leads();
    let mut expected = leads(&home);
    // An empty name and none are the same in a file.
    expected[3]["name"] = Value::Null;
    let before = newest_change(&home);
    for name in ["a.csv", "a.ndjson", "a.json", "a.vcf", "a.xlsx-safe.csv"] {
        home.line(&format!("lead export {name}")).ok();
        // Into the same database it changes nothing.
        let run = home.line(&format!("lead import {name} -o json")).run();
        assert_eq!(
            (run.code, counts(&run)),
            (Some(0), vec![0, 0, 4, 0, 0]),
            "{name}: {run:?}"
        );
        assert_eq!(newest_change(&home), before, "{name}");
        // Into an empty one it makes the same leads, and the file of those is the same but for the times.
        let other = Home::new();
        std::fs::copy(home.path(name), other.path(name)).unwrap();
        other.line(&format!("lead import {name}")).warned();
        assert_eq!(leads(&other), expected, "{name}");
        other.line(&format!("lead export again-{name}")).ok();
        let strip = |home: &Home, name: &str| {
            let text = std::fs::read_to_string(home.path(name)).unwrap();
            let stamps = text.split("2026-").count();
            (
                text.len(),
                stamps,
                text.lines().next().unwrap_or_default().to_string(),
            )
        };
        if name.ends_with("csv") {
            assert_eq!(
                strip(&home, name).2,
                strip(&other, &format!("again-{name}")).2
            );
        }
    }
    let safe = std::fs::read_to_string(home.path("a.xlsx-safe.csv")).unwrap();
    for formula in [",=", ",+", ",-", ",@", "\"=", "\"@"] {
        assert!(!safe.contains(formula), "{formula}: {safe}");
    }
    assert!(
        home.line("lead export b.csv --status won --quiet")
            .ok()
            .is_empty()
    );
    assert_eq!(
        std::fs::read_to_string(home.path("b.csv"))
            .unwrap()
            .matches('@')
            .count(),
        2
    );
    // Nothing is left beside.
    let names: BTreeSet<String> = std::fs::read_dir(home.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("crm-export"))
        .collect();
    assert_eq!(names, BTreeSet::new());
}

#[test]
fn it_works_the_same_behind_a_server() {
    let home = Home::new();
    let server = home.serve(&["--db", "served.db"]);
    let (_, header, delimiter, columns) = PROGRAMS[0];
    home.write("export.csv", &file(header, delimiter, columns));
    let url = &server.url;
    let line = |line: &str| home.line(&format!("{line} --url {url}"));
    let run = line("lead import export.csv --rejects rejects.csv -o json").run();
    assert_eq!(
        (run.code, counts(&run)),
        (Some(8), vec![87, 0, 0, 0, 13]),
        "{run:?}"
    );
    let again = line("lead import export.csv -o json").run();
    assert_eq!(
        (again.code, counts(&again)),
        (Some(8), vec![0, 0, 87, 0, 13])
    );
    let dry = line("lead import export.csv --dry-run -o json").run();
    assert_eq!(counts(&dry), [0, 0, 87, 0, 13]);
    line("lead export out.csv").ok();
    let run = line("lead import out.csv -o json").run();
    assert_eq!(
        (run.code, counts(&run)),
        (Some(0), vec![0, 0, 87, 0, 0]),
        "{run:?}"
    );
    let group = json(&line("changes --limit 1 -o json --fields group").ok())[0]["group"]
        .as_i64()
        .unwrap();
    line(&format!("undo {group} --yes")).ok();
    assert_eq!(line("lead list --count").ok().trim(), "0");
}

/// How many leads the file of [`home_with_many`] has.
const LEADS: usize = 1_400;

fn home_with_many() -> Home {
    let home = Home::new();
    let mut text = String::from("email,name\n");
    for at in 0..LEADS {
        text += &format!("p{at}@example.com,Person {at}\n");
    }
    home.write("a.csv", &text);
    home
}

/// Runs a command, and kills it as soon as there are so many leads. Returns whether it was over before.
fn killed(home: &Home, words: &[&str], wanted: usize) -> bool {
    let mut command = home.crm(words).command();
    let null = || Stdio::null();
    command.stdin(null()).stdout(null()).stderr(null());
    let mut child = command.spawn().unwrap();
    let mut is_over = false;
    wait_for("leads", || {
        is_over = child.try_wait().unwrap().is_some();
        let told = home.line("lead list --count").run();
        is_over
            || told
                .stdout
                .trim()
                .parse::<usize>()
                .is_ok_and(|count| count >= wanted)
    });
    let _ = child.kill();
    child.wait().unwrap();
    is_over
}

fn addresses(home: &Home) -> Vec<String> {
    let all = home.line("lead list -o csv --fields email").ok();
    let mut all: Vec<String> = all.lines().skip(1).map(String::from).collect();
    all.sort();
    all
}

/// An import that is killed at any moment and run again does each row once.
#[test]
fn a_killed_import_goes_on() {
    let home = home_with_many();
    let words = [
        "lead",
        "import",
        "a.csv",
        "--on-duplicate",
        "create",
        "-o",
        "json",
    ];
    for round in 0..3 {
        // At another place each time, however fast the machine is.
        killed(&home, &words, round * 450 + 1);
    }
    let run = home.crm(words).run();
    assert_eq!(run.code, Some(0), "{run:?}");
    let mut all = addresses(&home);
    let count = all.len();
    all.dedup();
    // One of those that were to be killed may have been done before, and then the next one was an import of its own.
    assert_eq!((count % LEADS, all.len()), (0, LEADS));
}

/// What was done before the interruption is taken back: the same command then makes all of it.
#[test]
fn an_import_that_was_interrupted_and_taken_back_begins_anew() {
    let home = home_with_many();
    killed(&home, &["lead", "import", "a.csv"], 1);
    home.line("undo --yes").ok();
    assert_eq!(addresses(&home).len(), 0);
    let run = home.line("lead import a.csv -o json").run();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(addresses(&home).len(), LEADS, "{run:?}");
    assert_eq!(counts(&run), [LEADS as u64, 0, 0, 0, 0], "{run:?}");
}

#[test]
fn standard_input_and_pipes_are_read() {
    let home = Home::new();
    let told = home
        .line("lead import - --quiet")
        .stdin("email;name\nb@example.com;Bob\n")
        .ok();
    assert!(
        told.starts_with("created 1; take it back with: crm undo 1"),
        "{told}"
    );
    let told = home.shell("mkfifo pipe && (printf 'email\\nc@example.com\\n' > pipe & crm lead import pipe --quiet)").ok();
    assert!(told.starts_with("created 1; "), "{told}");
    let mut out = Vec::new();
    out.write_all(home.line("lead export - -o ndjson").ok().as_bytes())
        .unwrap();
    assert_eq!(String::from_utf8(out).unwrap().lines().count(), 2);
}
