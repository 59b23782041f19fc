//! The log of a service: lines on standard error, as text or as JSON, written in batches by one thread.
//!
//! Whoever has something to say puts it into a buffer and goes on; the thread swaps the buffer for an empty one and
//! writes what was in it. Nobody waits for who reads the log: what does not fit is dropped and counted, and a pipe that
//! is full or closed neither stops the service nor keeps it from ending. Standard error is used by a descriptor of our
//! own, as the standard library's has a lock that a blocked write would keep.
//!
//! Events of `tracing` go the same way, so that no line gets into another.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use prometheus_client::metrics::counter::Counter;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::base::error::{Error, Result};
use crate::base::time;

/// What may wait to be written, in bytes: some 5,000 requests. While it is written, as much again may come to wait.
const ROOM: usize = 1024 * 1024;

/// What of it is only for lines that are about no request, in bytes: the reason of a flood is not lost in it.
const RESERVE: usize = 64 * 1024;

/// What makes the thread write before its pause is over, in bytes.
const MANY: usize = ROOM / 2;

/// The pause after a batch, in which the next one gathers. Waking the thread for each line would cost more than the line.
const PAUSE: Duration = Duration::from_millis(10);

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Time, level, words.
    Text,
    /// One object a line.
    Json,
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How a line is written.
    pub form: Form,
    /// Whether warnings and errors are all that is logged.
    pub quiet: bool,
    /// Takes out of a message what nobody may read.
    pub redact: fn(&str) -> Cow<'_, str>,
}

/// A log.
#[derive(Debug)]
pub struct Log {
    options: Options,
    state: Mutex<State>,
    /// Where the thread waits.
    wake: Condvar,
    /// Where [`Log::end`] waits.
    done: Condvar,
    dropped: Counter,
}

#[derive(Debug, Default)]
struct State {
    /// The lines that wait.
    waiting: Vec<u8>,
    /// Whether the thread waits for the next one.
    is_asleep: bool,
    /// Whether the thread is to end when nothing waits any more.
    is_ending: bool,
    has_ended: bool,
}

static LOG: OnceLock<Arc<Log>> = OnceLock::new();

/// Begins the log of this process, on standard error. To be called once.
pub fn begin(options: Options) -> Result<()> {
    let failed = |error: io::Error| Error::failed(format!("cannot write a log: {error}"));
    let stderr = io::stderr().as_fd().try_clone_to_owned().map_err(failed)?;
    let log = Log::start(options, File::from(stderr)).map_err(failed)?;
    LOG.set(log)
        .map_err(|_| Error::internal("the log was begun twice"))?;
    let most = match options.quiet {
        true => LevelFilter::WARN,
        false => LevelFilter::INFO,
    };
    let events = tracing_subscriber::registry().with(Events.with_filter(most));
    tracing::subscriber::set_global_default(events).map_err(Error::internal)
}

/// The log of this process, `None` where it has none: every command but `crm serve`.
pub fn current() -> Option<&'static Log> {
    LOG.get().map(Arc::as_ref)
}

/// The lines that were dropped so far, as they did not fit or could not be written.
pub fn dropped() -> Counter {
    current().map_or_else(Counter::default, |log| log.dropped.clone())
}

/// Writes what still waits, and ends. Waits no longer than `patience` for who reads the log.
pub fn end(patience: Duration) {
    if let Some(log) = current() {
        log.end(patience);
    }
}

impl Log {
    fn start(options: Options, to: impl Write + Send + 'static) -> io::Result<Arc<Log>> {
        let log = Arc::new(Log {
            options,
            state: Mutex::default(),
            wake: Condvar::new(),
            done: Condvar::new(),
            dropped: Counter::default(),
        });
        let own = log.clone();
        std::thread::Builder::new()
            .name("crm-log".into())
            .spawn(move || own.work_off(to))?;
        Ok(log)
    }

    /// Logs a request, of which `write` writes the rest of the line, unless the log is quiet: in JSON members of an object
    /// with a comma before each.
    pub fn request(&self, write: impl FnOnce(Form, &mut Vec<u8>)) {
        if !self.options.quiet {
            self.line(Level::INFO, ROOM - RESERVE, write);
        }
    }

