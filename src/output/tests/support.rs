//! Helpers for the tests: records to print, and printing to memory.

use crate::config::Format;
use crate::model::lead::LEAD;
use crate::model::record::Record;
use crate::model::shown::Shown;
use crate::model::value::Value;
use crate::output::look::{Extent, Look};
use crate::output::printer::Printer;
use crate::output::terminal::Terminal;

pub(super) const PLAIN: Terminal = Terminal {
    width: None,
    color: false,
};

pub(super) fn terminal(width: usize) -> Terminal {
    Terminal {
        width: Some(width),
        color: false,
    }
}

pub(super) fn look(format: Format, terminal: Terminal) -> Look {
    Look { format, terminal }
}

pub(super) fn lead(id: i64, email: &str, name: Option<&str>, attributes: &str) -> Record {
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
            Value::Null,
            time.clone(),
            time,
        ],
    }
}

pub(super) fn ada() -> Record {
    lead(1, "ada@example.com", Some("Ada"), "{}")
}

pub(super) fn text(out: Vec<u8>) -> String {
    String::from_utf8(out).unwrap()
}

pub(super) fn print(
    look: Look,
    fields: Option<&str>,
    extent: Extent,
    records: &[Record],
) -> String {
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

pub(super) fn many(format: Format, fields: Option<&str>, records: &[Record]) -> String {
    print(look(format, PLAIN), fields, Extent::Many, records)
}

pub(super) fn one(format: Format, fields: Option<&str>, record: Record) -> String {
    print(look(format, PLAIN), fields, Extent::One, &[record])
}
