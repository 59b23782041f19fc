//! Tests of the readers together: a file in, records out.

use std::io::Write as _;
use std::path::Path;

use super::draft::Key;
use super::format::FileFormat;
use super::known::Program;
use super::opened::{Opened, Said};
use super::rejects::Rejects;
use crate::base::time::Zone;
use crate::model::lead::LEAD;
use crate::model::noun::Noun;
use crate::model::process::PROCESS;

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file.flush().unwrap();
    file
}

fn opened(path: &Path, said: &Said) -> Opened {
    Opened::open(path, &LEAD, said, &Zone::named("Europe/Berlin").unwrap()).unwrap()
}

/// The records of a file as JSON, and the reasons of the rows that are refused, with their lines.
fn records(bytes: &[u8], said: &Said) -> (Opened, Vec<String>) {
    let file = file(bytes);
    let mut opened = opened(file.path(), said);
    let mut rows = opened.rows().unwrap();
    let mut told = Vec::new();
    while let Some(row) = rows.next_row().unwrap() {
        let columns = rows.columns().clone();
        told.push(match opened.make(&columns, &Key::Email, &row) {
            Ok(made) => made.draft.to_json(),
            Err(refusal) => format!("{}: {}", row.line, refusal.told()),
        });
    }
    (opened, told)
}

fn told(text: &str) -> Vec<String> {
    records(text.as_bytes(), &Said::default()).1
}

#[test]
fn a_csv_of_hubspot_becomes_records() {
    let text = "Record ID,First Name,Last Name,Email,Phone Number,Contact owner,Associated Company,Lead Status,Create Date\r\n\
        101,Jürgen,Groß,\"J.Gross@Example.com\",+49 171 1,\"Meier, Eva\",\"Groß & \"\"Söhne\"\"; KG\",NEW,2024-07-15 14:32\r\n\
        102,Ada,,ada@example.com,,,\"Two\nlines\",,\r\n\
        103,No,Address,,,,,,\r\n\
        104,Bad,Address,bad@,,,,,\r\n\
        105,Too,Short,short@example.com\r\n\
        106,Too,Long,long@example.com,,,,,,more\r\n\
        ,,,,,,,,\r\n\
        \r\n";
    assert_eq!(
        told(text),
        [
            r#"{"email":"j.gross@example.com","status":"NEW","name":"Jürgen Groß","attributes":{"hubspot_id":"101","phone":"+49 171 1","Contact owner":"Meier, Eva","company":"Groß & \"Söhne\"; KG","created_at":"2024-07-15 12:32:00"}}"#,
            r#"{"email":"ada@example.com","name":"Ada","attributes":{"hubspot_id":"102","company":"Two\nlines"}}"#,
            "5: has no e-mail address",
            "6: email: expected an e-mail address like ada@example.com, got \"bad@\"",
            "7: has 4 cells, but the header has 9; a line break or a delimiter may be missing",
            "8: has 10 cells, but the header has 9",
        ]
    );
}

#[test]
fn several_columns_for_one_place_lose_nothing() {
    let text = "Person - Name,Person - First name,Person - Last name,Person - Email - Home,Person - Email - Work,Person - Phone - Work\n\
        Dr. Ada Lovelace,Ada,Lovelace,home@example.com,work@example.com,1\n\
        Ada King,Ada,Lovelace,home@example.com,,2\n\
        ,Ada,Lovelace,same@example.com,same@example.com,\n\
        Bob,,,,\"b@example.com, c@example.com\",\n";
    assert_eq!(
        told(text),
        [
            r#"{"email":"work@example.com","name":"Dr. Ada Lovelace","attributes":{"phone":"1","Person - Email - Home":"home@example.com"}}"#,
            r#"{"email":"home@example.com","name":"Ada King","attributes":{"phone":"2","last_name":"Lovelace"}}"#,
            r#"{"email":"same@example.com","name":"Ada Lovelace"}"#,
            r#"{"email":"b@example.com","name":"Bob","attributes":{"other_emails":"c@example.com"}}"#,
        ]
    );
}

#[test]
fn semicolons_tabs_and_encodings_are_found() {
    let text = "E-Mail;Vorname;Nachname;Firma\nj@example.com;Jürgen;Groß;\"A;B\"\n";
    let windows = encoding_rs::WINDOWS_1252.encode(text).0.into_owned();
    let utf16: Vec<u8> = "\u{feff}"
        .chars()
        .chain(text.replace(';', "\t").chars())
        .collect::<String>()
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let expected = |company: &str| {
        format!(
            r#"{{"email":"j@example.com","name":"Jürgen Groß","attributes":{{"company":"{company}"}}}}"#
        )
    };
    let (opened, told) = records(&windows, &Said::default());
    assert_eq!(told, [expected("A;B")]);
    assert!(
        opened
            .told()
            .ends_with(" is CSV with semicolons in Windows-1252"),
        "{}",
        opened.told()
    );
    let (opened, told) = records(&utf16, &Said::default());
    assert_eq!(told, [expected("A\\tB")]);
    assert!(
        opened.told().ends_with(" is CSV with tabs in UTF-16LE"),
        "{}",
        opened.told()
    );
}

