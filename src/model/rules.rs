//! The rules that the operator of a database chooses: which processes are finished, when a logged action is followed up,
//! what a plain action does, and what a second lead with one address does.
//!
//! They are the same for all of a program: for its lists, its operations and its workers. So they are set once, before the
//! database is opened, and read from here. A command over a URL sets none: the rules of the server hold.

use std::sync::OnceLock;

use crate::model::lead::OnDuplicate;

/// The longest cadence, in days: ten years.
pub const LONGEST_CADENCE: i64 = 3_650;

/// The statuses of a process that is finished, unless the operator names others.
pub const FINISHED: [&str; 7] = [
    "completed",
    "done",
    "closed",
    "cancelled",
    "canceled",
    "won",
    "lost",
];

/// The rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The statuses of a process that is finished. Every other process is open. The case of ASCII letters makes no
    /// difference, as in both databases.
    pub finished: Vec<String>,
    /// After how many days a logged action is followed up, if neither the request nor the process says.
    pub cadence: i64,
    /// Whether a plain create of an action moves a process of its lead, or opens one.
    pub auto_process: bool,
    /// What to do if another lead already has the address of a new lead, and the request does not say.
    pub on_duplicate: OnDuplicate,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            finished: FINISHED.map(String::from).to_vec(),
            cadence: 7,
            auto_process: false,
            on_duplicate: OnDuplicate::default(),
        }
    }
}

impl Rules {
    /// The status of a process that is ended: `completed`, unless the operator has named other statuses alone.
    pub fn ended(&self) -> &str {
        let first = self.finished.first().map_or(FINISHED[0], String::as_str);
        match self.is_open(FINISHED[0]) {
            true => first,
            false => FINISHED[0],
        }
    }

    /// Whether a process with this status is open.
    pub fn is_open(&self, status: &str) -> bool {
        let mut finished = self.finished.iter();
        !finished.any(|word| word.eq_ignore_ascii_case(status))
    }
}

static RULES: OnceLock<Rules> = OnceLock::new();

/// Sets the rules of this program. Only the first call counts, so that they never change under a running operation.
pub fn set(rules: Rules) {
    let _ = RULES.set(rules);
}

/// The rules of this program: those that were set, or else the defaults.
pub fn get() -> &'static Rules {
    static DEFAULT: OnceLock<Rules> = OnceLock::new();
    RULES
        .get()
        .unwrap_or_else(|| DEFAULT.get_or_init(Rules::default))
}

/// Refuses a text that is no status.
pub fn check_status(text: &str) -> Result<(), String> {
    match text.trim().is_empty() || text.contains('\0') {
        true => {
            Err("expected comma-separated statuses such as done,won,lost, got an empty one".into())
        }
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_open_unless_its_status_is_one_of_the_finished() {
        let rules = Rules::default();
        for (status, open) in [
            ("active", true),
            ("Done", false),
            ("LOST", false),
            ("", true),
        ] {
            assert_eq!(rules.is_open(status), open, "{status}");
        }
        let rules = Rules {
            finished: vec!["Erledigt".into(), "archiviert".into()],
            ..rules
        };
        assert!(rules.is_open("done") && !rules.is_open("ERLEDIGT"));
        assert_eq!(
            (rules.ended(), Rules::default().ended()),
            ("Erledigt", "completed")
        );
    }
}
