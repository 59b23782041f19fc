use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// Accepts each write only when the test allows it, and reports it.
struct SlowReader {
    lets: Receiver<()>,
    told: Sender<String>,
}

impl Write for SlowReader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The test has ended: nobody reads any more.
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
    let log = Log::start(options, SlowReader { lets, told }).unwrap();
    (log, lets_go, lines)
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn lines_that_do_not_fit_are_dropped_and_counted_and_nobody_waits() {
    let (log, lets_go, lines) = log(options(Form::Text));
    let text = "x".repeat(1_000);
    // The first batch is taken but cannot be written. More follows than fits.
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
    // The log has ended: a late line is counted as well.
    log.message(Level::WARN, &text);
    assert_eq!(log.dropped.get(), dropped + 1);
}

#[test]
fn requests_leave_room_for_other_lines() {
    let (log, _lets_go, _lines) = log(options(Form::Text));
    let request = || log.request(|_, line| line.extend_from_slice(&[b'x'; 1_000]));
    // The thread holds a batch that it cannot write and takes no other, so the buffer gets no more room.
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
fn the_end_does_not_wait_for_a_full_pipe() {
    let (log, _lets_go, _lines) = log(options(Form::Text));
    log.message(Level::WARN, "a line");
    let begun = std::time::Instant::now();
    log.end(Duration::from_millis(20));
    assert!(begun.elapsed() < LONG);
    assert!(!log.lock().has_ended);
}

#[test]
fn a_closed_pipe_stops_nothing_and_its_lines_are_counted() {
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
