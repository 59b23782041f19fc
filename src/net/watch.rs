//! What a connection is doing, and when it has done it for too long.
//!
//! One [`Watch`] is shared by the three that know: the [`Socket`] sees bytes come and go, the service sees requests begin
//! and answers end, and the connection's task asks [`Watch::check`] after every step. No byte is read into meaning here:
//! a request begins where hyper hands it to the service, so that hyper alone decides what a request is.
//!
//! What this cannot see:
//!
//! - The start of a next request that arrived in one piece with the request before it lies in hyper's buffer already, and
//!   the time of its head begins with the next byte. Such a connection ends after the idle time and the head time
//!   together, at the latest.
//! - A peer that took much at full speed and then goes on at a few kilobytes a second has up to megabytes in its own
//!   kernel, and looks as if it had stopped until it has read those. It is cut.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

#[cfg(target_os = "linux")]
use socket2::SockRef;
#[cfg(target_os = "linux")]
use tokio::io::Interest;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::net::burden::Burden;
use crate::net::limits::Limits;

/// Why a connection was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// No byte of a next request came.
    Idle,
    /// The head of a request took too long.
    Head,
    /// The peer took too few bytes of an answer.
    Slow,
    /// The peer kept what others wanted.
    Burden,
    /// Others wanted its place.
    Room,
    /// The peer was still sending when the time to let it finish was over.
    Linger,
}

/// What its end takes from a peer; the less the sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Loss {
    /// Nothing but the connection: the service waits for the peer.
    Wait,
    /// An answer that is worked at, which can be asked for again.
    Read,
}

/// The state of one connection.
pub(super) struct Watch {
    limits: Limits,
    /// Requests whose answers have not ended. It is a count since hyper may begin a request before it lets go of the
    /// body of the last answer.
    open: usize,
    /// Since when there is nothing to do: the connection began, the last answer ended, its last byte was written.
    quiet: Instant,
    /// When the first byte of a request's head came, while that head is not complete.
    head: Option<Instant>,
    /// Whether a request's body has not been read to its end.
    unread: bool,
    /// Whether somebody waits for more of it.
    wants_body: bool,
    /// Whether the last request only asks for something.
    reads: bool,
    /// Whether it makes room for others.
    leaves: bool,
    /// Whether an answer failed midway.
    broken: bool,
    /// Since when the peer is let finish sending, see [`Socket::poll_shutdown`].
    lingering: Option<Instant>,
    pace: Pace,
    /// What its answers hold, those among them that have ended and are not all written.
    burdens: Vec<Arc<dyn Burden>>,
}

impl Watch {
    pub(super) fn new(limits: Limits, now: Instant) -> Watch {
        Watch {
            limits,
            open: 0,
            quiet: now,
            head: None,
            unread: false,
            wants_body: false,
            reads: false,
            leaves: false,
            broken: false,
            lingering: None,
            pace: Pace::new(&limits),
            burdens: Vec::new(),
        }
    }

    /// An answer holds this.
    pub(super) fn carry(&mut self, burden: Arc<dyn Burden>) {
        // Nobody adds to one that this alone knows of.
        self.burdens.retain(|burden| Arc::strong_count(burden) > 1);
        self.burdens.push(burden);
    }

    /// A request's head is complete; `body` says whether a body follows, `reads` that it changes nothing. Answers whether
    /// it may be served.
    pub(super) fn request_begins(&mut self, body: bool, reads: bool) -> bool {
        self.open += 1;
        self.head = None;
        self.unread = body;
        self.reads = reads;
        !self.leaves
    }

    /// The request's body was read to its end.
    pub(super) fn body_read(&mut self) {
        self.unread = false;
        self.wants_body = false;
    }

    /// Whether whoever reads the body of a request has to wait for more of it.
    pub(super) fn wants_body(&mut self, wants: bool) {
        self.wants_body = wants;
    }

    /// Whether the peer may still be sending the body of a request.
    pub(super) fn unread(&self) -> bool {
        self.unread
    }

    /// The answer to a request ended; its last bytes may not be written yet.
    pub(super) fn answer_ends(&mut self, now: Instant) {
        self.open -= 1;
        self.wants_body = false;
        self.quiet = now;
    }

