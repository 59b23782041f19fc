//! Runs a bulk request over a database: reads its lines as they arrive, writes them in portions, and answers them in order.
//!
//! It holds one portion of lines and what has arrived after them, so its memory does not grow with the request. Nothing
//! more is read while nobody takes the answers. Between two portions other writes have their turn, and a portion waits for
//! its own like any other write.
//!
//! With an idempotency key, the lines that an earlier request has done are read along, compared by a hash, and answered from
//! what is kept. A portion that another request with the same key has just done is answered in the same way. So each line is
//! done once, however often the request comes and wherever it breaks off.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::answer::{Counts, End, LineAnswer, kept};
use super::input::{ByteStream, LineReader};
use super::line::{RawLine, Reading};
use super::manner::Manner;
use super::portion::{Portion, Portioned, RunPlace};
use crate::base::error::{Code, Error, Result};
use crate::model::author::Author;
use crate::model::noun::Noun;
use crate::model::terms::Terms;
use crate::model::token::Hash;
use crate::model::value::Value;
use crate::store::any::AnyStore;
use crate::store::contract::{Outcome, Store};
use crate::store::sql::runs::{KeptPortion, PORTION, RUN, RunState};

/// The most lines in one transaction. Beyond it the sync is no longer the main cost of a line.
const LINES: usize = 500;

/// The most bytes of lines in one transaction. One line may be larger.
const BYTES: usize = 1024 * 1024;

/// The most lines that are done together or not at all.
pub(super) const ATOMIC_LINES: usize = 10_000;

/// The most bytes of them.
const ATOMIC_BYTES: usize = 16 * 1024 * 1024;

/// How long lines wait for more of them to share a transaction.
const PAUSE: Duration = Duration::from_millis(10);

/// How often an empty line is sent while no line comes, so that nobody on the way takes the connection for dead.
const BEAT: Duration = Duration::from_secs(15);

/// How long no byte may come.
const SILENCE: Duration = Duration::from_secs(300);

/// How long a portion tries again while the database takes no writes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first pause before another try. Each further one is twice as long, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(50);

/// The longest pause before another try.
const LONGEST: Duration = Duration::from_secs(2);

/// How often a write whose result is unknown is looked for under its key.
const LOOKS: u32 = 3;

/// The size of answers that are sent at once, in bytes.
const SENT: usize = 64 * 1024;

/// Which answers are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answers {
    /// One for each line.
    All,
    /// Those of lines that were refused.
    Refused,
    /// One for each line, with the record.
    Records,
}

impl Answers {
    pub(super) const WORDS: [(&str, Answers); 3] = [
        ("all", Answers::All),
        ("refused", Answers::Refused),
        ("records", Answers::Records),
    ];
}

/// A bulk request that is being done.
pub struct Engine {
    store: AnyStore,
    manner: Manner,
    reading: Arc<Reading>,
    author: Author,
    answers: Answers,
    lines: LineReader,
    /// Why nothing more can be read.
    broken: Option<Error>,
    /// Lines that were taken and are not done, and their size.
    held: VecDeque<RawLine>,
    held_bytes: usize,
    /// The run with its key, as far as it is known.
    run: Option<(String, RunState)>,
    /// How many lines are done.
    done: i64,
    counts: Counts,
    /// Answers that wait to be sent.
    waiting: VecDeque<LineAnswer>,
    /// For how long nothing has come.
    silence: Duration,
    /// The first part of the answer, which was made before the answer began.
    first: Option<Bytes>,
    is_done: bool,
}

/// What was found when lines were wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gathered {
    /// Lines, or the end.
    Lines,
    /// Nothing for a while.
    Nothing,
}

impl Engine {
    /// Begins a request, and does its first lines. What refuses the whole request fails here.
    pub(super) async fn begin(
        store: AnyStore,
        manner: Manner,
        reading: Reading,
        (author, key): (Author, Option<String>),
        answers: Answers,
        input: ByteStream,
    ) -> Result<Engine> {
        let run = match key {
            Some(id) => {
                let state = read_run(&store, &id).await?.unwrap_or_default();
                Some((id, state))
            }
            None => None,
        };
        let mut engine = Engine {
            store,
            manner,
            lines: LineReader::new(input, reading.bytes),
            reading: Arc::new(reading),
            author,
            answers,
            broken: None,
            held: VecDeque::new(),
            held_bytes: 0,
            run,
            done: 0,
            counts: Counts::default(),
            waiting: VecDeque::new(),
            silence: Duration::ZERO,
            first: None,
            is_done: false,
        };
        engine.join();
        match engine.step().await {
            Ok(Some(part)) => engine.first = Some(part),
            Ok(None) => engine.first = Some(engine.end(None)),
            // Nothing was answered, so the request can be.
            Err(error) if engine.done == 0 => return Err(error),
            Err(error) => engine.first = Some(engine.end(Some(error))),
        }
        Ok(engine)
    }

