//! What taking back a group of changes has done, or would do.

use std::io::Write;

use crate::config::Format;
use crate::model::undone::{Undone, UndoneRecord};
use crate::output::csv::csv_line;
use crate::output::look::Look;
use crate::output::stop::Result;
use crate::output::text::{for_terminal, visible};

/// One line on a record: `lead 5: changed back: name, status`.
pub fn undone_line(record: &UndoneRecord) -> String {
    let fields = match record.fields.is_empty() {
        true => String::new(),
        false => format!(": {}", record.fields.join(", ")),
    };
    let line = format!(
        "{} {}: {}{fields}",
        record.kind,
        record.id,
        record.fate.word()
    );
    visible(&line).into_owned()
}

/// Prints what was done to each record, as a table below this sentence. JSON is one object, as the service answers it. The id
/// is the number of the new group, and of a dry run that of the group.
pub fn undone(mut out: impl Write, look: Look, undone: &Undone, sentence: &str) -> Result {
    let mut text = Vec::new();
    match look.format {
        Format::Json => writeln!(text, "{}", undone.to_json())?,
        Format::Ndjson => {
            for record in &undone.records {
                writeln!(text, "{}", record.to_json())?;
            }
        }
        Format::Csv => {
            csv_line(["type", "id", "done", "fields"].into_iter(), &mut text);
            for record in &undone.records {
                let id = record.id.to_string();
                let fields = record.fields.join(",");
                let cells = [&record.kind, &id, record.fate.word(), &fields];
                csv_line(cells.into_iter(), &mut text);
            }
        }
        Format::Id => writeln!(text, "{}", undone.change.unwrap_or(undone.undoes))?,
        Format::Table => {
            writeln!(text, "{}", visible(sentence))?;
            for record in &undone.records {
                writeln!(text, "{}", undone_line(record))?;
            }
        }
    }
    for_terminal(look.format, look.terminal, &mut text);
    out.write_all(&text)?;
    Ok(out.flush()?)
}