    /// The answer to a request cannot be completed.
    pub(super) fn answer_fails(&mut self) {
        self.broken = true;
    }

    fn bytes_came(&mut self, now: Instant) {
        if self.open == 0 {
            self.head.get_or_insert(now);
        }
    }

    fn bytes_went(&mut self, count: usize, now: Instant) {
        self.pace.took(count, now);
        self.quiet = now;
    }

    /// How well others may have its place, and since when; `None` while the service is at work for what may be saved.
    pub(super) fn may_leave(&self) -> Option<(Loss, Instant)> {
        let waits = self.open == 0 || self.wants_body || self.pace.blocked.is_some();
        let loss = match waits || self.lingering.is_some() {
            true => Loss::Wait,
            false if self.reads => Loss::Read,
            false => return None,
        };
        Some((loss, self.quiet))
    }

    /// Makes the connection end, if it may. From here on no request begins any more and none gets a further byte, so that
    /// it ends as soon as its task is woken.
    pub(super) fn leave(&mut self) -> bool {
        self.leaves = self.may_leave().is_some();
        self.leaves
    }

    /// Whether it makes room for others.
    pub(super) fn leaves(&self) -> bool {
        self.leaves
    }

    /// Whether the peer has reason to send more that nobody will read: the rest of a body, or of a head that was refused.
    fn unwanted(&self) -> bool {
        self.unread || self.head.is_some()
    }

    /// Whether the peer lacks a part of an answer.
    fn unfinished(&self) -> bool {
        self.open > 0 || self.broken || self.pace.blocked.is_some()
    }

    /// When to check again, `None` for not before something happens; or that the connection's time is over.
    pub(super) fn check(&self, now: Instant) -> Result<Option<Instant>, Cut> {
        if self.leaves {
            return Err(Cut::Room);
        }
        let (end, cut) = if let Some(since) = self.lingering {
            (since + self.limits.linger, Cut::Linger)
        } else if let Some(since) = self.pace.blocked {
            (since + self.pace.left, Cut::Slow)
        } else if self.open > 0 {
            return Ok(None);
        } else if let Some(since) = self.head {
            (since + self.limits.head, Cut::Head)
        } else {
            (self.quiet + self.limits.idle, Cut::Idle)
        };
        if now >= end {
            return Err(cut);
        }
        match self.burden(now) {
            Ok(next) => Ok(Some(next.map_or(end, |next| next.min(end)))),
            Err(cut) => Err(cut),
        }
    }

    /// When to look again at what bytes hold that wait to be written.
    fn burden(&self, now: Instant) -> Result<Option<Instant>, Cut> {
        if self.pace.blocked.is_none() {
            return Ok(None);
        }
        let since = self.burdens.iter().filter_map(|burden| burden.since());
        let Some(since) = since.min() else {
            return Ok(None);
        };
        let end = since + self.limits.burden;
        if now < end {
            return Ok(Some(end));
        }
        match self.burdens.iter().any(|burden| burden.is_wanted()) {
            true => Err(Cut::Burden),
            // Whoever wants it does not say so to this connection.
            false => Ok(Some(now + LOOK)),
        }
    }
}

/// The time between two looks at whether others want what is held.
const LOOK: Duration = Duration::from_secs(1);

/// How quickly the peer takes what is written.
///
/// Only time in which bytes wait to be written counts: a peer is not to blame for an answer that is slow to come. It has a
/// whole window to begin with, uses it up while bytes wait, and earns it back by taking bytes at the rate. So a peer that
/// stops is cut one window later, and one above the rate stays, though the server sees it read in lumps only.
#[derive(Debug)]
struct Pace {
    rate: u32,
    window: Duration,
    /// What is left of the window, as of `blocked`.
    left: Duration,
    /// Since when bytes wait to be written.
    blocked: Option<Instant>,
    /// The bytes taken since the peer last let some wait for [`PAUSE`].
    freely: u64,
}

/// A wait that a peer that reads all it can does not cause.
const PAUSE: Duration = Duration::from_secs(1);

/// What a peer that does not read cannot take, in bytes: about twice what Linux receives for a program before that reads.
const PROOF: u64 = 256 * 1024;

