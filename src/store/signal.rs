//! A signal for each commit, so that tasks of this process that follow the changes need not poll for them.
//!
//! A commit of this process is signalled after its sync, before its caller is answered. A commit of another process is not
//! signalled: who follows the changes also looks by itself now and then. Signals that arrive while a task is busy become
//! one.

use tokio::sync::watch;

/// The sender of the signal. It has the number of commits so far.
#[derive(Debug, Default)]
pub(crate) struct CommitSignal {
    count: watch::Sender<u64>,
}

impl CommitSignal {
    /// Signals a commit. It wakes tasks and waits for none of them.
    pub(crate) fn committed(&self) {
        self.count.send_modify(|count| *count += 1);
    }

    /// A receiver that is woken by each later commit.
    pub(crate) fn receiver(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }
}
