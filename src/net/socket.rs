//! The TCP socket of a connection. It reports to the [`Watch`](super::watch::Watch) the bytes that are received and sent,
//! and it closes in a way that the peer understands.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::net::reset::ResetCheck;
use crate::net::watch::SharedWatch;

/// The most that is read and discarded after a response, in bytes.
const LINGER_BYTES: usize = 64 * 1024 * 1024;

/// A TCP stream with its watch.
pub(super) struct WatchedSocket {
    stream: TcpStream,
    watch: SharedWatch,
    /// How many bytes were read and discarded since the writing side was shut down.
    discarded: Option<usize>,
    /// Whether the peer has ended its side.
    ended: bool,
    reset: ResetCheck,
}

/// Logs the failure of an option that a connection can do without.
fn best_effort(set: io::Result<()>) {
    if let Err(error) = set {
        tracing::debug!("cannot set a socket option: {error}");
    }
}

impl WatchedSocket {
    pub(super) fn new(stream: TcpStream, watch: SharedWatch) -> WatchedSocket {
        best_effort(stream.set_nodelay(true));
        // The send buffer of Linux grows to megabytes, and Linux reports room in it only when a third of it is free. This
        // option makes it report every few kilobytes that the peer's system took.
        #[cfg(target_os = "linux")]
        best_effort(SockRef::from(&stream).set_tcp_notsent_lowat(4 * 1024));
        WatchedSocket {
            stream,
            watch,
            discarded: None,
            ended: false,
            reset: ResetCheck::default(),
        }
    }

    /// Reports that everything was written. Fails if the peer has reset the connection while the service works on its
    /// request. hyper reads nothing during that time, so it would notice a reset only when it writes.
    fn poll_flushed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut watch = self.watch.lock();
        watch.all_written();
        if watch.is_answering() && self.reset.poll(&self.stream, cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for WatchedSocket {
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

impl AsyncWrite for WatchedSocket {
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
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        let mut watch = self.watch.lock();
        match &result {
            Poll::Pending => watch.write_waits(Instant::now()),
            Poll::Ready(Ok(count)) => watch.bytes_went(*count, Instant::now()),
            Poll::Ready(Err(_)) => {}
        }
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes whenever it runs, so this is also where a reset is noticed. hyper and TLS flush the socket only when
    /// they have written all that they hold.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.poll_flushed(cx)
    }

    /// Ends the writing side, and discards what has come and nobody will read. If the peer may still be sending something
    /// unwanted, that is discarded for a while too. Closing a socket with unread bytes makes the kernel send a reset, and a
    /// reset makes the peer's kernel drop the response (RFC 9112, 9.6).
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.discarded.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.discarded = Some(0);
            let mut watch = this.watch.lock();
            if watch.has_unwanted() && !this.ended {
                watch.lingers(Instant::now());
            }
        }
        let mut scrap = [0; 16 * 1024];
        while !this.ended && this.discarded < Some(LINGER_BYTES) {
            let mut buffer = ReadBuf::new(&mut scrap);
            let read = match Pin::new(&mut this.stream).poll_read(cx, &mut buffer) {
                Poll::Pending if this.watch.lock().is_lingering() => return Poll::Pending,
                // For example the end of TLS from a peer that ended its side before it got its response.
                Poll::Pending => break,
                Poll::Ready(read) => read,
            };
            let count = buffer.filled().len();
            this.ended = read.is_err() || count == 0;
            this.discarded = this.discarded.map(|sum| sum + count);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for WatchedSocket {
    fn drop(&mut self) {
        // A peer that lacks a part of its response gets a reset instead of a normal end: without a length, as in
        // HTTP/1.0, the response would look complete. The reset also frees what the kernel holds for a peer that takes
        // nothing.
        if self.watch.lock().is_unfinished() {
            // If this fails, the connection is already gone.
            let _ = self.stream.set_zero_linger();
        }
    }
}