impl Pace {
    fn new(limits: &Limits) -> Pace {
        Pace {
            rate: limits.rate,
            window: limits.rate_window,
            left: limits.rate_window,
            blocked: None,
            freely: 0,
        }
    }

    fn waits(&mut self, now: Instant) {
        self.blocked.get_or_insert(now);
    }

    fn took(&mut self, count: usize, now: Instant) {
        if let Some(since) = self.blocked.take() {
            let waited = now - since;
            self.left = self.left.saturating_sub(waited);
            if waited >= PAUSE {
                self.freely = 0;
            }
        }
        let earned = Duration::from_secs(count as u64) / self.rate;
        self.left = self.window.min(self.left + earned);
        self.freely += count as u64;
    }

    /// Whether the peer has read for itself, and without a pause.
    fn is_quick(&self) -> bool {
        self.freely >= PROOF
    }
}

/// A [`Watch`] with its holders.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Watch>>);

impl Shared {
    pub(super) fn new(limits: Limits) -> Shared {
        Shared(Arc::new(Mutex::new(Watch::new(limits, Instant::now()))))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Watch> {
        // A panic elsewhere leaves numbers behind that are still good enough to end the connection by.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For options that make a connection better and that it can do without.
fn best_effort(set: io::Result<()>) {
    if let Err(error) = set {
        tracing::debug!("cannot set a socket option: {error}");
    }
}

/// A TCP stream that tells the [`Watch`] of what comes and goes, and closes in a way that the peer understands.
pub(super) struct Socket {
    stream: TcpStream,
    watch: Shared,
    /// What was read and thrown away since the writing side was shut down.
    discarded: Option<usize>,
    /// Whether the peer has ended its side.
    ended: bool,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, watch: Shared) -> Socket {
        best_effort(stream.set_nodelay(true));
        // Linux tells of room in its send buffer, which grows to megabytes, only when a third of it is free. This makes it
        // tell of every few kilobytes that the peer's kernel took.
        #[cfg(target_os = "linux")]
        best_effort(SockRef::from(&stream).set_tcp_notsent_lowat(4 * 1024));
        Socket {
            stream,
            watch,
            discarded: None,
            ended: false,
        }
    }

    /// Whether to write piece by piece: what is no more than a piece needs no mark at its end.
    fn in_pieces(&self, slices: &[IoSlice<'_>]) -> bool {
        slices.iter().map(|slice| slice.len()).sum::<usize>() > PIECE
            && !self.watch.lock().pace.is_quick()
    }

    /// Writes one piece, marked as the end of a record.
    ///
    /// A server learns that a slow peer reads only when the peer's kernel frees memory. Linux joins what it receives into
    /// buffers that it frees as a whole, of all 128 KiB that a program has not read: a reader of 1 KB/s would look dead for
    /// two minutes. Segments that are records of their own stay apart, so that a buffer holds at most 17 of them.
    #[cfg(target_os = "linux")]
    fn poll_write_piece(
        &self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        /// `MSG_EOR` and `MSG_NOSIGNAL` of Linux' `socket.h`.
        const FLAGS: i32 = 0x80 | 0x4000;
        let mut piece = [IoSlice::new(&[]); 8];
        let mut room = PIECE;
        for (part, slice) in piece.iter_mut().zip(slices) {
            let length = slice.len().min(room);
            *part = IoSlice::new(&slice[..length]);
            room -= length;
        }
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            let send = || SockRef::from(&self.stream).send_vectored_with_flags(&piece, FLAGS);
            match self.stream.try_io(Interest::WRITABLE, send) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn poll_write_piece(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}

/// The bytes of a piece. A peer at the rate takes 17 of them in 17 s, well within its window.
const PIECE: usize = 512;

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.watch.lock().bytes_came(Instant::now());
        } else {
            self.ended = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = if self.in_pieces(slices) {
            self.poll_write_piece(cx, slices)
        } else {
            Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
        };
        let mut watch = self.watch.lock();
        match &result {
            Poll::Pending => watch.pace.waits(Instant::now()),
            Poll::Ready(Ok(count)) => watch.bytes_went(*count, Instant::now()),
            Poll::Ready(Err(_)) => {}
        }
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Ends the writing side; where the peer may still be sending what nobody wants, reads and throws that away for a
    /// while. Closing a socket with unread bytes in it makes the kernel send a reset, and a reset makes the peer's kernel
    /// drop the answer (RFC 9112, 9.6).
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.discarded.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            let mut watch = this.watch.lock();
            if this.ended || !watch.unwanted() {
                return Poll::Ready(Ok(()));
            }
            watch.lingering = Some(Instant::now());
            this.discarded = Some(0);
        }
        let mut scrap = [0; 16 * 1024];
        while this.discarded < Some(LINGER_BYTES) {
            let mut buffer = ReadBuf::new(&mut scrap);
            let read = ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buffer));
            let count = buffer.filled().len();
            if read.is_err() || count == 0 {
                break;
            }
            this.discarded = this.discarded.map(|sum| sum + count);
        }
        Poll::Ready(Ok(()))
    }
}

