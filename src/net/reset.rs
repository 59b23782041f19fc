//! How a connection notices that its peer is gone while the service works on a request.
//!
//! The end of what a peer sends does not say that it is gone: it may have ended only its own side and wait for the
//! response. A reset says so. It comes from a program that closed its socket with unread bytes in it, or as the answer to
//! bytes that were written after it closed. So the work for a peer that closed is given up at the latest when a part of the
//! response is written to it, and the work for a peer that reset the connection is given up at once.
//!
//! A reset wakes a connection that waits for bytes. If bytes or an end of input wait already, as after a half-close or with
//! pipelined requests, nothing wakes it. Then it looks once a second.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// The time between two looks at a connection that a reset does not wake.
const INTERVAL: Duration = Duration::from_secs(1);

/// Looks for a reset of one connection.
#[derive(Default)]
pub(super) struct ResetCheck {
    /// When to look again, after the first look.
    timer: Option<Pin<Box<Sleep>>>,
}

impl ResetCheck {
    /// Resolves when the connection is reset.
    pub(super) fn poll(&mut self, stream: &TcpStream, cx: &mut Context<'_>) -> Poll<()> {
        // An error would be one of the runtime, which is then ending.
        let _ = ready!(stream.poll_read_ready(cx));
        loop {
            if let Some(timer) = &mut self.timer {
                ready!(timer.as_mut().poll(cx));
            }
            // The system forgets the peer of a socket that was reset, but not of one whose peer only ended its side.
            if stream.peer_addr().is_err() {
                return Poll::Ready(());
            }
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(Instant::now() + INTERVAL),
                None => self.timer = Some(Box::pin(sleep(INTERVAL))),
            }
        }
    }
}
