//! Lists of settings and of tokens.

use std::io::Write;

use crate::base::time::Zone;
use crate::config::{Format, Row};
use crate::model::token::Token;
use crate::output::csv::csv_line;
use crate::output::look::Look;
use crate::output::stop::Result;
use crate::output::table::{TableColumn, table};
use crate::output::terminal::Terminal;
use crate::output::text::{for_terminal, visible};

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

/// Prints tokens. A table has its times in the zone.
pub fn tokens(out: impl Write, look: Look, zone: &Zone, tokens: &[Token]) -> Result {
    let names = ["name", "scope", "start", "created_at", "expires_at"];
    let shown = |time: &str| match look.format {
        Format::Table => zone.show(time).into_owned(),
        _ => time.into(),
    };
    let rows = tokens.iter().map(|token| {
        [
            Some(token.name.to_string()),
            Some(token.scope.word().to_string()),
            Some(token.start.clone()),
            Some(shown(&token.created_at)),
            token.expires_at.as_deref().map(shown),
        ]
    });
    listed(out, look, names, rows)
}

/// Prints rows of text under these names. The first column is the id.
fn listed<const N: usize>(
    mut out: impl Write,
    look: Look,
    names: [&'static str; N],
    rows: impl Iterator<Item = [Option<String>; N]>,
) -> Result {
    let mut text = Vec::new();
    match look.format {
        Format::Json | Format::Ndjson => {
            let objects = rows.map(|row| {
                let members = names.into_iter().zip(row);
                let members = members.map(|(name, cell)| (name.to_string(), cell.into()));
                serde_json::Value::Object(members.collect()).to_string()
            });
            let objects: Vec<String> = objects.collect();
            match look.format {
                Format::Json if objects.is_empty() => writeln!(text, "[]")?,
                Format::Json => writeln!(text, "[\n{}\n]", objects.join(",\n"))?,
                _ => objects
                    .iter()
                    .try_for_each(|object| writeln!(text, "{object}"))?,
            }
        }
        Format::Csv => {
            csv_line(names.into_iter(), &mut text);
            for row in rows {
                csv_line(row.into_iter().map(Option::unwrap_or_default), &mut text);
            }
        }
        Format::Id => {
            for row in rows {
                writeln!(text, "{}", row[0].as_deref().unwrap_or_default())?;
            }
        }
        Format::Table => {
            let columns = names.map(|name| TableColumn {
                name: name.into(),
                right: false,
                spare: false,
                usual: false,
            });
            let rows = rows.map(|row| {
                let cells = row.into_iter().map(Option::unwrap_or_default);
                cells.map(|cell| visible(&cell).into_owned()).collect()
            });
            let rows: Vec<Vec<String>> = rows.collect();
            if !rows.is_empty() {
                table(&columns, rows, look.terminal, &mut text)?;
            }
        }
    }
    for_terminal(look.format, look.terminal, &mut text);
    out.write_all(&text)?;
    Ok(out.flush()?)
}
