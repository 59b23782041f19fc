//! Lists of settings, of tokens, and of webhooks.

use std::io::Write;

use serde_json::Value;

use crate::base::time::Zone;
use crate::config::{Format, Row};
use crate::output::csv::csv_line;
use crate::output::look::Look;
use crate::output::stop::Result;
use crate::output::table::{TableColumn, table};
use crate::output::terminal::Terminal;
use crate::output::text::{for_terminal, visible};
use crate::store::contract::Listed;

/// Prints the rows of `crm config`. They are never cut: a path or a source that is cut says nothing.
pub fn settings(out: impl Write, look: Look, rows: &[Row]) -> Result {
    let uncut = Look {
        terminal: Terminal {
            width: look.terminal.width.map(|_| usize::MAX),
            ..look.terminal
        },
        ..look
    };
    let rows = rows.iter().map(|row| {
        [
            Some(row.setting.to_string()),
            row.value.clone(),
            Some(row.source.clone()),
        ]
    });
    listed(out, uncut, ["setting", "value", "source"], rows)
}

/// Prints a list of tokens or webhooks. A table has their times in the zone.
pub fn all<L: Listed>(mut out: impl Write, look: Look, zone: &Zone, all: &[L]) -> Result {
    let shown = |value: &Value, name: &str| match value {
        Value::Null => String::new(),
        Value::String(text) if is_time(name) && look.format == Format::Table => {
            zone.show(text).into_owned()
        }
        Value::String(text) => text.clone(),
        Value::Array(words) => {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            words.join(",")
        }
        other => other.to_string(),
    };
    let objects: Vec<Value> = all.iter().map(L::to_json).collect();
    let rows = objects.iter().map(|object| {
        let cells = L::COLUMNS.iter().map(|name| shown(&object[*name], name));
        cells.collect()
    });
    let mut text = Vec::new();
    write(
        look,
        L::COLUMNS,
        rows,
        || objects.iter().map(Value::to_string).collect(),
        &mut text,
    )?;
    for_terminal(look.format, look.terminal, &mut text);
    out.write_all(&text)?;
    Ok(out.flush()?)
}

/// Whether the column of this name has times.
fn is_time(name: &str) -> bool {
    ["_at", "_since", "_until"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// Prints rows of text under these names. The first column is the id.
fn listed<const N: usize>(
    mut out: impl Write,
    look: Look,
    names: [&'static str; N],
    rows: impl Iterator<Item = [Option<String>; N]>,
) -> Result {
    let rows: Vec<[Option<String>; N]> = rows.collect();
    let objects = || {
        let objects = rows.iter().map(|row| {
            let members = names.into_iter().zip(row);
            let members = members.map(|(name, cell)| (name.to_string(), cell.clone().into()));
            Value::Object(members.collect()).to_string()
        });
        objects.collect()
    };
    let texts = rows.iter().map(|row| {
        let cells = row.iter().map(|cell| cell.clone().unwrap_or_default());
        cells.collect()
    });
    let mut text = Vec::new();
    write(look, &names, texts, objects, &mut text)?;
    for_terminal(look.format, look.terminal, &mut text);
    out.write_all(&text)?;
    Ok(out.flush()?)
}

/// Writes rows under these names, or as these JSON objects.
fn write(
    look: Look,
    names: &[&'static str],
    rows: impl Iterator<Item = Vec<String>>,
    objects: impl FnOnce() -> Vec<String>,
    text: &mut Vec<u8>,
) -> Result {
    match look.format {
        Format::Json => match objects() {
            objects if objects.is_empty() => writeln!(text, "[]")?,
            objects => writeln!(text, "[\n{}\n]", objects.join(",\n"))?,
        },
        Format::Ndjson => {
            for object in objects() {
                writeln!(text, "{object}")?;
            }
        }
        Format::Csv => {
            csv_line(names.iter().copied(), text);
            for row in rows {
                csv_line(row.into_iter(), text);
            }
        }
        Format::Id => {
            for row in rows {
                writeln!(text, "{}", row[0])?;
            }
        }
        Format::Table => {
            let columns = names.iter().map(|name| TableColumn {
                name: (*name).into(),
                right: false,
                spare: false,
                usual: false,
            });
            let columns: Vec<TableColumn> = columns.collect();
            let rows = rows.map(|row| {
                let cells = row.into_iter();
                cells.map(|cell| visible(&cell).into_owned()).collect()
            });
            let rows: Vec<Vec<String>> = rows.collect();
            if !rows.is_empty() {
                table(&columns, rows, look.terminal, text)?;
            }
        }
    }
    Ok(())
}
