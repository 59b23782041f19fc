//! What logging actions has done.

use std::io::Write;

use crate::base::time::Zone;
use crate::config::Format;
use crate::model::logged::{Followup, Logged};
use crate::model::value::Value;
use crate::output::csv::csv_line;
use crate::output::look::Look;
use crate::output::stop::Result;
use crate::output::text::{for_terminal, visible};

/// The columns of CSV.
const COLUMNS: [&str; 6] = [
    "action_id",
    "lead_id",
    "process_id",
    "followup",
    "from",
    "to",
];

/// Prints what was done. A table has a line for each action, and the id is that of the action. JSON is the answer of the
/// service, in an array if several leads were named.
pub fn logged(
    mut out: impl Write,
    look: Look,
    zone: &Zone,
    all: &[Logged],
    is_many: bool,
) -> Result {
    let mut text = Vec::new();
    let json = |logged: &Logged| String::from_utf8_lossy(&logged.to_json()).into_owned();
    match look.format {
        Format::Json if is_many => {
            let objects: Vec<String> = all.iter().map(json).collect();
            match objects.is_empty() {
                true => writeln!(text, "[]")?,
                false => writeln!(text, "[\n{}\n]", objects.join(",\n"))?,
            }
        }
        Format::Json | Format::Ndjson => {
            for one in all {
                writeln!(text, "{}", json(one))?;
            }
        }
        Format::Csv => {
            csv_line(COLUMNS.into_iter(), &mut text);
            for one in all {
                csv_line(cells(one).into_iter(), &mut text);
            }
        }
        Format::Id => {
            for one in all {
                writeln!(text, "{}", one.action.id())?;
            }
        }
        Format::Table => {
            for one in all {
                writeln!(text, "{}", visible(&sentence(one, zone)))?;
            }
        }
    }
    for_terminal(look.format, look.terminal, &mut text);
    out.write_all(&text)?;
    Ok(out.flush()?)
}

fn cells(logged: &Logged) -> [String; 6] {
    let moved = logged.moved.clone().unwrap_or_default();
    let process = logged.process.as_ref();
    [
        logged.action.id().to_string(),
        logged.lead.id().to_string(),
        process.map_or_else(String::new, |process| process.id().to_string()),
        logged.followup.word().into(),
        moved.from.unwrap_or_default(),
        moved.to.unwrap_or_default(),
    ]
}

/// What was done, for people: `Action 12 logged with Ada <ada@example.com>; follow-up of process 4 moved from … to …`. It says
/// with whom, because the number of a process is easily taken for that of a lead.
fn sentence(logged: &Logged, zone: &Zone) -> String {
    let (action, email) = (logged.action.id(), logged.lead.get("email"));
    let who = match logged.lead.get("name") {
        Value::Text(name) if !name.trim().is_empty() => format!("{name} <{email}>"),
        _ => email.to_string(),
    };
    let begin = format!("Action {action} logged with {who}");
    let Some(process) = &logged.process else {
        let lead = logged.lead.id();
        return format!("{begin}; lead {lead} has no open process, so no follow-up moved");
    };
    let id = process.id();
    let show = |time: &Option<String>| time.as_ref().map(|time| zone.show(time).into_owned());
    let moved = logged.moved.clone().unwrap_or_default();
    let (from, to) = (show(&moved.from), show(&moved.to));
    let what = match (logged.followup, from, to) {
        (Followup::Older | Followup::None, ..) => {
            let stays = match process.get("next_followup_datetime") {
                Value::Text(at) => format!(", whose follow-up stays at {}", zone.show(at)),
                _ => String::new(),
            };
            format!("it is older than the last action of process {id}{stays}")
        }
        (Followup::Ended, ..) => {
            let status = process.get("status");
            format!("process {id} ({}) is {status}", process.get("name"))
        }
        (Followup::Opened, _, to) => {
            let due = match to {
                Some(to) => format!("its follow-up is due {to}"),
                None => "it has no follow-up".into(),
            };
            format!("process {id} ({}) opened, {due}", process.get("name"))
        }
        (Followup::Moved, Some(from), Some(to)) if from == to => {
            format!("follow-up of process {id} stays at {to}")
        }
        (Followup::Moved, Some(from), Some(to)) => {
            format!("follow-up of process {id} moved from {from} to {to}")
        }
        (Followup::Moved, None, Some(to)) => format!("follow-up of process {id} is due {to}"),
        (Followup::Moved, Some(from), None) => {
            format!("process {id} has no follow-up any more; it was due {from}")
        }
        (Followup::Moved, None, None) => format!("process {id} has no follow-up"),
    };
    format!("{begin}; {what}")
}