    /// Logs a message, whatever its level.
    pub fn message(&self, level: Level, message: &str) {
        let message = (self.options.redact)(message);
        self.line(level, ROOM, |form, line| match form {
            Form::Text => {
                line.push(b' ');
                plain(line, &message);
            }
            Form::Json => member(line, "message", &message),
        });
    }

    /// How its lines are written.
    pub fn form(&self) -> Form {
        self.options.form
    }

    /// Logs what any command would say on standard error: in text as it is, in JSON as a message, whose level its first
    /// word is.
    pub fn say(&self, text: &str) {
        match self.options.form {
            Form::Json => match text.split_once(": ") {
                Some(("note", text)) => self.message(Level::INFO, text),
                Some(("warning", text)) => self.message(Level::WARN, text),
                Some(("error", text)) => self.message(Level::ERROR, text),
                _ => self.message(Level::WARN, text),
            },
            Form::Text => self.push(format!("{text}\n").as_bytes(), ROOM),
        }
    }

    /// Puts a line into the buffer, as long as that holds no more than `most` bytes with it.
    fn line(&self, level: Level, most: usize, write: impl FnOnce(Form, &mut Vec<u8>)) {
        thread_local! {
            static SCRATCH: RefCell<Scratch> = RefCell::default();
        }
        let form = self.options.form;
        let done = SCRATCH.with(|scratch| {
            // What logs while it writes a line has none to write into.
            let Ok(mut scratch) = scratch.try_borrow_mut() else {
                return false;
            };
            let Scratch { line, clock } = &mut *scratch;
            line.clear();
            match form {
                Form::Text => {
                    clock.write(SystemTime::now(), 6, line);
                    // Right-aligned, as readers of such lines know them.
                    line.extend_from_slice(match level {
                        Level::ERROR => b" ERROR",
                        Level::WARN => b"  WARN",
                        Level::INFO => b"  INFO",
                        Level::DEBUG => b" DEBUG",
                        Level::TRACE => b" TRACE",
                    });
                    write(form, line);
                }
                Form::Json => {
                    line.extend_from_slice(b"{\"time\":\"");
                    clock.write(SystemTime::now(), 3, line);
                    line.extend_from_slice(b"\",\"level\":\"");
                    line.extend_from_slice(level.as_str().as_bytes());
                    line.push(b'"');
                    write(form, line);
                    line.push(b'}');
                }
            }
            line.push(b'\n');
            self.push(line, most);
            true
        });
        if !done {
            self.dropped.inc();
        }
    }

