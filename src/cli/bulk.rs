//! `crm NOUN create` and `update` with a file of several records: they are sent as one [bulk request](crate::ops::bulk).
//!
//! The file is read while the answers are printed, so its size does not matter. Each record is written by itself. Those that
//! are refused are told with their lines, and the others are written.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::objects::{Objects, OneObject};
use super::records::{name_of, named_error};
use super::say::{complain, say};
use super::session::Ended;
use crate::base::error::{Error, Result};
use crate::config::Format;
use crate::model::author::Author;
use crate::model::draft::{Draft, Purpose};
use crate::model::noun::Noun;
use crate::model::record::{LARGEST, ROOM, Record};
use crate::model::value::Value;
use crate::operation::about::fill;
use crate::ops::bulk::{Bulk, BulkRequest, Counts, Done, End, LineAnswer, Told, open};
use crate::output::{Printer, Stop};
use crate::store::any::AnyStore;

/// The size of the lines that are sent at once, in bytes.
const SENT: usize = 64 * 1024;

/// How many such pieces wait to be sent.
const WAITING: usize = 4;

/// The most levels of a record.
const DEPTH: usize = 127;

/// Records in a file.
pub(super) struct RecordFile {
    path: PathBuf,
    objects: Objects<Box<dyn Read + Send>>,
    /// Objects that were read to see how many there are.
    first: VecDeque<OneObject>,
}

/// What a file has.
pub(super) enum InFile {
    /// One record.
    One(Draft),
    /// Several, or a list.
    Many(RecordFile),
}

/// What the reader of the file shares with the printer of the answers.
#[derive(Default)]
struct Shared {
    /// The lines of the records that are not answered yet.
    lines: VecDeque<u64>,
    /// Why the rest of the file cannot be read.
    fault: Option<Error>,
}

impl RecordFile {
    /// Opens a file, and looks how many records it has. With `is_list`, one record is a list too.
    pub(super) fn open(
        noun: &'static Noun,
        path: &Path,
        purpose: Purpose,
        is_list: bool,
    ) -> Result<InFile> {
        let named = |error: Error| named_error(path, error);
        let input: Box<dyn Read + Send> = match path.as_os_str() == "-" {
            true => Box::new(io::stdin()),
            false => {
                let file = File::open(path);
                Box::new(file.map_err(|error| named(Error::failed(error.to_string())))?)
            }
        };
        let mut objects = Objects::new(input, noun, purpose).map_err(named)?;
        let is_list = is_list || objects.is_array;
        let first = objects.next().map_err(named)?;
        let Some(first) = first else {
            return Ok(InFile::Many(RecordFile {
                path: path.into(),
                objects,
                first: VecDeque::new(),
            }));
        };
        if is_list {
            return Ok(InFile::Many(RecordFile {
                path: path.into(),
                objects,
                first: VecDeque::from([first]),
            }));
        }
        Ok(match objects.next().map_err(named)? {
            None => {
                let drafts = super::records::parse(noun, &first.text, purpose);
                let draft = drafts.map_err(named)?.into_iter().next();
                InFile::One(draft.ok_or_else(|| Error::internal("a record was lost"))?)
            }
            Some(second) => InFile::Many(RecordFile {
                path: path.into(),
                objects,
                first: VecDeque::from([first, second]),
            }),
        })
    }

    fn next(&mut self) -> Result<Option<OneObject>> {
        match self.first.pop_front() {
            Some(object) => Ok(Some(object)),
            None => self.objects.next(),
        }
    }

    /// Reads the file to its end, and sends the lines of a bulk request.
    fn send(mut self, op: Purpose, lines: &mpsc::Sender<Bytes>, shared: &Mutex<Shared>) {
        let mut text = Vec::new();
        loop {
            let object = match self.next() {
                Ok(Some(object)) => object,
                Ok(None) => break,
                Err(error) => {
                    lock(shared).fault = Some(error);
                    break;
                }
            };
            write_line(op, &object.text, &mut text);
            lock(shared).lines.push_back(object.line);
            let goes_on = !self.first.is_empty() || self.objects.is_buffered();
            if text.len() < SENT && goes_on {
                continue;
            }
            // Sending fails if the command has ended.
            if lines
                .blocking_send(std::mem::take(&mut text).into())
                .is_err()
            {
                return;
            }
        }
        let _ = lines.blocking_send(text.into());
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes the line of a bulk request for a record.
fn write_line(purpose: Purpose, record: &[u8], out: &mut Vec<u8>) {
    #[derive(Deserialize)]
    struct WithId<'a> {
        #[serde(borrow, default)]
        id: Option<&'a RawValue>,
    }
    out.extend_from_slice(match purpose {
        Purpose::Create => b"{\"op\":\"create\"",
        Purpose::Update => b"{\"op\":\"update\"",
    });
    if purpose == Purpose::Update
        && let Ok(WithId { id: Some(id) }) = serde_json::from_slice(record)
    {
        out.extend_from_slice(b",\"id\":");
        out.extend_from_slice(id.get().as_bytes());
    }
    out.extend_from_slice(b",\"data\":");
    out.extend_from_slice(record);
    out.extend_from_slice(b"}\n");
}

/// What a bulk command is about.
pub(super) struct BulkCommand<'a> {
    pub(super) noun: &'static Noun,
    pub(super) purpose: Purpose,
    pub(super) parameters: &'a [(String, String)],
    pub(super) author: &'a Author,
    pub(super) format: Format,
}

