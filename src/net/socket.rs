//! The TCP socket of a connection. It reports to the [`Watch`](super::watch::Watch) the bytes that are received and sent,
//! and it closes in a way that the peer understands.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

#[cfg(target_os = "linux")]
use socket2::SockRef;
#[cfg(target_os = "linux")]
use tokio::io::Interest;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::net::watch::SharedWatch;

/// The size of a piece in bytes. A peer at the rate takes 17 of them in 17 s, well within its window.
const PIECE: usize = 512;

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
        // option makes it report every few kilobytes that the peer's kernel took.
        #[cfg(target_os = "linux")]
        best_effort(SockRef::from(&stream).set_tcp_notsent_lowat(4 * 1024));
        WatchedSocket {
            stream,
            watch,
            discarded: None,
            ended: false,
        }
    }

    /// Whether to write piece by piece. Data no longer than a piece needs no mark at its end.
    fn in_pieces(&self, slices: &[IoSlice<'_>]) -> bool {
        slices.iter().map(|slice| slice.len()).sum::<usize>() > PIECE
            && !self.watch.lock().is_quick()
    }

    /// Writes one piece, marked as the end of a record.
    ///
    /// A server learns that a slow peer reads only when the peer's kernel frees memory. Linux joins received segments into
    /// buffers, and it frees a buffer only as a whole: up to 128 KiB that the program has not read. So a reader of 1 KB/s
    /// would look dead for two minutes. Segments that are separate records stay apart, so a buffer holds at most 17 of
    /// them.
    #[cfg(target_os = "linux")]
    fn poll_write_piece(
        &self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        /// `MSG_EOR` and `MSG_NOSIGNAL` in `socket.h` of Linux.
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
        let result = if self.in_pieces(slices) {
            self.poll_write_piece(cx, slices)
        } else {
            Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
        };
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

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Ends the writing side. If the peer may still be sending something unwanted, it is read and discarded for a while:
    /// closing a socket with unread bytes makes the kernel send a reset, and a reset makes the peer's kernel drop the
    /// response (RFC 9112, 9.6).
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.discarded.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            let mut watch = this.watch.lock();
            if this.ended || !watch.has_unwanted() {
                return Poll::Ready(Ok(()));
            }
            watch.lingers(Instant::now());
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    use super::*;
    use crate::net::limits::ConnectionLimits;

    /// A slow peer needs to read less than 64 KiB before the server sees that it reads.
    #[tokio::test]
    async fn a_slow_peer_is_seen_to_read() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let mut client = TcpStream::connect(address).await.expect("it listens");
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut socket = WatchedSocket::new(stream, SharedWatch::new(ConnectionLimits::default()));
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
}
