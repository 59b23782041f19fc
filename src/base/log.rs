//! The log of a service: lines on standard error, as text or as JSON, written in batches by one thread.
//!
//! A caller puts its line into a buffer and continues. The thread swaps the buffer for an empty one and writes the lines.
//! No caller waits for whoever reads the log: lines that do not fit are dropped and counted, and a pipe that is full or
//! closed neither stops the service nor keeps it from ending. The thread writes through its own descriptor of standard
//! error, because a blocked write would hold the standard library's lock.
//!
//! Events of `tracing` go through the same buffer, so that lines never mix.

mod line;

mod writer;

mod process;

pub use line::{Form, member, plain};
pub use process::{begin, current, dropped, end};
pub use writer::{Log, Options};
