//! The note on a follow-up whose time has passed when it is set. It is accepted, as somebody may write down what should have been
//! done, but it is more often a slip: `8am` at nine, or the last year.

use super::say::say;
use crate::base::time::{self, Zone};
use crate::model::due::{Due, Moment};

/// Says that a follow-up at this time, in the stored form or in UTC with a `Z`, is overdue at once, if it is.
pub(super) fn note(flag: &str, next: &str, zone: &Zone) {
    let next = next.trim_end_matches('Z');
    // `now` is meant as it is.
    let is_now = time::distance(next, &time::now()).is_some_and(|ago| ago == "now");
    if !is_now && Moment::now(zone).of(Some(next)) == Due::Overdue {
        let time = zone.brief(next);
        say(&format!(
            "note: {flag}: {time} is in the past, so the follow-up is overdue at once"
        ));
    }
}