#[test]
fn json_in_all_its_forms() {
    let one = r#"{"email": "a@example.com", "name": null, "company": "A, {B}", "size": 12.50}"#;
    let record = r#"{"email":"a@example.com","attributes":{"company":"A, {B}","size":12.50}}"#;
    for text in [
        one.to_string(),
        format!("{one}\n{one}\n"),
        format!("[{one},{one}]"),
        format!("[\n  {one},\n  {one}\n]\n"),
        format!("{}\n{}", one.replace(", ", ",\n"), one),
    ] {
        // The text of the company has a comma too, which is no place for a line break.
        let text = text.replace("A,\n{B}", "A, {B}");
        let told = told(&text);
        assert!(
            !told.is_empty() && told.iter().all(|told| told == record),
            "{text}: {told:?}"
        );
    }
    let bad = format!("{one}\n{{\"email\": 1}}\n{{\"email\"\n[1]\n{one}\n");
    assert_eq!(
        told(&bad)[1..4],
        [
            "2: email: expected an e-mail address like ada@example.com, got a number",
            "3: is not well-formed JSON (EOF while parsing an object)",
            "4: expected a JSON object",
        ]
    );
    let array = told(&format!("[{one}, 7, {{\"a\": }}, {one}]"));
    assert_eq!(array.len(), 4);
    assert_eq!((&*array[0], &*array[3]), (record, record));
    assert_eq!(array[1], "1: expected a JSON object");
}

#[test]
fn vcards_of_all_versions() {
    let text = "BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Gro=C3=9F;J=C3=BCrgen;;Dr.;\r\n\
        FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=BCrgen =\r\nGro=C3=9F\r\n\
        TEL;CELL;VOICE:+49 171 1\r\nEMAIL;PREF;INTERNET:j@example.com\r\nPHOTO;ENCODING=BASE64;JPEG:\r\n AAAA\r\n\r\nEND:VCARD\r\n\
        BEGIN:VCARD\r\nVERSION:3.0\r\nPRODID:-//Apple Inc.//iOS 17.0//EN\r\nN:Lovelace;Ada;;;\r\nFN:Ada Lovelace\r\n\
        ORG:Analytical\\, Ltd.;Engines;\r\nitem1.EMAIL;type=INTERNET:second@example.com\r\nitem1.X-ABLabel:_$!<Other>!$_\r\n\
        EMAIL;type=INTERNET;type=pref:ada@example.com\r\nTEL;type=CELL;type=VOICE;type=pref:1\r\n\
        item2.ADR;type=HOME:;;12 St. James;London;;SW1;UK\r\nNOTE:One\\nlong\r\n er line\r\nEND:VCARD\r\n\
        BEGIN:VCARD\nVERSION:4.0\nFN:Bob\nEMAIL;PREF=2:no@example.com\nEMAIL;PREF=1:bob@example.com\n\
        TEL;VALUE=uri;TYPE=\"voice,work\":tel:+1-2\nEND:VCARD\n\
        rubbish\n\
        BEGIN:VCARD\nVERSION:3.0\nFN:Team\nX-ADDRESSBOOKSERVER-KIND:group\nEND:VCARD\n\
        BEGIN:VCARD\nVERSION:3.0\nFN:Cut off\n";
    let (opened, told) = records(text.as_bytes(), &Said::default());
    assert_eq!(
        (opened.format, opened.program),
        (FileFormat::Vcard, Program::Apple)
    );
    assert_eq!(
        told,
        [
            r#"{"email":"j@example.com","name":"Jürgen Groß","attributes":{"salutation":"Dr.","mobile":"+49 171 1"}}"#,
            r#"{"email":"ada@example.com","name":"Ada Lovelace","attributes":{"company":"Analytical, Ltd.","department":"Engines","ADR HOME":"12 St. James, London, SW1, UK","note":"One\nlonger line","mobile":"1","EMAIL (2)":"second@example.com"}}"#,
            r#"{"email":"bob@example.com","name":"Bob","attributes":{"EMAIL (2)":"no@example.com","phone":"+1-2"}}"#,
            "33: is outside of BEGIN:VCARD and END:VCARD",
            "34: is a group of contacts, not a person",
            "39: END:VCARD is missing; the file may be cut off",
        ]
    );
}

