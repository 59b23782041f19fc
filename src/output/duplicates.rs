//! Groups of leads that may be the same person.

use std::io::Write;

use unicode_width::UnicodeWidthStr;

use crate::config::Format;
use crate::model::record::Record;
use crate::output::csv::csv_line;
use crate::output::look::Look;
use crate::output::stop::Result;
use crate::output::text::{cut, for_terminal, visible};
use crate::views::duplicates::{Duplicate, DuplicateGroup};

/// The columns of CSV. The group is named by its first lead.
const COLUMNS: [&str; 6] = ["group", "id", "email", "name", "status", "reasons"];

/// The widest column that is not the last one, in columns of the terminal.
const WIDEST: usize = 40;

/// Prints the groups. A table has a block for each, CSV a line for each lead, and ids are those of a group on one line. JSON
/// is what the service answers, NDJSON a line for each group.
pub fn duplicates(mut out: impl Write, look: Look, groups: &[DuplicateGroup]) -> Result {
    let mut text = Vec::new();
    match look.format {
        Format::Json => {
            let all: Vec<String> = groups.iter().map(DuplicateGroup::to_json).collect();
            match all.is_empty() {
                true => writeln!(text, "[]")?,
                false => writeln!(text, "[\n{}\n]", all.join(",\n"))?,
            }
        }
        Format::Ndjson => {
            for group in groups {
                writeln!(text, "{}", group.to_json())?;
            }
        }
        Format::Id => {
            for group in groups {
                let ids: Vec<String> = group
                    .leads
                    .iter()
                    .map(|one| one.lead.id().to_string())
                    .collect();
                writeln!(text, "{}", ids.join(" "))?;
            }
        }
        Format::Csv => {
            csv_line(COLUMNS.into_iter(), &mut text);
            for group in groups {
                let first = group.leads.first().map_or(0, |one| one.lead.id());
                for one in &group.leads {
                    let mut cells = vec![first.to_string()];
                    cells.extend(cells_of(one));
                    csv_line(cells.iter().map(String::as_str), &mut text);
                }
            }
        }
        Format::Table => {
            for (at, group) in groups.iter().enumerate() {
                if at > 0 {
                    writeln!(text)?;
                }
                for line in block(group, look) {
                    writeln!(text, "{line}")?;
                }
            }
        }
    }
    for_terminal(look.format, look.terminal, &mut text);
    out.write_all(&text)?;
    Ok(out.flush()?)
}

fn get<'r>(record: &'r Record, name: &str) -> &'r str {
    record.get(name).text().unwrap_or_default()
}

fn cells_of(one: &Duplicate) -> [String; 5] {
    let lead = &one.lead;
    [
        lead.id().to_string(),
        get(lead, "email").into(),
        get(lead, "name").into(),
        get(lead, "status").into(),
        one.reasons.join(", "),
    ]
}

/// The lines of a group: its reasons, and its leads in aligned columns.
fn block(group: &DuplicateGroup, look: Look) -> Vec<String> {
    let reasons = group.reasons.words().join(", ");
    let heading = match look.terminal.color {
        true => format!("\u{1b}[1m{reasons}\u{1b}[22m"),
        false => reasons,
    };
    let rows = group.leads.iter().map(|one| {
        cells_of(one).map(|cell| {
            let cell = visible(cell.trim()).into_owned();
            match look.terminal.width {
                Some(_) => cut(cell, WIDEST),
                None => cell,
            }
        })
    });
    let rows: Vec<[String; 5]> = rows.collect();
    let widths: Vec<usize> = (0..4)
        .map(|at| rows.iter().map(|row| row[at].width()).max().unwrap_or(0))
        .collect();
    let mut lines = vec![heading];
    for row in &rows {
        let mut line = String::from(" ");
        for (at, cell) in row.iter().enumerate() {
            let room = widths.get(at).map_or(0, |width| width - cell.width());
            // Numbers are aligned at their right.
            let (before, after) = if at == 0 { (room, 0) } else { (0, room) };
            line.push_str(&format!(
                " {}{cell}{} ",
                " ".repeat(before),
                " ".repeat(after)
            ));
        }
        let line = line.trim_end().to_string();
        lines.push(match look.terminal.width {
            Some(width) => cut(line, width),
            None => line,
        });
    }
    let more = group.count.saturating_sub(group.leads.len() as u64);
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    lines
}
