//! Bounds on what one list may cost.

use crate::base::error::{Error, Result, quoted};

/// The largest limit that a database accepts. It does not bound memory, because lists of any length are streamed.
pub const LARGEST_LIMIT: u64 = i64::MAX as u64 - 1;

/// The largest number of filters. It bounds the cost of planning one request.
pub const MOST_FILTERS: usize = 100;

/// The largest number of values in one `in`.
pub const MOST_VALUES: usize = 1_000;

/// The largest number of values in all filters together; a time counts as two. Databases bound the parameters of a
/// statement.
pub const MOST_VALUES_IN_ALL: usize = 10_000;

/// The largest number of names in `sort`. It bounds the depth of the condition that continues after a cursor, and the length of
/// the cursor.
pub const MOST_SORTED: usize = 10;

/// The longest pattern of `like` and the longest `q`, in characters. Every record is searched for it.
pub const LONGEST_PATTERN: usize = 1_000;

/// The largest size of all parameters together, in bytes as a URL writes them. It applies to a file too, so that a file
/// and a server accept the same lists.
pub const LONGEST_QUERY: usize = 60_000;

/// How many characters of a text a sort compares. Texts that are equal up to there are ordered by id. This keeps a cursor
/// short enough for a URL, because it holds the sorted values of the last record.
pub const SORTED_LETTERS: usize = 256;

/// Reads the parameter `limit`.
pub(super) fn limit(text: &str) -> Result<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let limit = text
        .parse()
        .ok()
        .filter(|limit| digits && (1..=LARGEST_LIMIT).contains(limit));
    limit.ok_or_else(|| {
        Error::field(
            "limit",
            format!(
                "expected a whole number of 1 or more, or nothing for the whole list, got {}",
                quoted(text)
            ),
        )
    })
}