#[test]
fn what_crm_writes_is_read_as_it_was() {
    let csv = "id,email,name,status,attributes.size:=,attributes.zip,last_action_at,created_at,updated_at\n\
        7,a@example.com,Ada,new,\"{\"\"a\"\":[1,2.0]}\",012,,2026-01-31 09:30:00,2026-01-31 09:30:00\n\
        8,b@example.com,,won,x,,,2026-01-31 09:30:00,2026-01-31 09:30:00\n";
    let (opened, told) = records(csv.as_bytes(), &Said::default());
    assert_eq!(opened.program, Program::Crm);
    assert_eq!(
        told[0],
        r#"{"email":"a@example.com","status":"new","name":"Ada","attributes":{"size":{"a":[1,2.0]},"zip":"012"}}"#
    );
    assert!(
        told[1].starts_with("3: attributes.size: expected JSON"),
        "{}",
        told[1]
    );
    let json = r#"{"id":7,"email":"a@example.com","name":null,"status":"new","attributes":{"n":1.0,"e":""},"last_action_at":null,"created_at":"2026-01-31 09:30:00","updated_at":"2026-01-31 09:30:00"}"#;
    let (opened, told) = records(json.as_bytes(), &Said::default());
    assert_eq!(opened.program, Program::Crm);
    assert_eq!(
        told,
        [r#"{"email":"a@example.com","status":"new","attributes":{"n":1.0,"e":""}}"#]
    );
}

#[test]
fn times_are_in_the_zone_of_the_command() {
    let csv =
        b"lead,name,next,channel\n1,Sale,2026-07-01 09:00,mail\n2,Sale,31.12.2026,\nx,Sale,soon,\n";
    let file = file(csv);
    let zone = Zone::named("Europe/Berlin").unwrap();
    let noun: &'static Noun = &PROCESS;
    let mut opened = Opened::open(file.path(), noun, &Said::default(), &zone).unwrap();
    let mut rows = opened.rows().unwrap();
    let mut told = Vec::new();
    while let Some(row) = rows.next_row().unwrap() {
        let columns = rows.columns().clone();
        told.push(match opened.make(&columns, &Key::None, &row) {
            Ok(made) => made.draft.to_json(),
            Err(refusal) => refusal.told().to_string(),
        });
    }
    assert_eq!(
        told[0],
        r#"{"lead_id":1,"next_followup_datetime":"2026-07-01 07:00:00Z","channel":"mail","name":"Sale"}"#
    );
    assert!(told[1].contains("2026-12-30 23:00:00Z"), "{}", told[1]);
    assert!(
        told[2].contains("lead_id: ") && told[2].contains("next_followup_datetime: "),
        "{}",
        told[2]
    );
}

/// Refuses all rows of a file, and returns the file of rejects.
fn rejects(bytes: &[u8]) -> String {
    let file = file(bytes);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rejects");
    let opened = opened(file.path(), &Said::default());
    let mut rows = opened.rows().unwrap();
    let mut rejects = Rejects::new(&path, opened.format);
    while let Some(row) = rows.next_row().unwrap() {
        let columns = rows.columns().clone();
        rejects.add(&columns, &row, "why; not, \"this\"").unwrap();
    }
    rejects.end().unwrap();
    std::fs::read_to_string(path).unwrap()
}

/// What a file of vCards says, in both ways.
#[test]
fn a_card_of_crm_keeps_all() {
    let card = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:a@example.com\r\nN:;;;;\r\nEMAIL;TYPE=INTERNET:a@example.com\r\nTEL:42\r\n\
        X-CRM-STATUS:won\r\nX-CRM-ATTRIBUTES:{\"phone\":42\\,\"x\":[1\\,null]}\r\nEND:VCARD\r\n";
    assert_eq!(
        told(card),
        [r#"{"status":"won","email":"a@example.com","attributes":{"phone":42,"x":[1,null]}}"#]
    );
}

#[test]
fn rejects_can_be_imported_again() {
    let csv = "email;name\na@example.com;\"Ada; \"\"L\"\"\nx\"\nshort\n";
    let again = rejects(csv.as_bytes());
    assert_eq!(
        again,
        "\u{feff}crm_refused;email;name\n\"why; not, \"\"this\"\"\";a@example.com;\"Ada; \"\"L\"\"\nx\"\n\"why; not, \"\"this\"\"\";short;\n"
    );
    // A second round has one reason, not two.
    assert_eq!(rejects(again.as_bytes()), again);
    let told = told(&again);
    assert_eq!(
        told[0],
        r#"{"email":"a@example.com","name":"Ada; \"L\"\nx"}"#
    );
    let json = "{\"email\": \"a@example.com\"}\nrubbish\n";
    let again = rejects(json.as_bytes());
    assert!(
        again.starts_with(
            "{\"crm_refused\": \"why; not, \\\"this\\\"\", \"email\": \"a@example.com\"}\n"
        ),
        "{again}"
    );
    let told = super::tests::told(&again);
    assert_eq!(told[0], r#"{"email":"a@example.com"}"#);
    assert!(told[1].contains("mend the line"), "{}", told[1]);
    let card = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada\r\nEMAIL:a@example.com\r\nEND:VCARD\r\n";
    let again = rejects(card.as_bytes());
    assert!(
        again.contains("BEGIN:VCARD\r\nX-CRM-REFUSED:why  not  \"this\"\r\nVERSION:3.0\r\n"),
        "{again}"
    );
    assert_eq!(rejects(again.as_bytes()), again);
    assert_eq!(super::tests::told(&again), told_of(card));
}

fn told_of(text: &str) -> Vec<String> {
    told(text)
}

#[test]
fn a_file_without_a_header_is_refused() {
    for (bytes, told) in [
        (
            &b"a@example.com,Ada\nb@example.com,Bob\n"[..],
            "expected the names of the columns in the first row",
        ),
        (b"", "an empty file"),
        (b"PK\x03\x04abc", "Excel"),
    ] {
        let file = file(bytes);
        let refused = Opened::open(file.path(), &LEAD, &Said::default(), &Zone::UTC)
            .err()
            .unwrap();
        assert!(refused.message.contains(told), "{}", refused.message);
    }
}

#[test]
fn a_quotation_mark_that_is_not_closed_does_not_fill_the_memory() {
    let mut text = b"email,name\na@example.com,\"open\n".to_vec();
    text.extend(b"b@example.com,x\n".repeat(800_000));
    let file = file(&text);
    let opened = opened(file.path(), &Said::default());
    let mut rows = opened.rows().unwrap();
    let error = loop {
        match rows.next_row() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it was read"),
            Err(error) => break error,
        }
    };
    assert!(
        error
            .message
            .contains("line 2: expected rows of at most 8 MiB"),
        "{}",
        error.message
    );
}

/// Pieces of files of all formats.
const PIECES: [&str; 36] = [
    "BEGIN:VCARD\n",
    "END:VCARD\n",
    "VERSION:2.1\n",
    "VERSION:4.0\n",
    "FN:Ada\n",
    "N:a;b;;\n",
    "EMAIL;PREF:a@b.de\n",
    "NOTE;ENCODING=QUOTED-PRINTABLE:=C3=\n",
    "item1.TEL;TYPE=\"x,y\":1\n",
    " folded\n",
    "ADR:;;;;;;\n",
    "AGENT:\n",
    "{",
    "}",
    "[",
    "]",
    "\"",
    ",",
    ";",
    "\t",
    "\n",
    "\r\n",
    "email",
    "\"email\":",
    "a@b.de",
    ":",
    "=",
    "\\",
    "null",
    "1.5e3",
    "ä",
    "\u{feff}",
    "attributes.x:=",
    "crm_refused",
    "'=1",
    " ",
];

proptest::proptest! {
    /// Whatever a file has in it, it is read to its end or refused with a sentence; each row is a record or has a reason, and
    /// can be written to the rejects.
    #[test]
    fn any_file_is_read_or_refused(
        places in proptest::collection::vec(0..PIECES.len(), 0..40),
        noise in proptest::collection::vec(proptest::num::u8::ANY, 0..4),
    ) {
        let mut bytes: Vec<u8> = places.iter().flat_map(|at| PIECES[*at].bytes()).collect();
        bytes.extend(noise);
        let file = file(&bytes);
        let mut opened = match Opened::open(file.path(), &LEAD, &Said::default(), &Zone::UTC) {
            Ok(opened) => opened,
            Err(error) => {
                assert!(!error.message.is_empty());
                return Ok(());
            }
        };
        let folder = tempfile::tempdir().unwrap();
        let mut rejects = Rejects::new(&folder.path().join("rejects"), opened.format);
        let mut rows = opened.rows().unwrap();
        let mut line = 0;
        while let Ok(Some(row)) = rows.next_row() {
            assert!(row.line >= line && row.line as usize <= bytes.len() + 1);
            line = row.line;
            assert!(row.fault.is_none() || row.cells.is_empty());
            let columns = rows.columns().clone();
            let reason = match opened.make(&columns, &Key::Email, &row) {
                Ok(made) => made.key.unwrap_or_default(),
                Err(refusal) => refusal.told().to_string(),
            };
            assert!(!reason.is_empty());
            rejects.add(&columns, &row, &reason).unwrap();
        }
        rejects.end().unwrap();
    }
}