    fn push(&self, line: &[u8], most: usize) {
        let mut state = self.lock();
        let before = state.waiting.len();
        let after = before + line.len();
        if after > most || state.has_ended {
            drop(state);
            self.dropped.inc();
            return;
        }
        state.waiting.extend_from_slice(line);
        let wakes = std::mem::take(&mut state.is_asleep) || before < MANY && after >= MANY;
        drop(state);
        if wakes {
            self.wake.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread.
    fn work_off(&self, mut to: impl Write) {
        let mut batch = Vec::new();
        let mut told = 0;
        let mut is_cut = false;
        loop {
            let mut state = self.lock();
            while state.waiting.is_empty() && !state.is_ending {
                state.is_asleep = true;
                state = wait(&self.wake, state);
            }
            state.is_asleep = false;
            if state.waiting.is_empty() {
                state.has_ended = true;
                drop(state);
                return self.done.notify_all();
            }
            std::mem::swap(&mut batch, &mut state.waiting);
            drop(state);

            if is_cut {
                is_cut = put(&mut to, b"\n").is_err();
            }
            let dropped = self.dropped.get();
            match put(&mut to, &batch) {
                Err(lost) => {
                    is_cut |= lost.is_cut;
                    self.dropped.inc_by(lost.lines);
                }
                Ok(()) if dropped > told => {
                    let lines = dropped - told;
                    told = dropped;
                    let why = "as nobody took them in time";
                    let message = format!("{lines} lines of the log were dropped, {why}");
                    self.message(Level::WARN, &message);
                }
                Ok(()) => {}
            }
            batch.clear();

            let state = self.lock();
            let gathers = |state: &mut State| !state.is_ending && state.waiting.len() < MANY;
            let waited = self.wake.wait_timeout_while(state, PAUSE, gathers);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn end(&self, patience: Duration) {
        let mut state = self.lock();
        state.is_ending = true;
        self.wake.notify_one();
        let waited = self
            .done
            .wait_timeout_while(state, patience, |state| !state.has_ended);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

fn wait<'a>(on: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    on.wait(state).unwrap_or_else(PoisonError::into_inner)
}

/// What of a batch could not be written.
struct Lost {
    /// The lines that are not whole.
    lines: u64,
    /// Whether the first of them has a beginning.
    is_cut: bool,
}

/// Writes all of a batch, or tells what is lost of it.
fn put(to: &mut impl Write, batch: &[u8]) -> Result<(), Lost> {
    let mut rest = batch;
    while !rest.is_empty() {
        match to.write(rest) {
            Ok(written) if written > 0 => rest = &rest[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Whoever shares the descriptor has made it so.
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
            _ => {
                let before = &batch[..batch.len() - rest.len()];
                return Err(Lost {
                    lines: rest.iter().filter(|byte| **byte == b'\n').count() as u64,
                    is_cut: before.last().is_some_and(|byte| *byte != b'\n'),
                });
            }
        }
    }
    Ok(())
}

/// What a thread keeps from one line to the next.
#[derive(Default)]
struct Scratch {
    line: Vec<u8>,
    clock: Clock,
}

/// Writes times, and keeps how it wrote the last second.
#[derive(Default)]
struct Clock {
    second: i64,
    shown: Vec<u8>,
}

impl Clock {
    /// A moment as RFC 3339 has it, in UTC, with so many digits after the second; at most 9.
    fn write(&mut self, at: SystemTime, digits: usize, line: &mut Vec<u8>) {
        // A clock that was never set may show less than 1970.
        let (second, mut nanos) = match at.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => (since.as_secs() as i64, since.subsec_nanos()),
            Err(before) => {
                let before = before.duration();
                let part = u32::from(before.subsec_nanos() > 0);
                let nanos = part * 1_000_000_000 - before.subsec_nanos();
                (-(before.as_secs() as i64) - i64::from(part), nanos)
            }
        };
        if self.second != second || self.shown.is_empty() {
            self.second = second;
            self.shown = time::stored(at)
                .unwrap_or_default()
                .replace(' ', "T")
                .into();
        }
        line.extend_from_slice(&self.shown);
        line.push(b'.');
        let mut fraction = [b'0'; 9];
        for digit in fraction.iter_mut().rev() {
            *digit = b'0' + (nanos % 10) as u8;
            nanos /= 10;
        }
        line.extend_from_slice(&fraction[..digits]);
        line.push(b'Z');
    }
}

/// Adds a text to a line of text: what would end the line, move the cursor or turn the direction of writing is escaped.
pub fn plain(line: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return line.extend_from_slice(text.as_bytes());
    }
    let misleads = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    for c in text.chars() {
        let written = match misleads(c) {
            true => write!(line, "{}", c.escape_default()),
            false => write!(line, "{c}"),
        };
        // Memory takes all that is written to it.
        let _ = written;
    }
}

/// Adds a text to an object of JSON under a name that needs no escapes, with a comma before it.
pub fn member(line: &mut Vec<u8>, name: &str, text: &str) {
    line.extend_from_slice(b",\"");
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(b"\":");
    let _ = serde_json::to_writer(line, text);
}

/// Takes the events of `tracing` to the log.
struct Events;

impl<S: Subscriber> Layer<S> for Events {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if let Some(log) = current() {
            let mut message = Message(String::new());
            event.record(&mut message);
            log.message(*event.metadata().level(), &message.0);
        }
    }
}

/// What an event says: its message, then its other fields by name.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Takes what is written when it is let, and tells it.
    struct Reader {
        lets: Receiver<()>,
        told: Sender<String>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Without the test there is nobody who reads.
            self.lets.recv().map_err(|_| ErrorKind::BrokenPipe)?;
            self.told
                .send(String::from_utf8_lossy(bytes).into_owned())
                .map_err(|_| ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn options(form: Form) -> Options {
        Options {
            form,
            quiet: false,
            redact: |text| text.replace("secret", "…").into(),
        }
    }

    fn log(options: Options) -> (Arc<Log>, Sender<()>, Receiver<String>) {
        let (lets_go, lets) = channel();
        let (told, lines) = channel();
        let log = Log::start(options, Reader { lets, told }).unwrap();
        (log, lets_go, lines)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_does_not_fit_is_dropped_and_counted_and_nobody_waits() {
        let (log, lets_go, lines) = log(options(Form::Text));
        let text = "x".repeat(1_000);
        // The first batch is taken and cannot be written; what follows is as much as fits, and more.
        let sent = 3 * ROOM as u64 / 1_000;
        for _ in 0..sent {
            log.message(Level::WARN, &text);
        }
        let dropped = log.dropped.get();
        assert!(dropped > 0 && dropped < sent, "{dropped} of {sent}");
        for _ in 0..10 {
            lets_go.send(()).unwrap();
        }
        log.end(LONG);
        assert!(log.lock().has_ended);
        let written: String = lines.try_iter().collect();
        let whole = written.lines().filter(|line| line.ends_with(&text)).count() as u64;
        assert_eq!(whole + dropped, sent);
        assert_eq!(log.dropped.get(), dropped);
        let told = format!(" WARN {dropped} lines of the log were dropped");
        assert_eq!(written.matches(&told).count(), 1, "{told}");
        // It has ended: a late line is counted as well.
        log.message(Level::WARN, &text);
        assert_eq!(log.dropped.get(), dropped + 1);
    }

    #[test]
    fn requests_leave_room_for_what_is_about_all_of_them() {
        let (log, _lets_go, _lines) = log(options(Form::Text));
        let request = || log.request(|_, line| line.extend_from_slice(&[b'x'; 1_000]));
        // The thread holds a batch that it cannot write, and takes no other: nothing makes room from now on.
        request();
        while !log.lock().waiting.is_empty() {
            std::thread::yield_now();
        }
        (0..3 * ROOM / 1_000).for_each(|_| request());
        let dropped = log.dropped.get();
        request();
        assert_eq!(log.dropped.get(), dropped + 1);
        log.message(Level::ERROR, "the disk is full");
        assert_eq!(log.dropped.get(), dropped + 1);
    }

    #[test]
    fn nobody_who_ends_it_waits_for_a_pipe_that_is_full() {
        let (log, _lets_go, _lines) = log(options(Form::Text));
        log.message(Level::WARN, "a line");
        let begun = std::time::Instant::now();
        log.end(Duration::from_millis(20));
        assert!(begun.elapsed() < LONG);
        assert!(!log.lock().has_ended);
    }

    #[test]
    fn a_pipe_that_is_closed_ends_nothing_and_its_lines_are_counted() {
        let (log, lets_go, lines) = log(options(Form::Text));
        drop((lets_go, lines));
        for _ in 0..3 {
            log.message(Level::WARN, "a line");
        }
        log.end(LONG);
        assert!(log.lock().has_ended);
        assert_eq!(log.dropped.get(), 3);
    }

    #[test]
    fn lines_are_whole_after_one_that_was_cut() {
        /// Takes the first six bytes, fails once, then takes all.
        struct Fails(usize, Sender<Vec<u8>>);
        impl Write for Fails {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 += 1;
                let taken = match self.0 {
                    1 => 6.min(bytes.len()),
                    2 => return Err(ErrorKind::StorageFull.into()),
                    _ => bytes.len(),
                };
                self.1
                    .send(bytes[..taken].into())
                    .map_err(io::Error::other)?;
                Ok(taken)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (told, written) = channel();
        let log = Log::start(options(Form::Text), Fails(0, told)).unwrap();
        log.say("first line");
        let mut text = written.recv().unwrap();
        while log.dropped.get() == 0 {
            std::thread::yield_now();
        }
        log.say("second line");
        log.end(LONG);
        text.extend(written.try_iter().flatten());
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("first \nsecond line\n"), "{text}");
        assert_eq!(log.dropped.get(), 1);
    }

    #[test]
    fn lines_in_text_and_in_json() {
        for form in [Form::Text, Form::Json] {
            let (log, lets_go, lines) = log(options(form));
            log.message(Level::WARN, "a secret\n\"of\" two lines");
            log.request(|_, line| match form {
                Form::Text => line.extend_from_slice(b" GET /"),
                Form::Json => member(line, "path", "/\u{1}"),
            });
            log.say("error: it failed");
            for _ in 0..3 {
                lets_go.send(()).unwrap();
            }
            log.end(LONG);
            let text: String = lines.try_iter().collect();
            let lines: Vec<&str> = text.lines().collect();
            let [warning, request, said] = lines[..] else {
                panic!("{lines:?}");
            };
            match form {
                Form::Text => {
                    assert_eq!(&warning[26..], r#"Z  WARN a …\n"of" two lines"#);
                    assert_eq!(&request[26..], "Z  INFO GET /");
                    assert_eq!(said, "error: it failed");
                }
                Form::Json => {
                    let line: serde_json::Value = serde_json::from_str(warning).unwrap();
                    assert_eq!(line["level"], "WARN");
                    assert_eq!(line["message"], "a …\n\"of\" two lines");
                    let at = line["time"].as_str().unwrap();
                    assert_eq!((at.len(), &at[23..]), (24, "Z"));
                    assert!(at.parse::<jiff::Timestamp>().is_ok(), "{at}");
                    let line: serde_json::Value = serde_json::from_str(request).unwrap();
                    assert_eq!(line["path"], "/\u{1}");
                    let line: serde_json::Value = serde_json::from_str(said).unwrap();
                    assert_eq!(
                        (&line["level"], &line["message"]),
                        (&"ERROR".into(), &"it failed".into())
                    );
                }
            }
        }
    }

    #[test]
    fn a_quiet_log_has_no_requests() {
        let (log, lets_go, lines) = log(Options {
            quiet: true,
            ..options(Form::Text)
        });
        log.request(|_, line| line.extend_from_slice(b" GET /"));
        log.message(Level::ERROR, "it failed");
        lets_go.send(()).unwrap();
        log.end(LONG);
        let text: String = lines.try_iter().collect();
        assert!(text.ends_with("Z ERROR it failed\n"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }

    #[test]
    fn times_follow_the_clock() {
        let mut clock = Clock::default();
        for (second, nanos, shown) in [
            (0, 0, "1970-01-01T00:00:00.000Z"),
            (0, 999_999_999, "1970-01-01T00:00:00.999Z"),
            (1_767_225_599, 1_000_000, "2025-12-31T23:59:59.001Z"),
            (1_767_225_600, 0, "2026-01-01T00:00:00.000Z"),
        ] {
            let mut line = Vec::new();
            let at = SystemTime::UNIX_EPOCH + Duration::new(second, nanos);
            clock.write(at, 3, &mut line);
            assert_eq!(String::from_utf8(line).unwrap(), shown);
        }
        for (second, nanos, shown) in [
            (0, 1_000_000, "1969-12-31T23:59:59.999Z"),
            (1, 0, "1969-12-31T23:59:59.000Z"),
            (1, 250_000_000, "1969-12-31T23:59:58.750Z"),
        ] {
            let mut line = Vec::new();
            let at = SystemTime::UNIX_EPOCH - Duration::new(second, nanos);
            clock.write(at, 3, &mut line);
            assert_eq!(String::from_utf8(line).unwrap(), shown);
        }
    }
}
