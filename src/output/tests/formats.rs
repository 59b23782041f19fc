//! Tests of records in each format.

use std::io::{self, ErrorKind, Write};

use crate::config::Format;
use crate::model::action::ACTION;
use crate::model::lead::LEAD;
use crate::model::record::Record;
use crate::model::value::Value;
use crate::output::look::Extent;
use crate::output::printer::Printer;
use crate::output::stop::Stop;
use crate::output::summary::count;
use crate::output::tests::support::{PLAIN, ada, lead, look, many, one, text};

const ADA: &str = r#"{"id":1,"email":"ada@example.com","name":"Ada","status":"new","attributes":{},"last_action_at":null,"created_at":"2026-01-31 09:30:00","updated_at":"2026-01-31 09:30:00"}"#;

#[test]
fn one_record_in_each_format() {
    assert_eq!(one(Format::Json, None, ada()), format!("{ADA}\n"));
    assert_eq!(one(Format::Ndjson, None, ada()), format!("{ADA}\n"));
    assert_eq!(one(Format::Id, None, ada()), "1\n");
    assert_eq!(one(Format::Csv, Some("id,name"), ada()), "id,name\n1,Ada\n");
    assert_eq!(
        one(Format::Table, None, ada()),
        "id              1\n\
         email           ada@example.com\n\
         name            Ada\n\
         status          new\n\
         attributes\n\
         last_action_at\n\
         created_at      2026-01-31 09:30:00\n\
         updated_at      2026-01-31 09:30:00\n"
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
        let mut printer = Printer::messages(&mut out, look, &LEAD, extent);
        for id in ids {
            printer.message(*id, "Lead deleted").unwrap();
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
