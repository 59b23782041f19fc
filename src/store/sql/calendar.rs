//! The follow-ups of the calendar: those of open processes, with what is needed to call.
//!
//! A calendar is bounded: it has the overdue follow-ups that came last, and the next ones to come. They are read in portions.

use super::open::is_open;
use crate::base::time::Zone;
use crate::model::calendar::CalendarEvent;
use crate::model::value::Value;

/// How many overdue follow-ups a calendar has, at most.
pub(crate) const MOST_OVERDUE: usize = 500;

/// How many follow-ups that are still to come it has, at most.
pub(crate) const MOST_COMING: usize = 1_000;

/// How many are read at once.
pub(crate) const PORTION: usize = 250;

/// When the newest change was made.
pub(crate) const NEWEST: &str = "SELECT at FROM crm_changes ORDER BY seq DESC LIMIT 1";

/// Selects the next portion after a time and an id, the earliest first; or, if it is about the past, those before them, the
/// latest first. The last action is that of the process, or else the newest of the lead; one with a note comes first.
pub(crate) fn select(past: bool) -> String {
    let (before, order) = match past {
        true => ("<", "DESC"),
        false => (">", "ASC"),
    };
    format!(
        "SELECT p.id, p.created_at, p.version, p.next_followup_datetime, p.name, l.name, l.email, \
         CASE WHEN octet_length(l.attributes) <= 20480 THEN l.attributes END, a.action_type, a.timestamp, \
         substr(a.details, 1, 1000), p.updated_at, l.updated_at, a.updated_at FROM processes p \
         LEFT JOIN leads l ON l.id = p.lead_id LEFT JOIN actions a ON a.id = coalesce(\
         (SELECT one.id FROM actions one WHERE one.id = p.last_action_id AND one.details <> ''), \
         (SELECT one.id FROM actions one WHERE one.lead_id = p.lead_id AND one.details <> '' ORDER BY one.timestamp DESC, one.id DESC LIMIT 1), \
         p.last_action_id) \
         WHERE {} AND (p.next_followup_datetime, p.id) {before} ($1, $2) \
         ORDER BY p.next_followup_datetime {order}, p.id {order} LIMIT {PORTION}",
        is_open("p.status")
    )
}

/// Reads a row of [`select`]. Times for people are in the zone.
pub(crate) fn event(row: &[Value], zone: &Zone) -> Option<CalendarEvent> {
    let text = |at: usize| Some(row.get(at)?.text()?.to_string());
    let changed = [11, 12, 13].into_iter().filter_map(text).max();
    let last = text(8).zip(text(9));
    let shown = |at: String| match zone.name() {
        "UTC" => format!("{} UTC", zone.brief(&at)),
        _ => zone.brief(&at),
    };
    Some(CalendarEvent {
        process: row.first()?.int()?,
        created_at: text(1)?,
        version: row.get(2)?.int()?,
        is_day: zone.show(&text(3)?).ends_with("00:00:00"),
        due: text(3)?,
        name: text(4)?,
        lead_name: text(5),
        lead_email: text(6),
        attributes: text(7),
        last: last.map(|(kind, at)| (kind, shown(at), text(10))),
        changed_at: changed.unwrap_or_default(),
    })
}
