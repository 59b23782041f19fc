//! Where a feed is read: the cursors of a list that can be read on from its end.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The word for the cursor at the end of a feed: `after=end` lists nothing, and its answer has the cursor.
pub const END: &str = "end";

/// Where in which sequence a feed is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedPlace {
    /// The name of the sequence: of the cursor, and after the list has begun, of the database.
    pub epoch: Option<String>,
    /// Whether it is read from its end on.
    pub from_end: bool,
}

impl FeedPlace {
    /// The cursor after a number.
    pub fn encode(&self, seq: i64) -> String {
        let epoch = self.epoch.as_deref().unwrap_or_default();
        URL_SAFE_NO_PAD.encode(format!("{epoch}:{seq}"))
    }

    /// The sequence and the number of a cursor. `None` if the text is no cursor of a feed.
    pub fn decode(text: &str) -> Option<(String, i64)> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (epoch, seq) = text.rsplit_once(':')?;
        let is_epoch = !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digits = !seq.is_empty() && seq.bytes().all(|byte| byte.is_ascii_digit());
        let seq = seq.parse().ok().filter(|_| digits)?;
        is_epoch.then(|| (epoch.into(), seq))
    }
}
