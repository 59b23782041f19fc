//! Files of records that other programs open and that `crm NOUN import` reads again without a loss.
//!
//! In a CSV each own field has a column. A column with values other than texts says so in its name, `attributes.size:=`, and all
//! of its cells are JSON; so a number comes back as a number. A vCard has what a card has a property for, and beside it the
//! status and all own fields.

use std::collections::HashMap;
use std::io::{self, Write};

use crate::import::guard::guarded;
use crate::import::names::{AS_JSON, CARD_ATTRIBUTES, CARD_STATUS, own_column};
use crate::import::row::Columns;
use crate::model::attributes::Attributes;
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::value::Value;
use crate::output::csv::csv_line;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// CSV. `true` guards cells that a spreadsheet would run, and marks the text as UTF-8.
    Csv(bool),
    /// One JSON object a line.
    Ndjson,
    /// An array of JSON objects.
    Json,
    /// vCard 3.0, which every address book reads.
    Vcard,
}

/// The keys of own fields that have columns, and whether their cells are JSON.
#[derive(Debug, Default)]
pub struct OwnColumns {
    keys: Vec<(String, bool)>,
    places: HashMap<String, usize>,
}

impl OwnColumns {
    /// Adds the keys of a record. Returns whether there is a column for each.
    pub fn add(&mut self, noun: &Noun, record: &Record) -> bool {
        for (key, json) in own(noun, record).iter() {
            let is_json = !json.starts_with('"') || json == "\"\"" || key.ends_with(AS_JSON);
            match self.places.get(key) {
                Some(at) => self.keys[*at].1 |= is_json,
                None if self.keys.len() == Columns::MOST => return false,
                None => {
                    self.places.insert(key.into(), self.keys.len());
                    self.keys.push((key.into(), is_json));
                }
            }
        }
        true
    }

    /// Whether this has a place for everything of a record.
    pub fn fits(&self, noun: &Noun, record: &Record) -> bool {
        own(noun, record).iter().all(|(key, json)| {
            let column = self.places.get(key).map(|at| &self.keys[*at]);
            column.is_some_and(|(_, is_json)| *is_json || json.starts_with('"') && json != "\"\"")
        })
    }
}

fn own(noun: &Noun, record: &Record) -> Attributes {
    let mut fields = noun.fields.iter();
    let at = fields.position(|field| field.kind == Kind::Attributes);
    let stored = at.and_then(|at| record.values.get(at)?.text());
    Attributes::stored(stored.unwrap_or("{}"))
}

/// Writes a file.
pub struct Exporter<W: Write> {
    out: W,
    noun: &'static Noun,
    format: ExportFormat,
    columns: OwnColumns,
    count: u64,
    buffer: Vec<u8>,
}

impl<W: Write> Exporter<W> {
    /// Begins a file. A CSV has these columns for own fields.
    pub fn new(
        mut out: W,
        noun: &'static Noun,
        format: ExportFormat,
        columns: OwnColumns,
    ) -> io::Result<Exporter<W>> {
        if let ExportFormat::Csv(spreadsheet) = format {
            if spreadsheet {
                // Without it some spreadsheets read another encoding.
                out.write_all("\u{feff}".as_bytes())?;
            }
            let mut names: Vec<String> = Vec::new();
            for field in noun.fields {
                match field.kind {
                    Kind::Attributes => {
                        names.extend(
                            columns
                                .keys
                                .iter()
                                .map(|(key, is_json)| own_column(key, *is_json)),
                        );
                    }
                    _ => names.push(field.name.into()),
                }
            }
            let names = names.iter().map(|name| guarded(name, spreadsheet));
            let mut line = Vec::new();
            csv_line(names.map(|name| name.into_owned()), &mut line);
            out.write_all(&line)?;
        }
        Ok(Exporter {
            out,
            noun,
            format,
            columns,
            count: 0,
            buffer: Vec::new(),
        })
    }

    /// Writes a record. Returns whether the file has a place for all of it.
    pub fn record(&mut self, record: &Record) -> io::Result<bool> {
        let fits = match self.format {
            ExportFormat::Csv(spreadsheet) => {
                let fits = self.columns.fits(self.noun, record);
                self.cells(record, spreadsheet);
                fits
            }
            ExportFormat::Ndjson => {
                self.buffer.extend(record.to_json_bytes());
                self.buffer.push(b'\n');
                true
            }
            ExportFormat::Json => {
                let before: &[u8] = if self.count == 0 { b"[\n" } else { b",\n" };
                self.buffer.extend_from_slice(before);
                self.buffer.extend(record.to_json_bytes());
                true
            }
            ExportFormat::Vcard => {
                card(self.noun, record, &mut self.buffer);
                true
            }
        };
        self.count += 1;
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(fits)
    }

    fn cells(&mut self, record: &Record, spreadsheet: bool) {
        let own = own(self.noun, record);
        let mut cells: Vec<String> =
            Vec::with_capacity(self.noun.fields.len() + self.columns.keys.len());
        for (field, value) in self.noun.fields.iter().zip(&record.values) {
            let text = match (field.kind, value) {
                (Kind::Attributes, _) => {
                    for (key, is_json) in &self.columns.keys {
                        let json = own.get(key).unwrap_or_default();
                        let text = match is_json {
                            true => json.to_string(),
                            false => text(json),
                        };
                        cells.push(guarded(&text, spreadsheet).into_owned());
                    }
                    continue;
                }
                (_, Value::Null) => String::new(),
                (_, value) => value.to_string(),
            };
            cells.push(guarded(&text, spreadsheet).into_owned());
        }
        csv_line(cells.into_iter(), &mut self.buffer);
    }

