//! Webhooks: addresses to which the service sends the changes.
//!
//! A webhook has the types of changes that it wants, and a secret that signs what is sent, as Standard Webhooks
//! (<https://www.standardwebhooks.com>) says. Unlike a token, the secret is stored: without it, nothing could be signed.

mod secret;

use std::fmt;

use serde_json::{Value as Json, json};

use crate::model::change_type::{ALL, expected, is_type};

pub use secret::{SECRET_PREFIX, SigningSecret, signature};

/// The types of changes that a webhook wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeTypes(Vec<String>);

impl ChangeTypes {
    /// All types.
    pub fn all() -> ChangeTypes {
        ChangeTypes(vec![ALL.into()])
    }

    /// Reads types: `*`, `lead.*`, `lead.created`. The error says what was expected.
    pub fn new<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<ChangeTypes, String> {
        let mut types: Vec<String> = Vec::new();
        for word in words.into_iter().map(str::trim) {
            if word != ALL && !is_type(word) {
                return Err(expected("types like *, ", word));
            }
            if !types.iter().any(|known| known == word) {
                types.push(word.into());
            }
        }
        match types.iter().any(|word| word == ALL) || types.is_empty() {
            true => Ok(ChangeTypes::all()),
            false => Ok(ChangeTypes(types)),
        }
    }

    /// Reads the comma-separated form, as it is stored.
    pub fn parse(text: &str) -> Result<ChangeTypes, String> {
        ChangeTypes::new(text.split(','))
    }

    /// Reads the stored form. An unknown type comes from a newer version; it is kept, and nothing has it.
    pub fn stored(text: &str) -> ChangeTypes {
        ChangeTypes(text.split(',').map(str::to_string).collect())
    }

    /// Whether a change of this type is wanted.
    pub fn has(&self, kind: &str) -> bool {
        let noun = kind.split_once('.').map_or(kind, |(noun, _)| noun);
        self.0.iter().any(|word| match word.strip_suffix(".*") {
            Some(wanted) => wanted == noun,
            None => word == ALL || word == kind,
        })
    }

    /// The words.
    pub fn words(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for ChangeTypes {
    /// Comma-separated.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

/// What a webhook does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookState {
    /// It is sent the changes.
    Active,
    /// It waits until it is resumed, and then gets what has happened since.
    Paused,
    /// Its receiver has answered 410, so nothing is sent any more.
    Gone,
}

impl WebhookState {
    /// The words that are stored and shown.
    pub const WORDS: [(&str, WebhookState); 3] = [
        ("active", WebhookState::Active),
        ("paused", WebhookState::Paused),
        ("gone", WebhookState::Gone),
    ];

    /// Reads a word.
    pub fn parse(word: &str) -> Option<WebhookState> {
        let known = Self::WORDS.iter().find(|known| known.0 == word)?;
        Some(known.1)
    }

    /// The word.
    pub fn word(self) -> &'static str {
        Self::WORDS[self as usize].0
    }
}

/// The most changes that are counted as waiting.
pub const MOST_COUNTED: i64 = 10_000;

/// A webhook as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Chosen by people and unique, with the rules of a token's name.
    pub name: String,
    /// Where the changes are sent.
    pub url: String,
    /// Which changes.
    pub types: ChangeTypes,
    /// What it does.
    pub state: WebhookState,
    /// When it was made, in the stored form.
    pub created_at: String,
    /// The result of the last try.
    pub last_answer: Option<String>,
    /// When the last try was.
    pub last_answer_at: Option<String>,
    /// Since when nothing was delivered. `None` if the last try succeeded.
    pub failing_since: Option<String>,
    /// How many changes wait, at most [`MOST_COUNTED`] of those that were not tried yet.
    pub waiting: i64,
    /// How many changes were given up.
    pub given_up: i64,
    /// When the secret before the last rotation ends. `None` if there is none.
    pub old_secret_until: Option<String>,
}

impl Webhook {
    /// As the API and `-o json` show it.
    pub fn to_json(&self) -> Json {
        json!({
            "name": self.name,
            "url": self.url,
            "types": self.types.words(),
            "state": self.state.word(),
            "created_at": self.created_at,
            "last_answer": self.last_answer,
            "last_answer_at": self.last_answer_at,
            "failing_since": self.failing_since,
            "waiting": self.waiting,
            "given_up": self.given_up,
            "old_secret_until": self.old_secret_until,
        })
    }

    /// Reads what [`Webhook::to_json`] wrote.
    pub fn from_json(json: &Json) -> Option<Webhook> {
        let text = |name: &str| Some(json.get(name)?.as_str()?.to_string());
        let types = json.get("types")?.as_array()?.iter();
        let types: Option<Vec<&str>> = types.map(Json::as_str).collect();
        Some(Webhook {
            name: text("name")?,
            url: text("url")?,
            types: ChangeTypes::stored(&types?.join(",")),
            state: WebhookState::parse(&text("state")?)?,
            created_at: text("created_at")?,
            last_answer: text("last_answer"),
            last_answer_at: text("last_answer_at"),
            failing_since: text("failing_since"),
            waiting: json.get("waiting")?.as_i64()?,
            given_up: json.get("given_up")?.as_i64()?,
            old_secret_until: text("old_secret_until"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_of_nouns_and_events() {
        let types = ChangeTypes::parse("lead.*, process.updated,lead.*").unwrap();
        assert_eq!(types.to_string(), "lead.*,process.updated");
        for (kind, wanted) in [
            ("lead.created", true),
            ("lead.erased", true),
            ("process.updated", true),
            ("process.due", false),
            ("process.deleted", false),
            ("action.created", false),
        ] {
            assert_eq!(types.has(kind), wanted, "{kind}");
        }
        let due = ChangeTypes::parse("process.due").unwrap();
        assert!(due.has("process.due") && !due.has("process.updated"));
        assert!(ChangeTypes::parse("process.*").unwrap().has("process.due"));
        let all = ChangeTypes::parse("lead.created,*").unwrap();
        assert_eq!(all, ChangeTypes::all());
        assert!(all.has("action.deleted"));
        for wrong in [
            "",
            "lead",
            "lead.",
            "*.created",
            "leads.*",
            "lead.read",
            "lead.due",
            "lead.*,",
        ] {
            let why = ChangeTypes::parse(wrong).unwrap_err();
            assert!(why.contains("lead.created"), "{why}");
        }
    }
}
