//! The limits over real sockets. They are made small here. No test waits for a time; each waits for what has to happen.

mod ends;
mod protocol;
mod readers;
mod room;
mod server;
mod times;
