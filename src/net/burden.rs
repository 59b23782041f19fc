//! What an answer holds.

use std::sync::Arc;

use tokio::time::Instant;

/// What an answer holds until its peer has taken it, and others may want.
pub trait Burden: Send + Sync {
    /// Since when it holds something.
    fn since(&self) -> Option<Instant>;

    /// Whether others want it now.
    fn is_wanted(&self) -> bool;
}

/// An extension of a response, by which its connection is told of its burden.
#[derive(Clone)]
pub struct Burdened(pub Arc<dyn Burden>);
