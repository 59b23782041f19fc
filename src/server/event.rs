//! The text of a stream of events (WHATWG HTML, section 9.2.6, "Interpreting an event stream").
//!
//! An event has no name, because a browser's `onmessage` gets only those; its type is in its data. Its id is the cursor after
//! it.
//!
//! Where no change passes the filters, the client's place has to move on too: otherwise a client that reconnects would begin
//! at the end, or at a place that is no longer kept. So its first block, and later one before a heartbeat, has an id alone. By
//! the standard, a block without data sets the id of the last event and is no event. The heartbeat itself is a comment,
//! which has no id.

use bytes::Bytes;

use crate::model::record::Record;
use crate::model::shown::Shown;

/// The `Content-Type` of a stream of events.
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// A comment. It keeps proxies from ending an idle connection, and tells both sides that the other one is there.
pub(super) const HEARTBEAT: &[u8] = b":\n\n";

/// How long a client waits before it reconnects, in milliseconds.
const RETRY: &str = "retry: 1000\n";

/// The beginning of a stream that is read from this cursor.
pub(super) fn begin(cursor: &str) -> Bytes {
    [RETRY, "id: ", cursor, "\n\n"].concat().into()
}

/// Moves the client's place to this cursor, without an event.
pub(super) fn place(cursor: &str) -> Bytes {
    ["id: ", cursor, "\n\n"].concat().into()
}

/// Appends a change as an event: the cursor after it, and its JSON.
pub(super) fn write(record: &Record, shown: &Shown, cursor: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"id: ");
    out.extend_from_slice(cursor.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let start = out.len();
    record.write_json(shown, out);
    // A line's end would end the data. In JSON it can only be white space between tokens.
    for byte in &mut out[start..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    out.extend_from_slice(b"\n\n");
}
