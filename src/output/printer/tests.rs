//! Records in each format.

use std::io::{self, ErrorKind};

use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::*;
use crate::base::error::Error;
use crate::config::Row;
use crate::model::action::ACTION;
use crate::model::lead::LEAD;
use crate::model::process::PROCESS;
use crate::output::error::error;
use crate::output::rows::settings;
use crate::output::stop::Stop;
use crate::output::summary::count;
use crate::output::terminal::Terminal;

const PLAIN: Terminal = Terminal {
    width: None,
    color: false,
};

fn terminal(width: usize) -> Terminal {
    Terminal {
        width: Some(width),
        color: false,
    }
}

fn look(format: Format, terminal: Terminal) -> Look {
    Look { format, terminal }
}

fn lead(id: i64, email: &str, name: Option<&str>, attributes: &str) -> Record {
    let time = Value::from("2026-01-31 09:30:00");
    let name = name.map_or(Value::Null, Value::from);
    Record {
        noun: &LEAD,
        values: vec![
            id.into(),
            email.into(),
            name,
            "new".into(),
            attributes.into(),
            time.clone(),
            time,
        ],
    }
}

fn ada() -> Record {
    lead(1, "ada@example.com", Some("Ada"), "{}")
}

fn text(out: Vec<u8>) -> String {
    String::from_utf8(out).unwrap()
}

fn print(look: Look, fields: Option<&str>, extent: Extent, records: &[Record]) -> String {
    let noun = records.first().map_or(&LEAD, |record| record.noun);
    let fields = fields.map(|list| Shown::parse(noun, list).unwrap());
    let mut out = Vec::new();
    let mut printer = Printer::records(&mut out, look, noun, fields, extent);
    for record in records {
        printer.record(record).unwrap();
    }
    assert_eq!(printer.end(), Ok(records.len() as u64));
    text(out)
}

fn many(format: Format, fields: Option<&str>, records: &[Record]) -> String {
    print(look(format, PLAIN), fields, Extent::Many, records)
}

fn one(format: Format, fields: Option<&str>, record: Record) -> String {
    print(look(format, PLAIN), fields, Extent::One, &[record])
}

const ADA: &str = r#"{"id":1,"email":"ada@example.com","name":"Ada","status":"new","attributes":{},"created_at":"2026-01-31 09:30:00","updated_at":"2026-01-31 09:30:00"}"#;

#[test]
fn one_record_in_each_format() {
    assert_eq!(one(Format::Json, None, ada()), format!("{ADA}\n"));
    assert_eq!(one(Format::Ndjson, None, ada()), format!("{ADA}\n"));
    assert_eq!(one(Format::Id, None, ada()), "1\n");
    assert_eq!(one(Format::Csv, Some("id,name"), ada()), "id,name\n1,Ada\n");
    assert_eq!(
        one(Format::Table, None, ada()),
        "id          1\n\
         email       ada@example.com\n\
         name        Ada\n\
         status      new\n\
         attributes\n\
         created_at  2026-01-31 09:30:00\n\
         updated_at  2026-01-31 09:30:00\n"
    );
}

