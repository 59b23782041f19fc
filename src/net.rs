//! The network.

pub mod accept;
pub mod address;
pub mod answers;
pub mod body;
pub mod burden;
pub mod door;
pub mod hits;
pub mod limits;
pub mod meter;
pub mod peer;
pub mod rate;
mod seats;
#[cfg(test)]
mod tests;
pub mod tls;
mod watch;
