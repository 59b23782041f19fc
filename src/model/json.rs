//! Writes JSON.

/// Appends a text as a JSON string.
#[inline]
pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    // Nearly no text needs an escape. Looking at every byte without a branch lets the compiler check many at once.
    let escaped = text.bytes().fold(false, |escaped, byte| {
        escaped | (byte < 0x20) | (byte == b'"') | (byte == b'\\')
    });
    if !escaped {
        out.reserve(text.len() + 2);
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    // Writing a str to memory does not fail.
    let _ = serde_json::to_writer(out, text);
}