#[test]
fn many_records_in_each_format() {
    let records = [
        ada(),
        lead(12, "bo@example.com", None, r#"{"company":"Acme"}"#),
    ];
    let two = |format| many(format, Some("id,email,name,attributes"), &records);
    let json = two(Format::Json);
    assert_eq!(
        json,
        "[\n\
         {\"id\":1,\"email\":\"ada@example.com\",\"name\":\"Ada\",\"attributes\":{}},\n\
         {\"id\":12,\"email\":\"bo@example.com\",\"name\":null,\"attributes\":{\"company\":\"Acme\"}}\n\
         ]\n"
    );
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read[1]["id"], 12);
    assert_eq!(two(Format::Ndjson).lines().count(), 2);
    assert_eq!(two(Format::Id), "1\n12\n");
    assert_eq!(
        two(Format::Csv),
        "id,email,name,attributes\n\
         1,ada@example.com,Ada,{}\n\
         12,bo@example.com,,\"{\"\"company\"\":\"\"Acme\"\"}\"\n"
    );
    assert_eq!(
        two(Format::Table),
        "\
id  email            name  attributes
──  ───────────────  ────  ──────────────────
 1  ada@example.com  Ada
12  bo@example.com         {\"company\":\"Acme\"}
"
    );
}

#[test]
fn an_empty_list_in_each_format() {
    assert_eq!(many(Format::Json, None, &[]), "[]\n");
    assert_eq!(many(Format::Ndjson, None, &[]), "");
    assert_eq!(many(Format::Id, None, &[]), "");
    assert_eq!(many(Format::Table, None, &[]), "");
    assert_eq!(many(Format::Csv, Some("id,email"), &[]), "id,email\n");
}

#[test]
fn old_names_are_in_json_alone_unless_asked_for() {
    let time = Value::from("2026-01-31 09:30:00");
    let action = Record {
        noun: &ACTION,
        values: vec![
            1.into(),
            Value::Null,
            "call".into(),
            "Hello".into(),
            time.clone(),
            "{}".into(),
            time.clone(),
            time,
        ],
    };
    let both = r#""details":"Hello","description":"Hello""#;
    assert!(one(Format::Json, None, action.clone()).contains(both));
    for format in [Format::Csv, Format::Table] {
        assert!(!one(format, None, action.clone()).contains("description"));
    }
    assert_eq!(
        one(Format::Csv, Some("description"), action),
        "description\nHello\n"
    );
}

#[test]
fn deletions_in_each_format() {
    let print = |format, extent, ids: &[i64]| {
        let mut out = Vec::new();
        let look = look(format, PLAIN);
        let mut printer = Printer::deletions(&mut out, look, &LEAD, extent);
        for id in ids {
            printer.deleted(*id).unwrap();
        }
        printer.end().unwrap();
        text(out)
    };
    let object = r#"{"id":1,"message":"Lead deleted"}"#;
    let line = format!("{object}\n");
    assert_eq!(print(Format::Json, Extent::One, &[1]), line);
    assert_eq!(print(Format::Ndjson, Extent::Many, &[1]), line);
    assert_eq!(
        print(Format::Json, Extent::Many, &[1, 2]),
        format!("[\n{object},\n{}\n]\n", object.replace('1', "2"))
    );
    assert_eq!(
        print(Format::Csv, Extent::Many, &[1, 2]),
        "id,message\n1,Lead deleted\n2,Lead deleted\n"
    );
    assert_eq!(print(Format::Csv, Extent::Many, &[]), "id,message\n");
    assert_eq!(print(Format::Id, Extent::Many, &[1, 2]), "1\n2\n");
    let lines = "Lead 1 deleted\nLead 2 deleted\n";
    assert_eq!(print(Format::Table, Extent::Many, &[1, 2]), lines);
}

#[test]
fn a_list_that_fails_midway_leaves_its_array_open() {
    let mut out = Vec::new();
    let look = look(Format::Json, PLAIN);
    let mut printer = Printer::records(&mut out, look, &LEAD, None, Extent::Many);
    printer.record(&ada()).unwrap();
    drop(printer);
    assert_eq!(text(out), format!("[\n{ADA}"));
}

#[test]
fn csv_gives_any_text_back() {
    let name = "a \"b\",\r\nc\u{1b}[31m,\u{202e}";
    let out = many(
        Format::Csv,
        Some("name,id"),
        &[lead(1, "a@b.c", Some(name), "{}")],
    );
    let mut reader = csv::Reader::from_reader(out.as_bytes());
    let row = reader.records().next().unwrap().unwrap();
    assert_eq!((&row[0], &row[1]), (name, "1"));
}

#[test]
fn what_steers_the_terminal_is_escaped_in_tables_and_errors() {
    let record = lead(1, "a@b.c", Some("a\nb\tc\u{1b}[31m\u{9b}\u{202e}é👍"), "{}");
    let shown = r"a\nb\tc\u{1b}[31m\u{9b}\u{202e}é👍";
    for extent in [Extent::One, Extent::Many] {
        let out = print(
            look(Format::Table, PLAIN),
            Some("name"),
            extent,
            std::slice::from_ref(&record),
        );
        assert!(out.contains(shown), "{out}");
    }
    let json = one(Format::Json, Some("name"), record);
    assert!(json.contains('\u{202e}'), "{json}");
    let wrong = Error::field("name", "got \u{1b}[2J\n");
    assert_eq!(
        error(Format::Table, false, &wrong),
        r"error: name: got \u{1b}[2J\n"
    );
    assert_eq!(
        error(Format::Csv, true, &Error::invalid("no")),
        "\u{1b}[1;31merror:\u{1b}[0m no"
    );
    assert_eq!(error(Format::Json, true, &wrong), wrong.to_json());
}

#[test]
fn a_table_is_cut_to_the_terminal_the_widest_column_first() {
    let record = lead(
        7,
        "a-rather-long-address@example.com",
        Some("陳大文 and a few words"),
        "{}",
    );
    let narrow = |width, fields| {
        print(
            look(Format::Table, terminal(width)),
            Some(fields),
            Extent::Many,
            std::slice::from_ref(&record),
        )
    };
    assert_eq!(
        narrow(44, "id,status,email,name"),
        "\
id  status  email            name
──  ──────  ───────────────  ───────────────
 7  new     a-rather-long-…  陳大文 and a f…
"
    );
    assert_eq!(
        narrow(28, "id,name,email,created_at"),
        "\
id  name         email
──  ───────────  ───────────
 7  陳大文 and…  a-rather-l…
(no room for created_at:
see --fields)
"
    );
    let wide = narrow(400, "email,created_at");
    assert!(wide.contains("address@example.com  2026-01-31 09:30:00"));
}

#[test]
fn one_record_is_wrapped_and_never_cut() {
    let words = "many words that go on and on, ".repeat(9);
    let record = lead(1, "a@b.c", Some(words.trim()), "{}");
    let look = look(Format::Table, terminal(40));
    let out = print(look, Some("name"), Extent::One, &[record]);
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines.len() > 5 && lines.iter().all(|line| line.width() <= 40));
    let joined: Vec<&str> = lines.iter().map(|line| line[6..].trim()).collect();
    assert_eq!(joined.join(" "), words.trim());
}

