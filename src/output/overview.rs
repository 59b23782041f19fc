//! The summary of a lead on one screen.
//!
//! The parts are in the order in which a person needs them before a call: who it is, what is next, what was last, what else is
//! open, what has changed, and who may be the same person. A part without content is left out, except the first three: that
//! nothing is planned and that nobody has ever called is worth a line. On a terminal each line fits the width.

use std::io::Write;

use serde_json::Value as Json;
use unicode_width::UnicodeWidthStr;

use crate::base::time::{self, Zone};
use crate::config::Format;
use crate::model::attributes;
use crate::model::due::{Due, Moment};
use crate::model::record::Record;
use crate::output::digest;
use crate::output::look::{Extent, Look};
use crate::output::printer::Printer;
use crate::output::stop::Result;
use crate::output::terminal::Terminal;
use crate::output::text::{cut, for_terminal, visible};
use crate::views::summary::Summary;

/// How many own fields are shown.
const MOST_FIELDS: usize = 10;

/// The widest column that is not the last one, in columns of the terminal.
const WIDEST: usize = 40;

/// Prints the summary of a lead. JSON is the summary as the service answers it; CSV and the id are those of the lead alone.
pub fn overview(mut out: impl Write, look: Look, zone: &Zone, summary: &Summary) -> Result {
    let mut text = Vec::new();
    match look.format {
        Format::Json | Format::Ndjson => writeln!(text, "{}", summary.to_json())?,
        Format::Csv | Format::Id => {
            let lead = &summary.lead;
            let mut printer = Printer::records(&mut out, look, lead.noun, None, Extent::One);
            printer.record(lead)?;
            printer.end()?;
            return Ok(());
        }
        Format::Table => {
            let screen = Screen {
                terminal: look.terminal,
                zone,
                now: time::now(),
                text: String::new(),
            };
            text = screen.of(summary).into_bytes();
        }
    }
    for_terminal(look.format, look.terminal, &mut text);
    out.write_all(&text)?;
    Ok(out.flush()?)
}

struct Screen<'z> {
    terminal: Terminal,
    zone: &'z Zone,
    now: String,
    text: String,
}

/// How a line stands out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Plain,
    Bold,
    /// Overdue.
    Red,
    /// Beside the point.
    Dim,
}

