//! Reads the records of `--json`: from a file, or from standard input.
//!
//! It takes what `get -o json` and `list -o ndjson` print: one JSON object, or for a create several, one after the other.
//! All of them are read and checked before the first is created. The errors name the file, and tell apart what people
//! most often give instead of an object.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::value::RawValue;

use crate::base::error::{Error, Result};
use crate::model::draft::{Draft, Purpose};
use crate::model::noun::Noun;
use crate::model::record::{LARGEST, too_large};

/// The most bytes that are read. All records are in memory before the first is written.
const MOST: u64 = 64 << 20;

/// The byte order mark, which some programs write before a text.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// How errors name a file. `-` is standard input.
pub(super) fn name_of(path: &Path) -> String {
    match path.as_os_str() == "-" {
        true => "standard input".into(),
        false => path.display().to_string(),
    }
}

/// Reads the records of a file. An update takes exactly one.
pub(super) fn read(noun: &'static Noun, path: &Path, purpose: Purpose) -> Result<Vec<Draft>> {
    let name = name_of(path);
    let mut bytes = Vec::new();
    let read = match path.as_os_str() == "-" {
        true => io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes),
        false => File::open(path).and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes)),
    };
    read.map_err(|error| Error::failed(format!("{name}: {error}")))?;
    if bytes.len() as u64 > MOST {
        let most = MOST >> 20;
        return Err(Error::invalid(format!(
            "{name}: expected at most {most} MiB; split the file"
        )));
    }
    parse(noun, &bytes, purpose).map_err(|mut error| {
        error.message = format!("{name}: {}", error.message);
        error
    })
}

/// An error about a file, which it names.
pub(super) fn named_error(path: &Path, mut error: Error) -> Error {
    error.message = format!("{}: {}", name_of(path), error.message);
    error
}

/// Reads the records of a text.
pub(super) fn parse(noun: &'static Noun, bytes: &[u8], purpose: Purpose) -> Result<Vec<Draft>> {
    let refuse = |got: &str| Err(Error::invalid(format!("expected a JSON object, got {got}")));
    if bytes.starts_with(MARK) {
        return refuse("a byte order mark before it; save the file as UTF-8 without one");
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return refuse("UTF-16; save the file as UTF-8");
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return refuse("bytes that are not UTF-8 text");
    };
    match text.trim_start().chars().next() {
        Some('{') => {}
        None => return refuse("nothing: it is empty"),
        Some('[') => {
            return refuse(
                "an array; give the objects one after the other, as `-o ndjson` prints them and `jq -c '.[]'` makes them",
            );
        }
        Some(_) => return refuse(other(text)),
    }
    let mut records = Vec::new();
    let mut objects = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let mut from = 0;
    while let Some(object) = objects.next() {
        let at = from + text[from..].len() - text[from..].trim_start().len();
        let line = 1 + text[..at].matches('\n').count();
        // A single record is named by its file alone.
        let is_more = from > 0 || !text[objects.byte_offset().max(at)..].trim().is_empty();
        let place = match is_more {
            true => format!("line {line}: "),
            false => String::new(),
        };
        let placed = |mut error: Error| {
            let told = &error.message;
            let told = told.strip_prefix("body: ").unwrap_or(told);
            error.message = format!("{place}{told}");
            error
        };
        let object = match object {
            Ok(object) => object.get(),
            Err(error) => {
                // The error of a draft is in the words of the API, and says where in the text it is.
                let whole = Draft::from_json(noun, &text.as_bytes()[at..], purpose);
                let told = whole.err().map(|error| error.message);
                return Err(placed(Error::invalid(
                    told.unwrap_or_else(|| error.to_string()),
                )));
            }
        };
        from = objects.byte_offset();
        if !object.starts_with('{') {
            return Err(placed(Error::invalid(format!(
                "expected a JSON object, got {}",
                other(object)
            ))));
        }
        let mut draft = Draft::from_json(noun, object.as_bytes(), purpose).map_err(placed)?;
        // JSON is in UTC wherever it is printed, so it is read in UTC too.
        draft.pin_times();
        checked(&draft, purpose).map_err(placed)?;
        if is_more && purpose == Purpose::Create {
            // The database would refuse it only after those before it have been created.
            draft.row().map_err(Error::fields).map_err(placed)?;
        }
        records.push(draft);
    }
    match (purpose, records.len()) {
        (Purpose::Update, got @ 2..) => Err(Error::invalid(format!(
            "expected one JSON object with the changes, got {got}"
        ))),
        _ => Ok(records),
    }
}

/// What a text is that is not an object.
fn other(text: &str) -> &'static str {
    let first = text.trim_start().lines().next().unwrap_or_default();
    match first.chars().next() {
        Some('[') => "an array",
        Some('"') if !first.contains("\",") && first.ends_with('"') => "a JSON text",
        _ if first.contains([',', ';', '\t']) => {
            "what looks like CSV; expected JSON, as `-o json` and `-o ndjson` print it"
        }
        _ => "something else",
    }
}

/// Refuses a draft with a fault that shows without the database.
pub(super) fn checked(draft: &Draft, purpose: Purpose) -> Result<()> {
    draft.readable(purpose)?;
    match draft.to_json().len() > LARGEST {
        true => Err(too_large(LARGEST)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lead::LEAD;

    fn refusal(bytes: &[u8], purpose: Purpose) -> String {
        parse(&LEAD, bytes, purpose).unwrap_err().message
    }

    #[test]
    fn what_is_no_object_is_told_apart() {
        for (bytes, told) in [
            (&b""[..], "nothing"),
            (b" \n", "nothing"),
            (b"[{}]", "an array"),
            (b"\xef\xbb\xbf{}", "byte order mark"),
            (b"\xff\xfe{\0}\0", "UTF-16"),
            (b"{\"name\": \"\xff\"}", "not UTF-8"),
            (b"id,email\n1,ada@example.com\n", "CSV"),
            (b"\"id\",\"email\"\n", "CSV"),
            (b"id;email\n", "CSV"),
            (b"7", "something else"),
        ] {
            let refused = refusal(bytes, Purpose::Create);
            assert!(
                refused.starts_with("expected a JSON object, got ") && refused.contains(told),
                "{refused}"
            );
        }
    }

    #[test]
    fn several_objects_are_several_records() {
        let text = b"{\"email\": \"a@example.com\", \"id\": 7}\n{\n\"email\": \"b@example.com\"}{\"email\":\"c@example.com\"}\n";
        let drafts = parse(&LEAD, text, Purpose::Create).unwrap();
        let addresses: Vec<&str> = drafts.iter().filter_map(|one| one.text("email")).collect();
        assert_eq!(
            addresses,
            ["a@example.com", "b@example.com", "c@example.com"]
        );
        assert!(refusal(b"{\"name\": \"a\"} {\"name\": \"b\"}", Purpose::Update).contains("got 2"));
    }

    #[test]
    fn a_fault_is_told_with_its_line_if_there_are_several_records() {
        let good = "{\"email\": \"a@example.com\"}\n";
        for (bad, told) in [
            ("{\"name\": \"b\"}", "line 2: email: is required"),
            ("{\"email\": 1}", "line 2: email: expected "),
            ("[1]", "line 2: expected a JSON object, got an array"),
            ("{\"email\"", "line 2: "),
        ] {
            let refused = refusal(format!("{good}{bad}\n{good}").as_bytes(), Purpose::Create);
            assert!(refused.starts_with(told), "{refused}");
        }
        let alone = refusal(b"{\"email\": 1}\n", Purpose::Create);
        assert!(alone.starts_with("email: "), "{alone}");
    }
}