#[test]
fn color_marks_the_names_alone() {
    let colorful = Terminal {
        width: Some(80),
        color: true,
    };
    let look = look(Format::Table, colorful);
    let out = print(look, Some("id,email"), Extent::Many, &[ada()]);
    assert_eq!(out.matches("\u{1b}[1m").count(), 2);
    assert!(out.starts_with("\u{1b}[1mid\u{1b}[22m  \u{1b}[1memail"));
    let out = print(look, Some("id,email"), Extent::One, &[ada()]);
    assert!(out.starts_with("\u{1b}[1mid\u{1b}[22m     1\n"), "{out:?}");
}

#[test]
fn a_closed_pipe_is_no_failure_but_a_full_disk_is() {
    struct Broken(ErrorKind);
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for format in Format::WORDS.map(|row| row.1) {
        let print = |kind| {
            let out = Broken(kind);
            let look = look(format, PLAIN);
            let mut printer = Printer::records(out, look, &LEAD, None, Extent::Many);
            printer.record(&ada())?;
            printer.end()
        };
        assert_eq!(print(ErrorKind::BrokenPipe), Err(Stop::ClosedPipe));
        let Err(Stop::Failed(error)) = print(ErrorKind::StorageFull) else {
            panic!("{format:?} was printed to a full disk");
        };
        assert!(error.message.starts_with("standard output: "), "{error}");
        assert_eq!(error.code.exit(), 1);
    }
    assert_eq!(
        count(Broken(ErrorKind::BrokenPipe), Format::Id, 1),
        Err(Stop::ClosedPipe)
    );
}

#[test]
fn memory_does_not_grow_with_a_list_but_for_a_table() {
    for (format, kept) in [
        (Format::Json, 0),
        (Format::Ndjson, 0),
        (Format::Csv, 0),
        (Format::Id, 0),
        (Format::Table, 1000),
    ] {
        let look = look(format, PLAIN);
        let mut printer = Printer::records(io::sink(), look, &LEAD, None, Extent::Many);
        for _ in 0..1000 {
            printer.record(&ada()).unwrap();
        }
        assert_eq!(printer.rows.len(), kept, "{format:?}");
        assert!(printer.buffer.capacity() < 4096, "{format:?}");
    }
}

#[test]
fn counts_and_settings_in_each_format() {
    let number = |format| {
        let mut out = Vec::new();
        count(&mut out, format, 3).unwrap();
        text(out)
    };
    assert_eq!(number(Format::Json), "{\"count\":3}\n");
    assert_eq!(number(Format::Ndjson), "{\"count\":3}\n");
    assert_eq!(number(Format::Table), "3\n");
    assert_eq!(number(Format::Csv), "3\n");
    assert_eq!(number(Format::Id), "3\n");

    let rows = [
        Row {
            setting: "database",
            value: Some("/data/crm.db".into()),
            source: "flag --db".into(),
        },
        Row {
            setting: "url",
            value: None,
            source: "not used".into(),
        },
    ];
    let print = |format| {
        let mut out = Vec::new();
        settings(&mut out, look(format, PLAIN), &rows).unwrap();
        text(out)
    };
    let database = r#"{"setting":"database","value":"/data/crm.db","source":"flag --db"}"#;
    let url = r#"{"setting":"url","value":null,"source":"not used"}"#;
    assert_eq!(print(Format::Json), format!("[\n{database},\n{url}\n]\n"));
    assert_eq!(print(Format::Ndjson), format!("{database}\n{url}\n"));
    assert_eq!(
        print(Format::Csv),
        "setting,value,source\ndatabase,/data/crm.db,flag --db\nurl,,not used\n"
    );
    assert_eq!(print(Format::Id), "database\nurl\n");
    assert_eq!(
        print(Format::Table),
        "\
setting   value         source
────────  ────────────  ─────────
database  /data/crm.db  flag --db
url                     not used
"
    );
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_terminal(
        width in 20usize..=200,
        names in proptest::collection::vec("[\\PC\u{200d}\u{1f1e9}陳é👩👍🏽\u{301}\u{fe0f}\n ]{0,60}", 1..4),
    ) {
        let records: Vec<Record> = names.iter().map(|name| {
            let time = Value::from("2026-01-31 09:30:00");
            Record { noun: &PROCESS, values: vec![
                i64::MAX.into(), name.as_str().into(), 1.into(), name.as_str().into(), 7.into(), time.clone(),
                "active".into(), "{\"a\":1}".into(), time.clone(), time,
            ] }
        }).collect();
        let look = look(Format::Table, terminal(width));
        let out = print(look, None, Extent::Many, &records);
        for line in out.lines() {
            prop_assert!(line.width() <= width, "{} > {width}: {line:?}", line.width());
        }
        prop_assert!(out.lines().count() >= names.len() + 2);
        let out = print(look, None, Extent::One, &records[..1]);
        for line in out.lines() {
            prop_assert!(line.width() <= width, "{} > {width}: {line:?}", line.width());
        }
    }
}