    /// The group of its changes, as far as there are any.
    pub fn group(&self) -> Option<i64> {
        self.author.group
    }

    /// The next part of the answer: whole lines. `None` after the last one.
    pub async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        if self.is_done {
            return None;
        }
        Some(match self.step().await {
            Ok(Some(part)) => part,
            Ok(None) => self.end(None),
            Err(error) => self.end(Some(error)),
        })
    }

    /// Ends the request for this reason, before its last line.
    pub fn stop(&mut self, why: Error) -> Option<Bytes> {
        (!self.is_done).then(|| self.end(Some(why)))
    }

    fn end(&mut self, error: Option<Error>) -> Bytes {
        self.is_done = true;
        let error = error.map(|error| match error.code {
            Code::Internal | Code::Failed => {
                tracing::error!("a bulk request ended: {error}");
                Error::new(
                    Code::Internal,
                    "internal error; the log of the service has the details",
                )
            }
            _ => error,
        });
        let end = End {
            counts: self.counts,
            group: self.author.group,
            error,
        };
        let mut line = Vec::new();
        end.write(&mut line);
        line.into()
    }

    /// Its changes join those of the run.
    fn join(&mut self) {
        if let Some((_, state)) = &self.run {
            self.author.group = self.author.group.or(state.group);
        }
    }

    /// Goes on until there is something to send. `None` if all lines are done.
    async fn step(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(part) = self.send().await? {
                return Ok(Some(part));
            }
            if self
                .run
                .as_ref()
                .is_some_and(|(_, state)| self.done < state.lines)
            {
                if self.replay().await? == Gathered::Nothing {
                    return Ok(Some(Bytes::from_static(b"\n")));
                }
                continue;
            }
            let (most, waits) = match self.manner.is_atomic {
                true => ((usize::MAX, usize::MAX), true),
                false => ((LINES, BYTES), false),
            };
            if self.gather(most, waits).await? == Gathered::Nothing {
                return Ok(Some(Bytes::from_static(b"\n")));
            }
            let is_over = self.held.is_empty() && self.lines.is_over();
            match &self.run {
                None if is_over => return Ok(None),
                Some((_, state)) if state.is_ended && is_over => return Ok(None),
                Some((_, state)) if state.is_ended => return Err(other_body()),
                _ => {}
            }
            self.write().await?;
        }
    }

    /// Takes lines until there are so many lines or bytes, or, unless it `waits`, until no more have come. There is at least
    /// one, unless the request is over.
    async fn gather(&mut self, (lines, bytes): (usize, usize), waits: bool) -> Result<Gathered> {
        loop {
            let since = Instant::now();
            while self.held.len() < lines
                && self.held_bytes < bytes
                && let Some(line) = self.lines.line()
            {
                self.held_bytes += line.text.as_ref().map_or(0, Vec::len) + size_of::<RawLine>();
                self.held.push_back(line);
            }
            let is_full = self.held.len() >= lines || self.held_bytes >= bytes;
            if is_full || self.lines.is_over() {
                return Ok(Gathered::Lines);
            }
            if self.manner.is_atomic
                && (self.held.len() > ATOMIC_LINES || self.held_bytes > ATOMIC_BYTES)
            {
                return Ok(Gathered::Lines);
            }
            if let Some(error) = self.broken.take() {
                return Err(error);
            }
            let has_some = !self.held.is_empty() && !waits;
            let patience = if has_some { PAUSE } else { BEAT };
            match self.lines.more(patience).await? {
                true => self.silence = Duration::ZERO,
                false if has_some => return Ok(Gathered::Lines),
                false if self.is_silent(since) => {
                    let seconds = SILENCE.as_secs();
                    let message = format!("body: expected the next line within {seconds} seconds");
                    return Err(Error::new(Code::Timeout, message));
                }
                // A client of an atomic request waits for one answer, which may be an error.
                false if self.manner.is_atomic => {}
                false => return Ok(Gathered::Nothing),
            }
        }
    }

    /// Whether nothing has come for too long.
    fn is_silent(&mut self, since: Instant) -> bool {
        self.silence += since.elapsed();
        self.silence >= SILENCE
    }

    /// Takes the first lines that are held.
    fn take(&mut self, count: usize) -> Vec<RawLine> {
        let lines: Vec<RawLine> = self.held.drain(..count).collect();
        let size = |line: &RawLine| line.text.as_ref().map_or(0, Vec::len) + size_of::<RawLine>();
        self.held_bytes -= lines.iter().map(size).sum::<usize>();
        lines
    }

    /// Answers the next lines from what is kept.
    async fn replay(&mut self) -> Result<Gathered> {
        let Some((id, _)) = &self.run else {
            return Ok(Gathered::Lines);
        };
        let params = [id.as_str().into(), Value::Int(self.done)];
        let portion = KeptPortion::read(&self.store.rows(PORTION, &params).await?);
        let portion = portion
            .ok_or_else(|| Error::internal("the kept answers to a bulk request have a gap"))?;
        let count = usize::try_from(portion.lines).unwrap_or_default();
        if self.gather((count, usize::MAX), true).await? == Gathered::Nothing {
            return Ok(Gathered::Nothing);
        }
        if self.held.len() < count {
            return Err(other_body());
        }
        let lines = self.take(count);
        if hash(&lines) != portion.hash {
            return Err(other_body());
        }
        let numbers: Vec<u64> = lines.iter().map(|line| line.number).collect();
        let answers = kept(&numbers, &portion.answers, &portion.refusals)
            .ok_or_else(|| Error::internal("the kept answers to a bulk request cannot be read"))?;
        self.counts.replayed += count as u64;
        self.answered(answers);
        Ok(Gathered::Lines)
    }

    /// Notes the answers to the next lines.
    fn answered(&mut self, answers: Vec<LineAnswer>) {
        self.done += i64::try_from(answers.len()).unwrap_or_default();
        for answer in answers {
            self.counts.add(&answer);
            if self.answers != Answers::Refused || answer.result.is_err() {
                self.waiting.push_back(answer);
            }
        }
    }

    /// The next answers as text, `None` if there are none.
    async fn send(&mut self) -> Result<Option<Bytes>> {
        if self.waiting.is_empty() {
            return Ok(None);
        }
        let mut text = Vec::new();
        while text.len() < SENT
            && let Some(mut answer) = self.waiting.pop_front()
        {
            if self.answers == Answers::Records && answer.result.is_ok() && answer.data.is_none() {
                answer.data = data(&self.store, self.manner.noun, answer.id).await?;
            }
            answer.write(&mut text);
        }
        Ok(Some(text.into()))
    }

    /// Writes the lines that are held in one transaction.
    async fn write(&mut self) -> Result<()> {
        if self.manner.is_atomic {
            let most = match () {
                () if self.held.len() > ATOMIC_LINES => format!("{ATOMIC_LINES} lines"),
                () if self.held_bytes > ATOMIC_BYTES => format!("{} MiB", ATOMIC_BYTES >> 20),
                () => String::new(),
            };
            if !most.is_empty() {
                let message = format!(
                    "body: expected at most {most} with atomic=true; nothing was saved; without it there is no limit"
                );
                return Err(Error::new(Code::TooLarge, message));
            }
        }
        let size = self.held_bytes;
        let lines = Arc::new(self.take(self.held.len()));
        let is_last = self.held.is_empty() && self.lines.is_over();
        let attempt = Attempt {
            store: self.store.clone(),
            manner: self.manner.clone(),
            reading: self.reading.clone(),
            author: self.author.clone(),
            run: self.run.as_ref().map(|(id, _)| RunPlace {
                id: id.clone(),
                before: self.done,
                hash: hash(&lines),
            }),
            lines: lines.clone(),
            is_last,
            size,
        };
        // It goes on if the client leaves, so that it is not given up in the middle.
        let task = tokio::spawn(attempt.run());
        let outcome = self.beside(task).await?;
        match outcome.done {
            Portioned::Done(answers, fresh) => {
                self.author.group = self.author.group.or(outcome.group);
                self.manner.finder.add(&fresh);
                self.answered(answers);
                if let Some((_, state)) = &mut self.run {
                    state.lines = self.done;
                    state.is_ended = is_last;
                }
            }
            Portioned::Behind => {
                let lines = Arc::unwrap_or_clone(lines);
                for line in lines.into_iter().rev() {
                    self.held_bytes +=
                        line.text.as_ref().map_or(0, Vec::len) + size_of::<RawLine>();
                    self.held.push_front(line);
                }
                if let Some((id, state)) = &mut self.run {
                    *state = read_run(&self.store, id).await?.unwrap_or_default();
                }
                self.join();
            }
        }
        Ok(())
    }

    /// Waits for a portion, and receives bytes of the next one meanwhile.
    async fn beside(
        &mut self,
        mut task: JoinHandle<Result<Outcome<Portioned>>>,
    ) -> Result<Outcome<Portioned>> {
        loop {
            let reads =
                self.lines.waiting() < BYTES && self.broken.is_none() && !self.lines.has_arrived();
            tokio::select! {
                biased;
                done = &mut task => return done.map_err(Error::internal)?,
                more = self.lines.more(BEAT), if reads => {
                    if let Err(error) = more {
                        self.broken = Some(error);
                    }
                }
            }
        }
    }
}

