//! The limits over real sockets. The tests make them small. No test sleeps for a fixed time; each waits for the event that
//! must happen.

mod ends;
mod protocol;
mod readers;
mod room;
mod server;
mod times;
