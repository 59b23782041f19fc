//! Whom to contact, in groups by how urgent it is.

use std::io::Write;

use crate::model::due::Due;
use crate::output::look::Look;
use crate::output::stop::Result;
use crate::output::table::{TableColumn, table};
use crate::output::text::visible;

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
            row.email,
            row.phone,
            row.process,
            row.contact,
            row.worker,
        ];
        cells.map(|cell| visible(&cell).into_owned())
    });
    let rows: Vec<[String; 9]> = rows.collect();
    // Commands such as `crm log` take the number of a lead, others that of a process.
    let names = [
        "process",
        "due",
        "lead",
        "name",
        "email",
        "phone",
        "subject",
        "last contact",
        "worker",
    ];
    let kept: Vec<usize> = (0..names.len())
        .filter(|at| *at < 2 || rows.iter().any(|row| !row[*at].is_empty()))
        .collect();
    let columns = kept.iter().map(|at| TableColumn {
        name: names[*at].into(),
        right: [0, 2].contains(at),
        spare: false,
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
