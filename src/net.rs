//! Connections: how they are accepted, encrypted, limited and ended. This module knows no record, no route and no store;
//! it serves any `hyper` service, and imports only [`base`](crate::base).
//!
//! # Why not warp's own server
//!
//! `warp::serve(...).run()` sets no timer. A connection that is idle, a request head that drips in byte by byte and a
//! client that stops reading are all kept for ever, and a few hundred of them starve the service. So the service runs hyper
//! on its own accept loop, with HTTP/1.1 only. warp still builds the routes; here it is just a `service`.
//!
//! # What it guarantees
//!
//! - **Every wait for a client ends.** There is a time limit for the head of a request, for its body, for an idle
//!   connection, for a client that reads too slowly, and for the requests that run when the service stops.
//! - **Memory is bounded.** So are the number of connections, the size of a head and of a body, the bytes of all bodies that
//!   are being read, and the bytes of all large responses that wait for their clients.
//! - **No client can lock out the others.** Each address has its own limit, and a client from a new address is admitted
//!   even if all connections are taken: a connection of an address that has many is evicted. One that may be saving
//!   something is never evicted.
//! - **A response is complete, or it looks broken.** A client that misses a part of its response gets a reset, not a normal
//!   end. A client that gets its response early can finish sending, so that no reset destroys the response. A client that
//!   ends only its own side after a request gets the whole response.
//! - **A response that its peer may no longer have ends**, also in the middle of a write; see [`lease`].
//! - **Streams keep no request out.** They are counted apart, see [`streams`].
//! - **Each time a limit is reached, this is counted**, see [`hits`]. `/metrics` shows the counts.
//!
//! # Timers
//!
//! hyper's own timer for heads also runs on idle connections, and it cannot tell the two apart. So the times of connections
//! are kept in `watch`: the socket and the service report to it what happens, and the connection's task asks it when to
//! cut. Only time in which bytes wait for the client counts against a slow reader; see `pace`. The time for a body is kept
//! in [`body`], because the code that reads the body can still answer with 408.
//!
//! # Files
//!
//! | file | what it holds |
//! |---|---|
//! | [`limits`], [`settings`] | the limits of connections with their defaults; all settings of the accept loop |
//! | [`hits`], [`meter`] | how often each limit was reached; how many connections there are |
//! | [`peer`], `address` | which client sent a request, also behind trusted proxies; the address by which a client is counted |
//! | [`accept`], `admission`, `seats` | the accept loop; whether a connection is admitted; which one is evicted for it |
//! | `connection`, [`service`], [`exchange`], `checks` | one connection; its requests and responses; the rules of HTTP/1.1 |
//! | `watch`, `pace` | the state of a connection and when it is cut; how quickly its peer reads |
//! | `socket`, `reset` | the TCP socket; whether its peer is gone while the service works |
//! | `transport`, [`certificate`] | the stream with or without TLS; the certificate in its files |
//! | [`body`] | request bodies: size, depth, time and memory |
//! | [`responses`], `memory`, [`held`] | the memory of large responses; that of one response; how a connection learns of it |
//! | [`lease`] | the end of a response whose peer may no longer have it |
//! | [`streams`] | responses that last as long as their peers want |
//! | [`rate`] | requests a second |
//! | [`clock`] | whether the system's clock shows a time that responses can have |

pub mod accept;
mod address;
mod admission;
pub mod body;
pub mod certificate;
mod checks;
pub mod clock;
mod connection;
pub mod exchange;
pub mod held;
pub mod hits;
pub mod lease;
pub mod limits;
mod memory;
pub mod meter;
mod pace;
pub mod peer;
pub mod rate;
mod reset;
pub mod responses;
mod seats;
pub mod service;
pub mod settings;
mod socket;
pub mod streams;
#[cfg(test)]
mod tests;
mod transport;
mod watch;
