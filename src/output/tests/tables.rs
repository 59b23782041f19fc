//! Tests of tables.

use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use crate::base::error::Error;
use crate::config::Format;
use crate::model::process::PROCESS;
use crate::model::record::Record;
use crate::model::value::Value;
use crate::output::error::error;
use crate::output::look::Extent;
use crate::output::terminal::Terminal;
use crate::output::tests::support::{PLAIN, ada, lead, look, one, print, terminal};

#[test]
fn control_characters_are_escaped_in_tables_and_errors() {
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
fn letters_that_nobody_sees_are_escaped_in_tables_alone() {
    let hidden = "a\u{200b}b\u{feff}c\u{2060}d\u{ad}e";
    // Joiners are part of words and of emoji.
    let joined = "نامه\u{200c}ای 👩\u{200d}👧 ❤\u{fe0f}";
    let record = lead(1, "a@b.c", Some(&format!("{hidden} {joined}")), "{}");
    let shown = format!(r"a\u{{200b}}b\u{{feff}}c\u{{2060}}d\u{{ad}}e {joined}");
    for extent in [Extent::One, Extent::Many] {
        let records = std::slice::from_ref(&record);
        let out = print(look(Format::Table, PLAIN), Some("name"), extent, records);
        assert!(out.contains(&shown), "{out}");
    }
    for format in [Format::Json, Format::Ndjson, Format::Csv] {
        let out = one(format, Some("name"), record.clone());
        assert!(out.contains(hidden) && out.contains(joined), "{out}");
    }
}

#[test]
fn a_table_fits_the_terminal_and_its_widest_column_is_cut_first() {
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

proptest! {
    #[test]
    fn no_line_is_wider_than_the_terminal(
        width in 20usize..=200,
        names in proptest::collection::vec("[\\PC\u{200d}\u{1f1e9}陳é👩👍🏽\u{301}\u{fe0f}\n ]{0,60}", 1..4),
    ) {
        let records: Vec<Record> = names.iter().map(|name| {
            let time = Value::from("2026-01-31 09:30:00");
            Record { noun: &PROCESS, values: vec![
                i64::MAX.into(), name.as_str().into(), 1.into(), name.as_str().into(), 7.into(), time.clone(), 14.into(),
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