impl Screen<'_> {
    fn of(mut self, summary: &Summary) -> String {
        let lead = &summary.lead;
        self.who(lead);
        self.next(summary);
        self.contacts(summary);
        self.open(summary);
        let changes: Vec<_> = summary.changes.iter().map(|one| self.change(one)).collect();
        self.part("Changes", &changes);
        let duplicates = summary.duplicates.iter().map(|one| {
            let id = format!("lead {}", one.lead.id());
            let cells = vec![id, title(&one.lead), one.reasons.join(", ")];
            (Mark::Plain, cells)
        });
        self.part("Possible duplicates", &duplicates.collect::<Vec<_>>());
        let counts = summary.counts;
        self.text.push('\n');
        let since = self.zone.show(get(lead, "created_at"));
        self.line(
            Mark::Dim,
            format!(
                "{}, {}, since {}; crm lead timeline {} has all",
                counted(counts.actions, "action", "actions"),
                counted(counts.processes, "process", "processes"),
                since.get(..10).unwrap_or(&since),
                lead.id(),
            ),
        );
        self.text
    }

    fn who(&mut self, lead: &Record) {
        let id = format!("lead {}", lead.id());
        let name = shown(get(lead, "name"));
        let (email, status) = (shown(get(lead, "email")), shown(get(lead, "status")));
        let first = if name.is_empty() { &email } else { &name };
        let line = match self.terminal.width {
            Some(width) => {
                let room = width.saturating_sub(id.width() + 2);
                let first = cut(first.clone(), room);
                let blanks = width.saturating_sub(first.width() + id.width());
                format!("{first}{}{id}", " ".repeat(blanks))
            }
            None => format!("{first}  {id}"),
        };
        self.line(Mark::Bold, line);
        let line = match name.is_empty() {
            true => status,
            false => format!("{email}  {status}"),
        };
        self.line(Mark::Plain, line);
        let own = get(lead, "attributes");
        let own = serde_json::from_str::<attributes::Entries<'_>>(own);
        let own = own.map_or_else(|_| Vec::new(), |own| own.0);
        let rows = own.iter().take(MOST_FIELDS).map(|(key, value)| {
            let text: Json = serde_json::from_str(value.get()).unwrap_or_default();
            let text = text
                .as_str()
                .map_or_else(|| value.get().into(), String::from);
            (Mark::Plain, vec![key.to_string(), text])
        });
        let rows: Vec<_> = rows.collect();
        self.rows(&rows);
        if own.len() > MOST_FIELDS {
            let more = own.len() - MOST_FIELDS;
            let id = lead.id();
            self.line(Mark::Dim, format!("  and {more} more: crm lead get {id}"));
        }
    }

    fn next(&mut self, summary: &Summary) {
        let planned = summary.open.first();
        let planned = planned.filter(|process| !get(process, "next_followup_datetime").is_empty());
        match planned {
            Some(process) => {
                let row = self.process(process, summary);
                self.part("Next", &[row]);
            }
            None => {
                let nothing = (Mark::Dim, vec!["nothing is planned".into()]);
                self.part("Next", &[nothing]);
            }
        }
    }

    fn contacts(&mut self, summary: &Summary) {
        let rows = summary.actions.iter().map(|action| {
            let at = get(action, "timestamp");
            let cells = vec![
                self.distance(at),
                self.time(at),
                get(action, "action_type").into(),
                get(action, "details").into(),
            ];
            (Mark::Plain, cells)
        });
        let mut rows: Vec<_> = rows.collect();
        if rows.is_empty() {
            rows.push((Mark::Dim, vec!["never contacted".into()]));
        }
        self.part("Last contacts", &rows);
    }

    /// The open processes without the one that is next.
    fn open(&mut self, summary: &Summary) {
        let shown = summary.open.iter().enumerate();
        let shown = shown
            .filter(|(at, process)| *at > 0 || get(process, "next_followup_datetime").is_empty());
        let mut rows: Vec<_> = shown
            .map(|(_, process)| self.process(process, summary))
            .collect();
        let more = summary.counts.open - i64::try_from(summary.open.len()).unwrap_or(i64::MAX);
        if more > 0 {
            let id = summary.lead.id();
            let more = format!("and {more} more: crm followups --lead {id}");
            rows.push((Mark::Dim, vec![more]));
        }
        self.part("Also open", &rows);
    }

    /// A process in a row. One that is overdue stands out.
    fn process(&self, process: &Record, summary: &Summary) -> (Mark, Vec<String>) {
        let at = get(process, "next_followup_datetime");
        // A date alone is due all day long.
        let due = Moment::at(&self.now, self.zone).of(Some(at));
        let mark = match due {
            Due::Overdue => Mark::Red,
            _ => Mark::Plain,
        };
        let when = match due {
            Due::Unscheduled => "no date".into(),
            Due::Today if at < self.now.as_str() => Due::Today.word().into(),
            _ => self.distance(at),
        };
        let (channel, status) = (get(process, "channel"), get(process, "status"));
        let about = [&format!("process {}", process.id()), channel, status];
        let about = about.into_iter().filter(|text| !text.is_empty());
        let mut about: Vec<String> = about.map(String::from).collect();
        let mut held = summary.leases.iter();
        if let Some(held) = held.find(|held| held.process == process.id()) {
            about.push(format!("{} until {}", held.worker, self.time(&held.until)));
        }
        let cells = vec![
            when,
            self.time(at),
            get(process, "name").into(),
            about.join(", "),
        ];
        (mark, cells)
    }

    fn change(&self, entry: &Record) -> (Mark, Vec<String>) {
        let who = digest::who(entry);
        let cells = vec![
            self.distance(get(entry, "at")),
            who,
            digest::record(entry),
            digest::what(entry, self.zone, self.terminal.width),
        ];
        (Mark::Plain, cells)
    }

    /// A heading and rows. Without rows it is left out.
    fn part(&mut self, heading: &str, rows: &[(Mark, Vec<String>)]) {
        if rows.is_empty() {
            return;
        }
        self.text.push('\n');
        self.line(Mark::Bold, heading.into());
        self.rows(rows);
    }

    /// Rows with aligned columns. The last one of each row gets the room that is left.
    fn rows(&mut self, rows: &[(Mark, Vec<String>)]) {
        let rows = rows.iter().map(|(mark, cells)| {
            let last = cells.len().saturating_sub(1);
            let cells = cells.iter().enumerate().map(|(at, cell)| {
                let cell = shown(cell);
                match at < last && self.terminal.width.is_some() {
                    true => cut(cell, WIDEST),
                    false => cell,
                }
            });
            (*mark, cells.collect::<Vec<String>>())
        });
        let rows: Vec<_> = rows.collect();
        let columns = rows.iter().map(|row| row.1.len()).max().unwrap_or(0);
        let width = |at: usize| {
            // A cell that ends its row needs no alignment.
            let cells = rows.iter().filter(|row| row.1.len() > at + 1);
            cells.map(|row| row.1[at].width()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (mark, cells) in rows {
            let mut line = String::from("  ");
            for (at, cell) in cells.iter().enumerate() {
                line.push_str(cell);
                if at + 1 < cells.len() && widths[at] > 0 {
                    line.push_str(&" ".repeat(widths[at] - cell.width() + 2));
                }
            }
            self.line(mark, line);
        }
    }

    fn line(&mut self, mark: Mark, line: String) {
        let line = match self.terminal.width {
            Some(width) => cut(line, width),
            None => line,
        };
        let line = line.trim_end();
        let codes = match mark {
            Mark::Bold => Some(("1", "22")),
            Mark::Red => Some(("31", "39")),
            Mark::Dim => Some(("2", "22")),
            Mark::Plain => None,
        };
        match codes.filter(|_| self.terminal.color) {
            Some((on, off)) => {
                self.text
                    .push_str(&format!("\u{1b}[{on}m{line}\u{1b}[{off}m\n"));
            }
            None => self.text.push_str(&format!("{line}\n")),
        }
    }

    fn distance(&self, at: &str) -> String {
        time::distance(at, &self.now).unwrap_or_default()
    }

    /// A time in the zone, to the minute.
    fn time(&self, stored: &str) -> String {
        self.zone.brief(stored)
    }
}

/// A number of records.
fn counted(count: i64, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    }
}

fn get<'r>(record: &'r Record, name: &str) -> &'r str {
    record.get(name).text().unwrap_or_default()
}

fn shown(text: &str) -> String {
    visible(text.trim()).into_owned()
}

/// The name and the address of a lead.
fn title(lead: &Record) -> String {
    let (name, email) = (get(lead, "name"), get(lead, "email"));
    match name.is_empty() {
        true => email.into(),
        false => format!("{name} <{email}>"),
    }
}