/// The most that is read and thrown away after an answer, in bytes.
const LINGER_BYTES: usize = 64 * 1024 * 1024;

impl Drop for Socket {
    fn drop(&mut self) {
        // A peer that lacks a part of its answer gets a reset instead of an end: an answer without a length, as HTTP/1.0
        // has them, would look complete. It also frees what the kernel still holds for a peer that takes nothing.
        if self.watch.lock().unfinished() {
            // Where it fails the connection is gone already.
            let _ = self.stream.set_zero_linger();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(30);

    /// A peer that takes `lump` bytes every `every`: when it is cut, if it is within ten minutes.
    fn cut_after(lump: usize, every: Duration, stops: Duration) -> Option<Duration> {
        let start = Instant::now();
        let mut watch = Watch::new(Limits::default(), start);
        watch.request_begins(false, true);
        watch.pace.waits(start);
        let mut next_lump = start + every;
        let mut now = start;
        while now < start + Duration::from_secs(600) {
            let check = match watch.check(now) {
                Ok(check) => check.expect("bytes are waiting"),
                Err(cut) => {
                    assert_eq!(cut, Cut::Slow);
                    return Some(now - start);
                }
            };
            now = check.min(next_lump);
            if now == next_lump {
                next_lump += every;
                if now <= start + stops {
                    watch.bytes_went(lump, now);
                    watch.pace.waits(now);
                }
            }
        }
        None
    }

    const NEVER: Duration = Duration::from_secs(10_000);

    #[test]
    fn a_peer_that_takes_nothing_is_cut_after_the_window() {
        assert_eq!(cut_after(1, NEVER, NEVER), Some(WINDOW));
    }

    #[test]
    fn a_peer_that_stops_is_cut_a_window_later() {
        let stops = Duration::from_secs(100);
        let cut = cut_after(1_000_000, Duration::from_secs(1), stops);
        assert_eq!(cut, Some(stops + WINDOW));
    }

    #[test]
    fn a_peer_above_the_rate_stays_even_where_it_takes_in_lumps() {
        assert_eq!(cut_after(520, Duration::from_secs(1), NEVER), None);
        assert_eq!(cut_after(14_500, Duration::from_secs(28), NEVER), None);
    }

    #[test]
    fn a_peer_below_the_rate_is_cut() {
        // It earns back half of what it uses up.
        let cut = cut_after(256, Duration::from_secs(1), NEVER).expect("too slow");
        assert!((59..=60).contains(&cut.as_secs()), "{cut:?}");
    }

    #[test]
    fn a_peer_is_quick_after_it_took_much_without_a_pause() {
        let start = Instant::now();
        let mut pace = Pace::new(&Limits::default());
        let took = |pace: &mut Pace, count: u64, wait: Duration| {
            pace.waits(start);
            pace.took(count as usize, start + wait);
            pace.is_quick()
        };
        assert!(!took(&mut pace, PROOF - 1, Duration::ZERO));
        assert!(took(&mut pace, 1, PAUSE / 2));
        assert!(!took(&mut pace, PROOF - 1, PAUSE));
        assert!(took(&mut pace, 1, Duration::ZERO));
    }

    /// Held since a time, and wanted or not.
    struct Held(Instant, bool);

    impl Burden for Held {
        fn since(&self) -> Option<Instant> {
            Some(self.0)
        }

        fn is_wanted(&self) -> bool {
            self.1
        }
    }

    /// What the check says of an answer that holds something, so long after a peer stopped that took all until then.
    fn check_of_burden(wanted: bool, after: Duration) -> Result<Option<Duration>, Cut> {
        let start = Instant::now();
        let limits = Limits::default();
        let mut watch = Watch::new(limits, start);
        watch.request_begins(false, true);
        let held = Arc::new(Held(start, wanted));
        watch.carry(held.clone());
        // Whoever takes all of it keeps nobody waiting.
        assert_eq!(watch.check(start + 2 * limits.burden), Ok(None));
        watch.pace.waits(start);
        let check = watch.check(start + after);
        check.map(|next| next.map(|next| next - start))
    }

    #[test]
    fn a_peer_keeps_what_others_want_for_a_while_only() {
        let burden = Limits::default().burden;
        let almost = burden - Duration::from_millis(1);
        assert_eq!(check_of_burden(true, almost), Ok(Some(burden)));
        assert_eq!(check_of_burden(true, burden), Err(Cut::Burden));
        assert_eq!(check_of_burden(false, burden), Ok(Some(burden + LOOK)));
        assert_eq!(check_of_burden(false, WINDOW - LOOK / 2), Ok(Some(WINDOW)));
    }

    #[test]
    fn burdens_that_are_over_are_forgotten() {
        let now = Instant::now();
        let mut watch = Watch::new(Limits::default(), now);
        let held = Arc::new(Held(now, false));
        watch.carry(held.clone());
        watch.carry(Arc::new(Held(now, false)));
        watch.carry(Arc::new(Held(now, false)));
        assert_eq!(watch.burdens.len(), 2);
    }

    /// What a slow peer has to read before the server sees that it does.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_slow_peer_is_seen_to_read() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        use tokio::time::timeout;

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let mut client = TcpStream::connect(address).await.expect("it listens");
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut socket = Socket::new(stream, Shared::new(Limits::default()));
        let (sent, mut seen) = tokio::sync::watch::channel(());
        let writer = tokio::spawn(async move {
            while socket.write(&[b'x'; 64 * 1024]).await.is_ok() {
                sent.send_replace(());
            }
        });
        let mut progress = async |wait| timeout(wait, seen.changed()).await.is_ok();
        while progress(Duration::from_millis(500)).await {}

        for _ in 0..5 {
            let mut read = 0;
            while !progress(Duration::from_millis(10)).await {
                read += client.read(&mut [0; 1024]).await.expect("it sends");
                assert!(read < 64 * 1024, "nothing seen of {read} bytes");
            }
            while progress(Duration::from_millis(100)).await {}
        }
        drop(client);
        writer.await.expect("it ends with the connection");
    }

    #[test]
    fn a_slow_answer_is_not_the_fault_of_the_peer() {
        let start = Instant::now();
        let mut watch = Watch::new(Limits::default(), start);
        watch.request_begins(false, true);
        for second in 0..600 {
            let now = start + Duration::from_secs(second);
            watch.bytes_went(1, now);
            assert_eq!(watch.check(now), Ok(None));
        }
    }

    #[test]
    fn the_phases_have_their_own_times() {
        let limits = Limits::default();
        let start = Instant::now();
        let mut watch = Watch::new(limits, start);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(watch.check(at(29)), Ok(Some(start + limits.idle)));
        watch.bytes_came(at(29));
        watch.bytes_came(at(33));
        assert_eq!(watch.check(at(38)), Ok(Some(at(29) + limits.head)));
        assert_eq!(watch.check(at(39)), Err(Cut::Head));
        watch.request_begins(true, false);
        watch.bytes_came(at(40));
        assert_eq!(watch.check(at(1000)), Ok(None));
        // The next request begins before the last answer is let go.
        watch.request_begins(false, true);
        watch.answer_ends(at(1000));
        watch.bytes_came(at(1500));
        assert_eq!(watch.check(at(2000)), Ok(None));
        watch.answer_ends(at(2000));
        assert_eq!(watch.check(at(2001)), Ok(Some(at(2000) + limits.idle)));
        watch.bytes_went(1, at(2010));
        assert_eq!(watch.check(at(2039)), Ok(Some(at(2010) + limits.idle)));
        assert_eq!(watch.check(at(2040)), Err(Cut::Idle));
    }
}
