//! Follow-ups that were claimed.

use std::io::Write;

use crate::config::Format;
use crate::model::lease::Claimed;
use crate::model::shown::Shown;
use crate::model::value::Value;
use crate::output::csv::csv_line;
use crate::output::look::Look;
use crate::output::stop::Result;
use crate::output::table::upright;
use crate::output::text::{for_terminal, visible};
use crate::views::followups::FOLLOWUP;

/// Prints claimed follow-ups for programs: JSON is an array, as the API answers it. CSV has the lease as the last column.
pub fn claimed(mut out: impl Write, look: Look, all: &[Claimed]) -> Result {
    let mut text = Vec::new();
    match look.format {
        Format::Json if all.is_empty() => writeln!(text, "[]")?,
        Format::Json => {
            let all: Vec<String> = all.iter().map(Claimed::to_json).collect();
            writeln!(text, "[\n{}\n]", all.join(",\n"))?;
        }
        Format::Ndjson => {
            for one in all {
                writeln!(text, "{}", one.to_json())?;
            }
        }
        Format::Csv => {
            let shown = Shown::once(&FOLLOWUP);
            let names = shown.columns().iter().map(|column| column.name.to_string());
            csv_line(names.chain(["lease".into()]), &mut text);
            for one in all {
                let cells = shown.columns().iter();
                let cells = cells.map(|column| match &one.followup.values[column.at] {
                    Value::Null => String::new(),
                    Value::Int(int) => int.to_string(),
                    Value::Text(text) => text.clone(),
                });
                csv_line(cells.chain([one.lease.text().into()]), &mut text);
            }
        }
        Format::Id | Format::Table => {
            for one in all {
                writeln!(text, "{}", one.followup.id())?;
            }
        }
    }
    for_terminal(look.format, look.terminal, &mut text);
    out.write_all(&text)?;
    Ok(out.flush()?)
}

/// Prints names with values for a person, after an empty line if others came before.
pub fn card(
    mut out: impl Write,
    look: Look,
    follows: bool,
    cells: Vec<(String, String)>,
) -> Result {
    let mut text = Vec::new();
    if follows {
        text.push(b'\n');
    }
    let cells = cells
        .iter()
        .map(|(name, value)| (name.as_str(), visible(value).into_owned()));
    upright(cells.collect(), look.terminal, &mut text);
    out.write_all(&text)?;
    Ok(out.flush()?)
}
