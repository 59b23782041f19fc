//! The stores: where records are kept.

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the store that opens files is built on it")
)]
mod sqlite;