/// Writes the records of a file, and prints them.
pub(super) async fn bulk<W: io::Write>(
    store: &AnyStore,
    command: BulkCommand<'_>,
    file: RecordFile,
    mut printer: Printer<W>,
) -> Ended {
    let BulkCommand {
        noun,
        purpose,
        format,
        ..
    } = command;
    let name = name_of(&file.path);
    let mut parameters = command.parameters.to_vec();
    if format != Format::Id {
        parameters.push(("answers".into(), "records".into()));
    }
    if Bulk::ABOUT.reads_times(Some(noun)) {
        // JSON is in UTC wherever it is printed, so it is read in UTC too.
        parameters.push(("tz".into(), "UTC".into()));
    }
    let request = BulkRequest {
        noun,
        parameters,
        zone: crate::base::time::Zone::UTC,
        author: Author {
            operation: fill(Bulk::ABOUT.methods[0].1, Some(noun)).into(),
            ..command.author.clone()
        },
        key: None,
        bytes: LARGEST + ROOM,
        depth: DEPTH,
    };
    let shared: Arc<Mutex<Shared>> = Arc::default();
    let (lines, input) = mpsc::channel(WAITING);
    let of_reader = shared.clone();
    // A read of a terminal or a pipe may never end, so nobody waits for this thread.
    std::thread::spawn(move || file.send(purpose, &lines, &of_reader));
    let input = stream::unfold(input, |mut input| async move {
        Some((Ok(input.recv().await?), input))
    });
    let mut answers = open(store, request, Box::pin(input)).await?;
    let (mut code, mut text, mut end) = (0, Vec::new(), None);
    while let Some(part) = answers.next().await {
        text.extend_from_slice(&part?);
        while let Some(at) = text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = text.drain(..=at).collect();
            if line.trim_ascii().is_empty() {
                continue;
            }
            match Told::parse(&line).ok_or_else(strange)? {
                Told::End(told) => end = Some(told),
                Told::Line(answer) => {
                    let at = lock(&shared).lines.pop_front().unwrap_or(answer.line);
                    if let Err(mut error) = answer.result {
                        let told = error.message.strip_prefix("data: ");
                        let told = told.unwrap_or(&error.message);
                        error.message = format!("{name}: line {at}: {told}");
                        printer.flush()?;
                        complain(format, &error);
                        code = if code == 0 { error.code.exit() } else { code };
                        continue;
                    }
                    match record(noun, &answer)? {
                        Some(record) => printer.record(&record)?,
                        None => gone(noun, &answer),
                    }
                }
            }
        }
    }
    printer.finish()?;
    let end = end.ok_or_else(|| {
        Error::new(
            crate::base::error::Code::Unreachable,
            "the answers broke off; what was printed is saved",
        )
    })?;
    summary(
        noun,
        &end,
        code != 0 || end.counts.created < end.counts.lines,
    );
    let fault = lock(&shared).fault.take();
    match end
        .error
        .or_else(|| fault.map(|fault| named_fault(&name, fault)))
    {
        Some(mut error) => {
            if end.counts.lines > 0 {
                error.message += "; what was printed before is saved";
            }
            Err(error.into())
        }
        None => Ok(code),
    }
}

fn named_fault(name: &str, mut fault: Error) -> Error {
    fault.message = format!("{name}: {}", fault.message);
    fault
}

fn strange() -> Stop {
    Error::new(
        crate::base::error::Code::Unreachable,
        "the answers are not those of a crm server",
    )
    .into()
}

/// The record of an answer. `None` if it was deleted meanwhile.
fn record(noun: &'static Noun, answer: &LineAnswer) -> Result<Option<Record>, Stop> {
    let id = answer.id.unwrap_or_default();
    match &answer.data {
        // Only the ids are printed.
        None => {
            let mut values = vec![Value::Null; noun.fields.len()];
            values[0] = Value::Int(id);
            Ok(Some(Record { noun, values }))
        }
        Some(data) if data == "null" => Ok(None),
        Some(data) => match Record::from_json(noun, data.as_bytes()) {
            Some(record) => Ok(Some(record)),
            None => Err(strange()),
        },
    }
}

fn gone(noun: &'static Noun, answer: &LineAnswer) {
    if let (Some(id), Ok(done)) = (answer.id, &answer.result) {
        let name = noun.name;
        say(&format!(
            "note: {name} {id} was {}, and is deleted since",
            done.word()
        ));
    }
}

/// Says what was done, if a person is there or if it is not what everybody expects.
fn summary(noun: &'static Noun, end: &End, is_mixed: bool) {
    if !is_mixed && !io::stderr().is_terminal() {
        return;
    }
    let Counts {
        created,
        updated,
        unchanged,
        skipped,
        refused,
        ..
    } = end.counts;
    let counts = [
        (Done::Created.word(), created),
        (Done::Updated.word(), updated),
        (Done::Unchanged.word(), unchanged),
        (Done::Skipped.word(), skipped),
        ("refused", refused),
    ];
    let told = counts.iter().filter(|(_, count)| *count > 0);
    let told: Vec<String> = told
        .map(|(word, count)| format!("{word} {count}"))
        .collect();
    let told = match told.is_empty() {
        true => format!("no {}", noun.plural),
        false => told.join(", "),
    };
    let undo = match end.group {
        Some(group) if created + updated > 0 => {
            format!("; take it back with: crm undo {group}")
        }
        _ => String::new(),
    };
    say(&format!("note: {told}{undo}"));
}
