//! Answers a request for the calendar: reads its follow-ups, and says whether it has changed.

use std::borrow::Cow;

use warp::http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};

use super::request::Request;
use crate::base::error::Result;
use crate::base::time;
use crate::model::calendar::{CalendarEvent, MEDIA, calendar};
use crate::model::token::Hash;
use crate::model::value::Value;
use crate::operation::service::Answered;
use crate::store::sql::calendar::{MOST_COMING, MOST_OVERDUE, NEWEST, PORTION, event, select};

impl Request<'_> {
    /// The calendar, or that it has not changed.
    pub(super) async fn calendar_file(&self) -> Result<Answered> {
        // First, so that what is changed from here on has a later time.
        let modified = self.modified().await?;
        let text = calendar(&self.events().await?);
        let etag = format!("\"{}\"", &Hash::of(text.as_bytes()).hex()[..32]);
        let is_known = self.knows(&etag, modified.as_deref());
        let mut answered = Answered::ok(MEDIA, if is_known { String::new() } else { text });
        answered.status = if is_known { 304 } else { 200 };
        answered = answered
            .header("etag", etag)
            .header("cache-control", "private, no-cache");
        Ok(match modified {
            Some(at) => answered.header("last-modified", at),
            None => answered,
        })
    }

    /// The overdue follow-ups that came last, and the next ones, in the order of their times.
    async fn events(&self) -> Result<Vec<CalendarEvent>> {
        let (now, _) = self.api.store.next_followup().await?;
        let mut events = self.portions(&now, true, MOST_OVERDUE).await?;
        events.reverse();
        events.extend(self.portions(&now, false, MOST_COMING).await?);
        Ok(events)
    }

    async fn portions(&self, now: &str, past: bool, most: usize) -> Result<Vec<CalendarEvent>> {
        let sql = select(past);
        let (mut at, mut id) = (now.to_string(), 0);
        let mut events = Vec::new();
        while events.len() < most {
            let params = [Value::from(at.as_str()), Value::Int(id)];
            let rows = self.api.store.rows(&sql, &params).await?;
            events.extend(rows.iter().filter_map(|row| event(row, &self.api.zone)));
            let last = rows.last().filter(|_| rows.len() == PORTION);
            let Some((next_id, next_at)) =
                last.and_then(|row| Some((row[0].int()?, row[3].text()?)))
            else {
                break;
            };
            (at, id) = (next_at.into(), next_id);
            // A read of a file does not wait for anything, and other requests come in between.
            tokio::task::yield_now().await;
        }
        events.truncate(most);
        Ok(events)
    }

    /// When anything was changed last, for a header. Times are kept in seconds, so a change of this second may still be
    /// followed by another, and the time before it is told.
    async fn modified(&self) -> Result<Option<String>> {
        let rows = self.api.store.rows(NEWEST, &[]).await?;
        let newest = rows.first().and_then(|row| row.first()?.text());
        let before = std::time::SystemTime::now() - std::time::Duration::from_secs(1);
        let at = newest.and_then(time::read_stored);
        Ok(at.and_then(|at| time::http(at.min(before))))
    }

    /// Whether the client has this state already. If it names a tag, its time does not count (RFC 9110, section 13.2.2).
    fn knows(&self, etag: &str, modified: Option<&str>) -> bool {
        let headers = self.head.headers;
        if headers.contains_key(IF_NONE_MATCH) {
            let lines = headers.get_all(IF_NONE_MATCH).iter();
            let lines = lines.map(|line| String::from_utf8_lossy(line.as_bytes()));
            return lines.flat_map(tags).any(|tag| tag == "*" || tag == etag);
        }
        // Only the very same time: another one is from before or after the clock was set.
        let since = headers.get(IF_MODIFIED_SINCE);
        since.is_some_and(|since| Some(since.as_bytes()) == modified.map(str::as_bytes))
    }
}

/// The tags of a header, compared as weak ones.
fn tags(line: Cow<'_, str>) -> Vec<String> {
    let tags = line.split(',').map(str::trim);
    tags.map(|tag| tag.strip_prefix("W/").unwrap_or(tag).to_string())
        .collect()
}