/// A portion that is tried until the database takes it.
struct Attempt {
    store: AnyStore,
    manner: Manner,
    reading: Arc<Reading>,
    author: Author,
    run: Option<RunPlace>,
    lines: Arc<Vec<RawLine>>,
    is_last: bool,
    size: usize,
}

impl Attempt {
    async fn run(self) -> Result<Outcome<Portioned>> {
        let until = Instant::now() + PATIENCE;
        let (mut pause, mut looks) = (FIRST, 0);
        loop {
            let portion = self.portion().await?;
            let terms = Terms {
                author: self.author.clone(),
                ..Terms::default()
            };
            match self.store.write(portion, terms).await {
                Err(error) if error.code == Code::Unavailable && Instant::now() + pause < until => {
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST);
                }
                // Whether it was saved shows under its key.
                Err(error)
                    if error.code == Code::Unknown && self.run.is_some() && looks < LOOKS =>
                {
                    looks += 1;
                    sleep(pause).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Reads the lines. Large ones are read on another thread, because a mebibyte may have a hundred thousand keys.
    async fn portion(&self) -> Result<Portion> {
        const LARGE: usize = 64 * 1024;
        let is_large = |line: &RawLine| line.text.as_ref().is_some_and(|text| text.len() > LARGE);
        let (lines, reading) = (self.lines.clone(), self.reading.clone());
        let read = move || lines.iter().map(|raw| reading.line(raw)).collect();
        let lines = match self.lines.iter().any(is_large) {
            true => tokio::task::spawn_blocking(read)
                .await
                .map_err(Error::internal)?,
            false => read(),
        };
        Ok(Portion {
            manner: self.manner.clone(),
            lines,
            run: self.run.clone(),
            is_last: self.is_last,
            size: 2 * self.size,
        })
    }
}

/// The record of an answer as it is now, null if it is not there any more.
async fn data(store: &AnyStore, noun: &'static Noun, id: Option<i64>) -> Result<Option<String>> {
    let Some(id) = id else {
        return Ok(None);
    };
    match store.get_json(noun, id).await {
        Ok(found) => Ok(Some(String::from_utf8_lossy(&found.json).into_owned())),
        Err(error) if error.code == Code::NotFound => Ok(Some("null".into())),
        Err(error) => Err(error),
    }
}

/// How far a run is. `None` if there is none, or if it has expired.
async fn read_run(store: &AnyStore, id: &str) -> Result<Option<RunState>> {
    let rows = store.rows(RUN, &[id.into()]).await?;
    Ok(RunState::read(&rows))
}

/// The SHA-256 of lines with their numbers.
fn hash(lines: &[RawLine]) -> String {
    let mut all = Vec::new();
    for line in lines {
        let text = line.text.as_deref();
        let length = text.map_or(u64::MAX, |text| text.len() as u64);
        all.extend_from_slice(&line.number.to_be_bytes());
        all.extend_from_slice(&length.to_be_bytes());
        all.extend_from_slice(text.unwrap_or_default());
    }
    Hash::of(&all).hex()
}

/// The error for a request whose key belongs to other lines.
fn other_body() -> Error {
    Error::new(
        Code::KeyReused,
        "Idempotency-Key: it was used for this path with other lines; expected the same lines, or a new key for a new request",
    )
}
