//! Single results: what a command did, what a check found, a count.

use std::io::Write;

use crate::config::Format;
use crate::output::csv::csv_line;
use crate::output::look::Look;
use crate::output::stop::Result;
use crate::output::table::upright;
use crate::output::text::{for_terminal, visible};

/// Prints what a command did, as names with values. JSON and NDJSON are one object. A table has one value per line and
/// leaves out nulls. The id is the first value.
pub fn summary(mut out: impl Write, look: Look, said: &[(&str, serde_json::Value)]) -> Result {
    let plain = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    };
    let mut text = Vec::new();
    match look.format {
        Format::Json | Format::Ndjson => {
            let object = said
                .iter()
                .map(|(name, value)| ((*name).into(), value.clone()));
            let object: serde_json::Map<String, serde_json::Value> = object.collect();
            writeln!(text, "{}", serde_json::Value::Object(object))?;
        }
        Format::Csv => {
            csv_line(said.iter().map(|(name, _)| name), &mut text);
            csv_line(said.iter().map(|(_, value)| plain(value)), &mut text);
        }
        Format::Id => {
            let first = said.first().map(|(_, value)| plain(value));
            writeln!(text, "{}", first.unwrap_or_default())?;
        }
        Format::Table => {
            let told = said.iter().filter(|(_, value)| !value.is_null());
            let cells = told.map(|(name, value)| (*name, visible(&plain(value)).into_owned()));
            upright(cells.collect(), look.terminal, &mut text);
        }
    }
    for_terminal(look.format, look.terminal, &mut text);
    out.write_all(&text)?;
    Ok(out.flush()?)
}

/// Prints one sentence for a person.
pub fn line(mut out: impl Write, sentence: &str) -> Result {
    writeln!(out, "{}", visible(sentence))?;
    Ok(out.flush()?)
}

/// Prints a message on each of several things that have a name.
pub fn messages(mut out: impl Write, look: Look, said: &[(String, String)]) -> Result {
    let mut text = Vec::new();
    let object =
        |(name, message): &(String, String)| serde_json::json!({"name": name, "message": message});
    match look.format {
        Format::Json => {
            let objects: Vec<String> = said.iter().map(|one| object(one).to_string()).collect();
            match objects.is_empty() {
                true => writeln!(text, "[]")?,
                false => writeln!(text, "[\n{}\n]", objects.join(",\n"))?,
            }
        }
        Format::Ndjson => {
            for one in said {
                writeln!(text, "{}", object(one))?;
            }
        }
        Format::Csv => {
            csv_line(["name", "message"].into_iter(), &mut text);
            for (name, message) in said {
                csv_line([name, message].into_iter(), &mut text);
            }
        }
        Format::Id => {
            for (name, _) in said {
                writeln!(text, "{name}")?;
            }
        }
        Format::Table => {
            for (name, message) in said {
                writeln!(text, "{}: {}", visible(name), visible(message))?;
            }
        }
    }
    for_terminal(look.format, look.terminal, &mut text);
    out.write_all(&text)?;
    Ok(out.flush()?)
}

/// Prints the findings of a check, each with its kind and text. Without findings it prints `ok`.
pub fn findings(mut out: impl Write, look: Look, found: &[(&str, &str)]) -> Result {
    let mut text = Vec::new();
    match look.format {
        Format::Json | Format::Ndjson => {
            let found = found
                .iter()
                .map(|(kind, what)| serde_json::json!({"kind": kind, "what": what}));
            let found: Vec<serde_json::Value> = found.collect();
            let object = serde_json::json!({"ok": found.is_empty(), "findings": found});
            writeln!(text, "{object}")?;
        }
        Format::Csv => {
            csv_line(["kind", "what"].into_iter(), &mut text);
            for (kind, what) in found {
                csv_line([kind, what].into_iter(), &mut text);
            }
        }
        Format::Table | Format::Id if found.is_empty() => writeln!(text, "ok")?,
        Format::Table | Format::Id => {
            for (kind, what) in found {
                writeln!(text, "{kind}: {}", visible(what))?;
            }
        }
    }
    for_terminal(look.format, look.terminal, &mut text);
    out.write_all(&text)?;
    Ok(out.flush()?)
}

/// Prints a number of records: `{"count":3}` in JSON and NDJSON, the bare number in other formats.
pub fn count(mut out: impl Write, format: Format, count: u64) -> Result {
    match format {
        Format::Json | Format::Ndjson => writeln!(out, r#"{{"count":{count}}}"#)?,
        Format::Table | Format::Csv | Format::Id => writeln!(out, "{count}")?,
    }
    Ok(out.flush()?)
}
