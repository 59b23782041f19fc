//! The topics of the manual, as one table.

use std::fmt::Write as _;

/// One page of the manual.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    /// Its name in `crm help NAME` and `/docs/NAME`.
    pub name: &'static str,
    /// What it is about, in a few words.
    pub about: &'static str,
    /// Its Markdown.
    pub text: &'static str,
}

macro_rules! topics {
    ($($name:literal, $about:literal;)*) => {
        /// All topics, in reading order.
        pub static TOPICS: &[Topic] = &[$(Topic {
            name: $name,
            about: $about,
            text: include_str!(concat!($name, ".md")),
        }),*];
    };
}

topics! {
    "api", "The HTTP API: paths, lists, filters, errors";
    "commands", "The terminal tool: commands, flags, formats, exit codes";
    "import", "Files of other programs: import and export";
    "bulk", "Many records in one request, and from one file";
    "due", "Whom to contact next, and who works on it";
    "search", "Find records by their words";
    "settings", "Every setting: flag, environment variable, config file";
    "tokens", "Who may use the service";
    "webhooks", "Where every change is sent, signed";
    "networks", "HTTPS, pages of other sites, proxies";
    "limits", "The limits of the service, and what happens beyond them";
    "stream", "Follow the changes: events over HTTP, --follow, --exec";
    "retries", "Idempotency keys and ETags: nothing done twice, nothing overwritten";
    "changes", "Who did what: every change, the history of a record, reading on";
    "reminders", "Told when a follow-up is due, and a calendar to subscribe to";
    "timeline", "The whole story of a lead: its timeline and its summary";
    "duplicates", "Leads that are the same person: find them, merge them; where we stand, in numbers";
    "undo", "Take changes back";
    "privacy", "How long changes are kept, and how a person is forgotten";
    "backups", "Back up, restore, check, replicate";
    "postgres", "PostgreSQL instead of a file: copying, replicas, failover";
    "logs", "The log and the metrics";
    "docker", "Containers, and three replicas behind a load balancer";
    "upgrade", "From the earlier Python service, and what differs";
    "promises", "What crm guarantees, and what it does when something breaks";
}

/// The topic of this name.
pub fn find(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name)
}

/// The names of all topics, comma-separated.
pub fn names() -> String {
    let names: Vec<&str> = TOPICS.iter().map(|topic| topic.name).collect();
    names.join(", ")
}

/// The list of topics, as the end of a help page.
pub fn index() -> String {
    let longest = TOPICS.iter().map(|topic| topic.name.len()).max();
    let width = longest.unwrap_or_default();
    let mut list = String::from("Topics of the manual, for `crm help TOPIC`:\n");
    for topic in TOPICS {
        let _ = writeln!(list, "  {:width$}  {}", topic.name, topic.about);
    }
    list
}
