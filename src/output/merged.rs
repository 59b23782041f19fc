//! What merging leads has done, or would do.

use std::io::Write;

use crate::config::Format;
use crate::model::merged::Merged;
use crate::model::nouns::NOUNS;
use crate::output::csv::csv_line;
use crate::output::look::Look;
use crate::output::stop::Result;
use crate::output::text::{cut, for_terminal, visible};

/// The widest value that is shown whole, in columns.
const WIDEST: usize = 60;

/// A JSON value for people: a text without its quotes.
fn value(json: &str) -> String {
    let text = match json {
        "null" => "nothing".into(),
        json => serde_json::from_str::<String>(json).unwrap_or_else(|_| json.into()),
    };
    cut(text, WIDEST)
}

/// What is done, one line for each lead and each field that is not the same in all of them.
pub fn merged_lines(merged: &Merged) -> Vec<String> {
    let (keep, is_dry) = (merged.lead.id(), merged.change.is_none());
    let mut lines = Vec::new();
    for other in &merged.others {
        let moved = other.moved.iter().map(|(plural, count)| {
            let noun = NOUNS.iter().find(|noun| noun.plural == plural);
            match noun.filter(|_| *count == 1) {
                Some(noun) => format!("1 {}", noun.name),
                None => format!("{count} {plural}"),
            }
        });
        let moved: Vec<String> = moved.collect();
        let verb = if is_dry { "would be" } else { "is" };
        lines.push(format!(
            "lead {} <{}> {verb} merged into lead {keep}, with {}",
            other.id,
            other.email,
            moved.join(" and ")
        ));
    }
    for one in &merged.filled {
        let from = one.from;
        lines.push(format!(
            "{}: {}, from lead {from}",
            one.field,
            value(&one.value)
        ));
    }
    for one in &merged.conflicts {
        let dropped: Vec<String> = one
            .dropped
            .iter()
            .map(|(id, json)| format!("lead {id} had {}", value(json)))
            .collect();
        let (field, kept) = (&one.field, value(&one.kept));
        lines.push(format!("{field}: {kept} stays; {}", dropped.join(", ")));
    }
    let lines = lines.iter().map(|line| visible(line).into_owned());
    lines.collect()
}

/// Prints what was done. JSON is one object, as the service answers it. CSV has a line for each lead that was merged, and the
/// id is that of the lead that stays.
pub fn merged(mut out: impl Write, look: Look, merged: &Merged) -> Result {
    let mut text = Vec::new();
    match look.format {
        Format::Json | Format::Ndjson => writeln!(text, "{}", merged.to_json())?,
        Format::Id => writeln!(text, "{}", merged.lead.id())?,
        Format::Csv => {
            let moved = merged.others.first().map(|other| other.moved.iter());
            let moved = moved.into_iter().flatten().map(|one| one.0.as_str());
            let columns = ["id", "email", "merged_into"].into_iter();
            csv_line(columns.chain(moved), &mut text);
            for other in &merged.others {
                let keep = merged.lead.id();
                let mut cells = vec![other.id.to_string(), other.email.clone(), keep.to_string()];
                cells.extend(other.moved.iter().map(|one| one.1.to_string()));
                csv_line(cells.iter().map(String::as_str), &mut text);
            }
        }
        Format::Table => {
            for line in merged_lines(merged) {
                writeln!(text, "{line}")?;
            }
        }
    }
    for_terminal(look.format, look.terminal, &mut text);
    out.write_all(&text)?;
    Ok(out.flush()?)
}
