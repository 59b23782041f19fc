//! What one request for a list may cost.

use crate::base::error::{Error, Result, quoted};

/// The largest limit: what a database takes. It is no bound on memory, as a list is streamed however long it is.
pub const LARGEST_LIMIT: u64 = i64::MAX as u64 - 1;

/// The most filters a list takes: a bound on what one request may cost to plan.
pub const MOST_FILTERS: usize = 100;

/// The most values one `in` takes.
pub const MOST_VALUES: usize = 1_000;

/// The most values all filters take together; two for each time. Databases bound the parameters of a statement.
pub const MOST_VALUES_IN_ALL: usize = 10_000;

/// The longest pattern of `like` and the longest `q`, in characters: it is looked for in every record.
pub const LONGEST_PATTERN: usize = 1_000;

/// The most bytes all parameters have together as a URL writes them, so that what a file takes a server takes too.
pub const LONGEST_QUERY: usize = 60_000;

/// How much of a text a sort looks at, in characters. Ties beyond it go by id. It keeps the cursor, which holds the
/// sorted values of the last record, short enough for a URL.
pub const SORTED_LETTERS: usize = 256;

/// Reads a limit.
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
