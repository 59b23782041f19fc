//! How a connection learns that its responses hold memory that other requests want.
//!
//! The accept loop does not know what a response is made of. So the code that makes a response attaches a [`HoldsMemory`],
//! and the connection uses it to decide when a slow peer is cut. The memory itself is counted in
//! [`responses`](super::responses).

use std::sync::Arc;

use tokio::time::Instant;

/// The memory that a response holds until its peer has taken it.
pub trait HeldMemory: Send + Sync {
    /// When the oldest part of it was taken; `None` while nothing is held.
    fn since(&self) -> Option<Instant>;

    /// Whether other requests want it now.
    fn is_wanted(&self) -> bool;
}

/// An extension of a response that tells its connection which memory the response holds.
#[derive(Clone)]
pub struct HoldsMemory(pub Arc<dyn HeldMemory>);
