//! What a search has found: a table in which the matches are marked.

use std::collections::HashMap;
use std::io::Write;

use crate::base::words::marks;
use crate::config::Format;
use crate::model::found::FOUND;
use crate::model::record::Record;
use crate::model::shown::Shown;
use crate::output::look::{Extent, Look};
use crate::output::printer::Printer;
use crate::output::stop::Result;
use crate::output::table::{TableColumn, table};
use crate::output::text::visible;

/// The columns of the table. The whole record is for programs.
const COLUMNS: [&str; 6] = ["type", "id", "title", "lead", "field", "snippet"];

/// The columns of CSV.
const CSV: &str = "id,type,title,field,snippet,lead_id";

/// Stand around a match until the table is made. They have no width, and are removed from the data before.
const MARKS: [char; 2] = ['\u{2061}', '\u{2062}'];

/// Prints the records that were found. `words` are those that were searched for, and `leads` those that a table names.
pub fn found(
    out: &mut impl Write,
    look: Look,
    fields: Option<Shown>,
    records: &[Record],
    words: &[String],
    leads: &HashMap<i64, Record>,
) -> Result {
    if look.format == Format::Table && fields.is_none() {
        return marked(out, look, records, words, leads);
    }
    let fields = match (fields, look.format) {
        (None, Format::Csv) => Shown::parse(&FOUND, CSV).ok(),
        (fields, _) => fields,
    };
    let mut printer = Printer::records(out, look, &FOUND, fields, Extent::Many);
    for record in records {
        printer.record(record)?;
    }
    printer.end()?;
    Ok(())
}

/// Who a record is about: of a lead its address, of others the lead's id and name. The title of a lead may be its address.
fn who(record: &Record, leads: &HashMap<i64, Record>) -> String {
    let id = record.get("lead_id").int();
    let Some(lead) = id.and_then(|id| leads.get(&id)) else {
        return id.map_or_else(String::new, |id| id.to_string());
    };
    let of = |name: &str| lead.get(name).text().unwrap_or_default().trim();
    let (name, email) = (of("name"), of("email"));
    let is_itself = record.get("type").text() == Some(lead.noun.name);
    match (is_itself, record.get("title").text() == Some(email)) {
        (true, true) => name.into(),
        (true, false) => email.into(),
        _ if name.is_empty() => format!("{} {email}", lead.id()),
        _ => format!("{} {name}", lead.id()),
    }
}

fn marked(
    out: &mut impl Write,
    look: Look,
    records: &[Record],
    words: &[String],
    leads: &HashMap<i64, Record>,
) -> Result {
    if records.is_empty() {
        return Ok(());
    }
    let columns = COLUMNS.map(|name| TableColumn {
        name: name.into(),
        right: name == "id",
        spare: false,
        usual: false,
    });
    let rows = records.iter().map(|record| {
        let cell = |name: &&str| {
            let value = match *name {
                "lead" => who(record, leads),
                name => record.get(name).to_string(),
            };
            match *name {
                "snippet" | "title" | "lead" if look.terminal.color => with_marks(&value, words),
                _ => visible(&value).replace(MARKS, ""),
            }
        };
        COLUMNS.iter().map(cell).collect()
    });
    let mut text = Vec::new();
    table(&columns, rows.collect(), look.terminal, &mut text)?;
    let text = String::from_utf8_lossy(&text);
    for line in text.split_inclusive('\n') {
        out.write_all(in_bold(line).as_bytes())?;
    }
    Ok(out.flush()?)
}

/// A text with a mark before and after each match.
fn with_marks(text: &str, words: &[String]) -> String {
    let text = text.replace(MARKS, "");
    let mut marked = String::with_capacity(text.len() + 16);
    let mut last = 0;
    for place in marks(&text, words) {
        marked.push_str(&visible(&text[last..place.start]));
        marked.push(MARKS[0]);
        marked.push_str(&visible(&text[place.clone()]));
        marked.push(MARKS[1]);
        last = place.end;
    }
    marked.push_str(&visible(&text[last..]));
    marked
}

/// A line with bold letters instead of the marks. A match that was cut ends with its cell.
fn in_bold(line: &str) -> String {
    let mut bold = String::with_capacity(line.len() + 16);
    let mut is_bold = false;
    for letter in line.chars() {
        let ends = letter == MARKS[1] || matches!(letter, '…' | '\n');
        if letter == MARKS[0] {
            bold.push_str("\u{1b}[1m");
            is_bold = true;
            continue;
        }
        if ends && std::mem::replace(&mut is_bold, false) {
            bold.push_str("\u{1b}[22m");
        }
        if letter != MARKS[1] {
            bold.push(letter);
        }
    }
    bold
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lead::LEAD;
    use crate::output::terminal::Terminal;

    fn record(title: &str, snippet: &str) -> Record {
        let json = serde_json::json!({
            "id": 7, "type": "lead", "title": title, "field": "name", "snippet": snippet, "lead_id": 7, "record": {"id": 7},
        });
        Record::from_json(&FOUND, json.to_string().as_bytes()).unwrap()
    }

    fn leads() -> HashMap<i64, Record> {
        let json = br#"{"id": 7, "email": "j@example.com", "name": "J\u00f6rg"}"#;
        let lead = Record::from_json(&LEAD, json).unwrap();
        HashMap::from([(7, lead)])
    }

    fn shown(terminal: Terminal, record: &Record, words: &[&str]) -> String {
        let look = Look {
            format: Format::Table,
            terminal,
        };
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        let mut out = Vec::new();
        let records = std::slice::from_ref(record);
        found(&mut out, look, None, records, &words, &leads()).unwrap();
        let text = String::from_utf8(out).unwrap();
        text.lines().nth(2).unwrap().to_string()
    }

    #[test]
    fn matches_are_bold_where_a_terminal_has_color() {
        let terminal = |width, color| Terminal {
            width: Some(width),
            color,
        };
        let ada = record("Jörg", "Jörg Müller\u{2061}");
        assert_eq!(
            shown(terminal(80, true), &ada, &["mull"]),
            "lead   7  Jörg   j@example.com  name   Jörg \u{1b}[1mMüll\u{1b}[22mer"
        );
        assert_eq!(
            shown(terminal(80, false), &ada, &["mull"]),
            "lead   7  Jörg   j@example.com  name   Jörg Müller\\u{2061}"
        );
        // A match that is cut does not run on into other cells.
        let long = record(&"m".repeat(60), "a \u{1b}[31mred one");
        let line = shown(terminal(60, true), &long, &["mmm", "red"]);
        assert_eq!(
            line.matches("\u{1b}[1m").count(),
            line.matches("\u{1b}[22m").count()
        );
        assert!(!line.contains("\u{1b}[31m"), "{line:?}");
    }
}
