//! Reads and writes of the service for itself, which nobody asked for by a request: the state of deliveries.

use crate::base::error::{Error, Result};
use crate::store::transaction::Transaction;

/// A write of the service for itself. It either does everything or nothing.
pub(crate) trait Chore: Send + 'static {
    /// Its result.
    type Done: Send + 'static;

    /// The rule.
    fn run<T: Transaction>(self, tx: &mut T) -> impl Future<Output = Result<Self::Done>> + Send;
}

/// The error for a chore on the database of another server.
pub(crate) fn not_here() -> Error {
    Error::internal("the database of another server was asked for")
}
