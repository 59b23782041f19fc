//! Tables: many records under a header, and one record with its fields one below the other.

use std::io::Write;

use tabled::builder::Builder;
use tabled::settings::object::{Columns, Rows};
use tabled::settings::{Alignment, Color, Modify, Padding, Style};
use unicode_width::UnicodeWidthStr;

use crate::output::stop::Result;
use crate::output::terminal::Terminal;
use crate::output::text::{cut, wrapped};

/// How narrow a column of a table may get, in terminal columns: the date of a time still stands whole before its `…`.
pub const NARROWEST: usize = 11;

/// Blanks between two columns.
const GAP: usize = 2;

pub(super) struct Column {
    pub(super) name: &'static str,
    /// Numbers stand at the right.
    pub(super) right: bool,
    /// Left out before any other is cut, as when it was made or changed is seldom asked.
    pub(super) spare: bool,
    /// Nobody asked for it by its name: left out before another is cut where it is empty in all rows.
    pub(super) usual: bool,
}

/// How wide each column gets, in terminal columns; fewer than there were where the last do not fit.
fn fit(natural: &[usize], width: usize) -> Vec<usize> {
    let mut kept = 0;
    let mut used = 0;
    for column in natural {
        let gap = if kept == 0 { 0 } else { GAP };
        used += gap + (*column).min(NARROWEST);
        if used > width && kept > 0 {
            break;
        }
        kept += 1;
    }
    let natural = &natural[..kept];
    let room = width.saturating_sub(GAP * natural.len().saturating_sub(1));
    // The highest cap under which all columns fit together.
    let total = |cap: usize| {
        natural
            .iter()
            .map(|column| (*column).min(cap))
            .sum::<usize>()
    };
    let cap = (1..=room)
        .rev()
        .find(|cap| total(*cap) <= room)
        .unwrap_or(1);
    let mut spare = room.saturating_sub(total(cap));
    let widths = natural.iter().map(|column| {
        // What is left is too little for all that are cut, so the first of them get one more each.
        let more = usize::from(*column > cap && spare > 0);
        spare -= more;
        (*column).min(cap) + more
    });
    widths.collect()
}

/// Writes records one below the other under a header.
pub(super) fn table(
    columns: &[Column],
    mut rows: Vec<Vec<String>>,
    terminal: Terminal,
    out: &mut impl Write,
) -> Result {
    let mut columns: Vec<&Column> = columns.iter().collect();
    let mut widths: Vec<usize> = columns.iter().map(|column| column.name.width()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let mut left_out = Vec::new();
    if let Some(width) = terminal.width {
        let whole =
            |widths: &[usize]| widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        while whole(&widths) > width {
            let empty = |at: &usize| rows.iter().all(|row| row[*at].is_empty());
            let spare = (0..columns.len()).rev().find(|at| columns[*at].spare);
            let Some(at) = spare.or_else(|| {
                (0..columns.len())
                    .rev()
                    .filter(|at| columns[*at].usual)
                    .find(empty)
            }) else {
                break;
            };
            left_out.insert(0, columns.remove(at));
            widths.remove(at);
            rows.iter_mut().for_each(|row| drop(row.remove(at)));
        }
        widths = fit(&widths, width);
    }
    left_out.splice(0..0, columns.split_off(widths.len()));
    for row in &mut rows {
        row.truncate(widths.len());
        for (cell, width) in row.iter_mut().zip(&widths) {
            *cell = cut(std::mem::take(cell), *width);
        }
    }
    let names = columns.iter().zip(&widths);
    let names = names.map(|(column, width)| cut(column.name.into(), *width));
    let mut builder = Builder::with_capacity(rows.len() + 2, widths.len());
    builder.push_record(names);
    builder.push_record(widths.iter().map(|width| "─".repeat(*width)));
    for row in rows {
        builder.push_record(row);
    }
    let mut table = builder.build();
    table.with(Style::empty());
    table.with(Padding::new(0, GAP, 0, 0));
    table.with(Modify::new(Columns::last()).with(Padding::zero()));
    for (at, column) in columns.iter().enumerate() {
        if column.right {
            table.with(Modify::new(Columns::one(at)).with(Alignment::right()));
        }
    }
    if terminal.color {
        table.with(Modify::new(Rows::first()).with(Color::BOLD));
    }
    for line in table.to_string().lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    if let (Some(width), false) = (terminal.width, left_out.is_empty()) {
        let names: Vec<&str> = left_out.iter().map(|column| column.name).collect();
        let note = format!("(no room for {}: see --fields)", names.join(", "));
        for line in wrapped(&note, width) {
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    Ok(())
}

/// Appends one record, its fields one below the other, long values wrapped.
pub(super) fn upright(cells: Vec<(&str, String)>, terminal: Terminal, out: &mut Vec<u8>) {
    let widest = cells.iter().map(|cell| cell.0.width()).max().unwrap_or(0);
    let widest = terminal.width.map_or(widest, |width| widest.min(width / 2));
    // Two columns, so that a wide character has room.
    let room = terminal
        .width
        .map(|width| width.saturating_sub(widest + GAP).max(2));
    for (name, value) in cells {
        let name = cut(name.into(), widest);
        let lines = match room {
            Some(room) => wrapped(&value, room),
            None => vec![value.as_str()],
        };
        for (at, line) in lines.into_iter().enumerate() {
            let name = if at == 0 { name.as_str() } else { "" };
            let blanks = " ".repeat(widest + GAP - name.width());
            let line = match terminal.color && at == 0 {
                true => format!("\u{1b}[1m{name}\u{1b}[22m{blanks}{line}"),
                false => format!("{name}{blanks}{line}"),
            };
            out.extend_from_slice(line.trim_end().as_bytes());
            out.push(b'\n');
        }
    }
}
