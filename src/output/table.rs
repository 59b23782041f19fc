//! Tables: several records under a header, or one record with one field per line.

use std::borrow::Cow;
use std::io::Write;

use tabled::builder::Builder;
use tabled::settings::object::{Columns, Rows};
use tabled::settings::{Alignment, Color, Modify, Padding, Style};
use unicode_width::UnicodeWidthStr;

use crate::output::stop::Result;
use crate::output::terminal::Terminal;
use crate::output::text::{cut, wrapped};

/// The least width of a cut column, in terminal columns. It leaves room for the date of a time and `…`.
pub const NARROWEST: usize = 11;

/// The least width of a cut column that was not requested by name, in terminal columns: a whole time. The last ones are
/// left out instead of cutting all columns further.
const READABLE: usize = 19;

/// The number of blanks between two columns.
pub(super) const GAP: usize = 2;

pub(super) struct TableColumn {
    pub(super) name: Cow<'static, str>,
    /// Aligned to the right, as numbers are.
    pub(super) right: bool,
    /// Left out before any column is cut: the times of creation and of the last change are rarely needed.
    pub(super) spare: bool,
    /// Not requested by name. If it is empty in all rows, it is left out before any column is cut. See [`READABLE`].
    pub(super) usual: bool,
}

/// Computes the width of each column from its natural width. The result is shorter if the last columns do not fit.
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
    // The largest bound on a column with which all columns fit.
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
        // The rest is too small for all of the cut columns, so the first of them get one more each.
        let more = usize::from(*column > cap && spare > 0);
        spare -= more;
        (*column).min(cap) + more
    });
    widths.collect()
}

/// Writes one record per line under a header.
pub(super) fn table(
    columns: &[TableColumn],
    mut rows: Vec<Vec<String>>,
    terminal: Terminal,
    out: &mut impl Write,
) -> Result {
    let mut columns: Vec<&TableColumn> = columns.iter().collect();
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
        let readable: Vec<usize> = widths.iter().map(|width| (*width).min(READABLE)).collect();
        let mut kept = columns.len();
        while whole(&readable[..kept]) > width && kept > 1 && columns[kept - 1].usual {
            kept -= 1;
        }
        widths = fit(&widths[..kept], width);
    }
    left_out.splice(0..0, columns.split_off(widths.len()));
    for row in &mut rows {
        row.truncate(widths.len());
        for (cell, width) in row.iter_mut().zip(&widths) {
            *cell = cut(std::mem::take(cell), *width);
        }
    }
    let names = columns.iter().zip(&widths);
    let names = names.map(|(column, width)| cut(column.name.to_string(), *width));
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
        let names: Vec<&str> = left_out.iter().map(|column| &*column.name).collect();
        let note = format!("(no room for {}: see --fields)", names.join(", "));
        for line in wrapped(&note, width) {
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    Ok(())
}

/// Appends one record with one field per line. Long values are wrapped.
pub(super) fn upright(cells: Vec<(&str, String)>, terminal: Terminal, out: &mut Vec<u8>) {
    let widest = cells.iter().map(|cell| cell.0.width()).max().unwrap_or(0);
    let widest = terminal.width.map_or(widest, |width| widest.min(width / 2));
    // At least two columns, so that a wide character fits.
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
