//! Whom to contact, in groups by how urgent it is.

use std::io::Write;

use unicode_width::UnicodeWidthStr;

use crate::model::due::Due;
use crate::output::look::Look;
use crate::output::stop::Result;
use crate::output::table::{GAP, TableColumn, table};
use crate::output::text::{cut, visible};

/// A follow-up as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueRow {
    /// The id of the process.
    pub id: i64,
    /// The id of the lead, empty if there is none.
    pub lead: String,
    /// The group.
    pub due: Due,
    /// When it is due.
    pub time: String,
    /// The name of the lead.
    pub name: String,
    /// Its address.
    pub email: String,
    /// Its telephone number.
    pub phone: String,
    /// The name of the process.
    pub process: String,
    /// The last contact.
    pub contact: String,
    /// Who works on it, and until when.
    pub worker: String,
}

/// The titles of the groups, and their colors.
fn title(due: Due) -> (&'static str, &'static str) {
    match due {
        Due::Overdue => ("Overdue", "31"),
        Due::Today => ("Today", "33"),
        Due::Soon => ("Soon", "36"),
        Due::Scheduled => ("Later", "39"),
        Due::Unscheduled => ("Without a date", "39"),
    }
}

/// The columns that are left out where all do not fit, even with their texts cut: the address, then the last contact, then the
/// telephone number. Whom to call, by which number, why, and who does so already is needed most.
const SPARE: [&[usize]; 3] = [&[EMAIL], &[EMAIL, LAST], &[EMAIL, LAST, 4]];

/// The columns of the name and of the address.
const NAME: usize = 3;
const EMAIL: usize = 5;

/// The columns that may be cut: name, subject, last contact and worker. A time or a number that is cut says nothing.
const CUT: [usize; 4] = [NAME, 6, LAST, 8];

/// The column of the last contact.
const LAST: usize = 7;

/// The least width of a column that is cut.
const LEAST: usize = 8;

/// The width of a column that is not cut.
fn natural(rows: &[[String; 9]], names: &[&str; 9], at: usize) -> usize {
    let cells = rows.iter().map(|row| row[at].width());
    cells.max().unwrap_or(0).max(names[at].width())
}

/// The columns that have to be left out.
fn spare(
    rows: &[[String; 9]],
    names: &[&str; 9],
    kept: &[usize],
    width: usize,
) -> &'static [usize] {
    let fits = |spare: &&&[usize]| {
        let shown = kept.iter().filter(|at| !spare.contains(at));
        let least = shown.map(|at| match (natural(rows, names, *at), CUT.contains(at)) {
            (natural, true) => natural.min(LEAST) + GAP,
            (natural, false) => natural + GAP,
        });
        least.sum::<usize>() <= width + GAP
    };
    SPARE.iter().find(fits).unwrap_or(&SPARE[SPARE.len() - 1])
}

/// Cuts the texts so that all columns fit without the spare ones, if that is possible.
fn cut_to(
    rows: &mut [[String; 9]],
    names: &mut [&str; 9],
    kept: &[usize],
    spare: &[usize],
    width: usize,
) {
    let shown: Vec<usize> = kept
        .iter()
        .copied()
        .filter(|at| !spare.contains(at))
        .collect();
    let (texts, others): (Vec<usize>, Vec<usize>) = shown.iter().partition(|at| CUT.contains(at));
    let natural = |at: &usize| natural(rows, names, *at);
    let used = others.iter().map(natural).sum::<usize>() + GAP * (shown.len() - 1);
    let room = width.saturating_sub(used);
    let natural: Vec<usize> = texts.iter().map(natural).collect();
    let total = |most: usize| natural.iter().map(|one| (*one).min(most)).sum::<usize>();
    let most = (LEAST..=width).rev().find(|most| total(*most) <= room);
    let most = most.unwrap_or(LEAST);
    if names[LAST].width() > most {
        names[LAST] = "contact";
    }
    for row in rows {
        for at in &texts {
            row[*at] = cut(std::mem::take(&mut row[*at]), most);
        }
    }
}

/// Prints follow-ups as one table, with a title above each group. A column that is empty everywhere is left out.
pub fn due(mut out: impl Write, look: Look, mut all: Vec<DueRow>) -> Result {
    // The order within a group stays. An overdue one may be after midnight, and one without a time of day is before it.
    all.sort_by_key(|row| row.due);
    let groups: Vec<Due> = all.iter().map(|row| row.due).collect();
    let rows = all.into_iter().map(|row| {
        let cells = [
            row.id.to_string(),
            row.time,
            row.lead,
            row.name,
            row.phone,
            row.email,
            row.process,
            row.contact,
            row.worker,
        ];
        cells.map(|cell| visible(&cell).into_owned())
    });
    let mut rows: Vec<[String; 9]> = rows.collect();
    // Commands such as `crm log` take the number of a lead, others that of a process.
    let mut names = [
        "process",
        "due",
        "lead",
        "name",
        "phone",
        "email",
        "subject",
        "last contact",
        "worker",
    ];
    let kept: Vec<usize> = (0..names.len())
        .filter(|at| *at < 2 || rows.iter().any(|row| !row[*at].is_empty()))
        .collect();
    let mut left_out = SPARE[0];
    if let Some(width) = look.terminal.width {
        let whole: usize = kept
            .iter()
            .map(|at| natural(&rows, &names, *at) + GAP)
            .sum();
        // The addresses have no room, and who has no name is known by it.
        if whole > width + GAP {
            for row in &mut rows {
                if row[NAME].is_empty() {
                    row[NAME] = row[EMAIL].clone();
                }
            }
        }
        left_out = spare(&rows, &names, &kept, width);
        cut_to(&mut rows, &mut names, &kept, left_out, width);
    }
    let columns = kept.iter().map(|at| TableColumn {
        name: names[*at].into(),
        right: [0, 2].contains(at),
        spare: left_out.contains(at),
        usual: true,
    });
    let columns: Vec<TableColumn> = columns.collect();
    let rows = rows
        .into_iter()
        .map(|row| kept.iter().map(|at| row[*at].clone()).collect());
    let mut text = Vec::new();
    table(&columns, rows.collect(), look.terminal, &mut text)?;
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines();
    // The names of the columns, and the line below them.
    for line in lines.by_ref().take(2) {
        writeln!(out, "{line}")?;
    }
    for (at, line) in lines.enumerate() {
        if let Some(group) = groups.get(at)
            && (at == 0 || groups[at - 1] != *group)
        {
            let (title, color) = title(*group);
            let count = groups.iter().filter(|other| *other == group).count();
            match look.terminal.color {
                true => writeln!(out, "\u{1b}[1;{color}m{title}: {count}\u{1b}[0m")?,
                false => writeln!(out, "{title}: {count}")?,
            }
        }
        writeln!(out, "{line}")?;
    }
    Ok(out.flush()?)
}