    /// Completes the file, and returns how many records it has.
    pub fn end(mut self) -> io::Result<(u64, W)> {
        if self.format == ExportFormat::Json {
            let end: &[u8] = if self.count == 0 { b"[]\n" } else { b"\n]\n" };
            self.out.write_all(end)?;
        }
        self.out.flush()?;
        Ok((self.count, self.out))
    }
}

/// A JSON text without its quotes, anything else as it is.
fn text(json: &str) -> String {
    match json.starts_with('"') {
        true => serde_json::from_str(json).unwrap_or_else(|_| json.into()),
        false => json.into(),
    }
}

/// Writes a lead as a vCard.
fn card(noun: &Noun, record: &Record, out: &mut Vec<u8>) {
    let own = own(noun, record);
    let value = |name: &str| record.get(name).text().unwrap_or_default().to_string();
    let own_text = |keys: &[&str]| {
        let found = keys.iter().find_map(|key| own.get(key));
        found.filter(|json| json.starts_with('"')).map(text)
    };
    let (name, email) = (value("name"), value("email"));
    property("BEGIN", "VCARD", out);
    property("VERSION", "3.0", out);
    let shown = if name.trim().is_empty() {
        &email
    } else {
        &name
    };
    property("FN", &escaped(shown), out);
    let (first, last) = name.trim().rsplit_once(' ').unwrap_or(("", name.trim()));
    property(
        "N",
        &format!("{};{};;;", escaped(last), escaped(first)),
        out,
    );
    property("EMAIL;TYPE=INTERNET", &escaped(&email), out);
    for (name, keys) in [
        ("ORG", &["company"][..]),
        ("TITLE", &["title"]),
        ("TEL", &["phone", "tel", "telephone"]),
        ("TEL;TYPE=CELL", &["mobile"]),
        ("URL", &["website"]),
        ("NOTE", &["note"]),
        ("BDAY", &["birthday"]),
    ] {
        if let Some(text) = own_text(keys) {
            property(name, &escaped(&text), out);
        }
    }
    property(CARD_STATUS, &escaped(&value("status")), out);
    if !own.is_empty() {
        property(CARD_ATTRIBUTES, &escaped(&own.to_string()), out);
    }
    property("END", "VCARD", out);
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' | ',' | ';' => escaped.extend(['\\', letter]),
            '\n' => escaped.push_str("\\n"),
            '\r' => {}
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Writes a line, folded so that no part of it has more than 75 bytes (RFC 2426, section 2.6).
fn property(name: &str, value: &str, out: &mut Vec<u8>) {
    let mut length = 0;
    for letter in format!("{name}:{value}").chars() {
        if length + letter.len_utf8() > 75 {
            out.extend_from_slice(b"\r\n ");
            length = 1;
        }
        out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        length += letter.len_utf8();
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lead::LEAD;

    fn record(json: &str) -> Record {
        Record::from_json(&LEAD, json.as_bytes()).unwrap()
    }

    fn exported(records: &[Record], format: ExportFormat) -> String {
        let mut columns = OwnColumns::default();
        assert!(records.iter().all(|record| columns.add(&LEAD, record)));
        let mut exporter = Exporter::new(Vec::new(), &LEAD, format, columns).unwrap();
        for record in records {
            assert!(exporter.record(record).unwrap());
        }
        let (count, bytes) = exporter.end().unwrap();
        assert_eq!(count, records.len() as u64);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn each_own_field_has_a_column() {
        let records = [
            record(
                r#"{"id":1,"email":"a@b.de","name":"=1+1","status":"new","attributes":{"zip":"012","size":1.50}}"#,
            ),
            record(
                r#"{"id":2,"email":"c@d.de","name":null,"status":"new","attributes":{"size":"big","x":"-1"}}"#,
            ),
        ];
        assert_eq!(
            exported(&records, ExportFormat::Csv(false)),
            "id,email,name,status,attributes.zip,attributes.size:=,attributes.x,last_action_at,created_at,updated_at\n\
             1,a@b.de,=1+1,new,012,1.50,,,,\n\
             2,c@d.de,,new,,\"\"\"big\"\"\",-1,,,\n"
        );
        let safe = exported(&records, ExportFormat::Csv(true));
        assert!(
            safe.starts_with("\u{feff}id,") && safe.contains(",'=1+1,") && safe.contains(",'-1,"),
            "{safe}"
        );
        assert_eq!(exported(&[], ExportFormat::Json), "[]\n");
    }

    #[test]
    fn a_card_is_folded_and_has_all() {
        let long = "ü".repeat(60);
        let record = record(&format!(
            r#"{{"id":1,"email":"a@b.de","name":"Ada, Countess\nLovelace","status":"won","attributes":{{"company":"{long}","n":1}}}}"#
        ));
        let card = exported(&[record], ExportFormat::Vcard);
        assert!(card.lines().all(|line| line.len() <= 75), "{card}");
        assert!(card.contains("FN:Ada\\, Countess\\nLovelace\r\n"), "{card}");
        assert!(card.contains("X-CRM-STATUS:won\r\n"), "{card}");
        assert!(
            card.replace("\r\n ", "").contains("\\,\"n\":1}\r\n"),
            "{card}"
        );
    }
}
