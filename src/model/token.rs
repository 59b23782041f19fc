//! Tokens, which decide who may use a service.
//!
//! A token is `crm_` and 32 random letters and digits, which are 190 bits. It is shown once, when it is made. A
//! database stores its SHA-256 and its first letters, so whoever reads the database cannot use it. A random token of
//! this length needs no slow hash.

mod redact;
mod secret;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use subtle::ConstantTimeEq;

use crate::base::error::{Result, quoted};
use crate::base::time::{self, Zone};

pub use redact::{hidden, logged, redacted};
pub use secret::{Hash, PREFIX, Secret, nonce};

/// What a token lets its holder do. Each scope includes those before it, except for [`Scope::Calendar`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// To read the calendar of follow-ups, whose address has the token. No other scope includes it.
    Calendar,
    /// To read records.
    Read,
    /// To create, change and delete them.
    Write,
    /// To manage tokens.
    Admin,
}

impl Scope {
    /// The words that the API and the command line accept.
    pub const WORDS: [(&str, Scope); 4] = [
        ("read", Scope::Read),
        ("write", Scope::Write),
        ("admin", Scope::Admin),
        ("calendar", Scope::Calendar),
    ];

    /// Reads a word.
    pub fn parse(word: &str) -> Option<Scope> {
        Self::WORDS
            .iter()
            .find(|known| known.0 == word)
            .map(|known| known.1)
    }

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Admin => "admin",
            Scope::Calendar => "calendar",
        }
    }
}

/// A request for a new token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// See [`check_name`].
    pub name: String,
    /// What it lets its holder do.
    pub scope: Scope,
    /// When it expires, as [`expiry`] reads it.
    pub expires: Option<String>,
    /// The secret of the caller, if the request may be repeated and must then get the same answer.
    pub asker: Option<Secret>,
}

impl NewToken {
    /// Its secret. If the request may be repeated, the secret is derived from the caller's own and from a salt. The salt is
    /// stored with the answer and the caller sends the rest again, so the answer can be repeated although no secret is
    /// stored. Another salt makes another secret, so a revoked secret never comes back.
    pub fn secret(&self, salt: &str) -> Result<Secret> {
        match &self.asker {
            Some(asker) => Ok(asker.derive(&["token", &self.name, self.scope.word(), salt])),
            None => Secret::new(),
        }
    }
}

/// The longest life of a token, in days: ten years.
const LONGEST_LIFE: u64 = 3_653;

/// Reads when a token expires: a time from now such as `90d`, `12h` or `2w`, or a point in time, in this zone if it has no
/// offset. The error says what was expected.
pub fn expiry(text: &str, zone: &Zone) -> Result<String, String> {
    let expected = || {
        format!(
            "expected a time from now like 90d, or a time like 2026-01-31 09:30:00, {LONGEST_LIFE} days from now at \
             most, got {}",
            quoted(text)
        )
    };
    let now = SystemTime::now();
    let last = time::stored(now + Duration::from_secs(LONGEST_LIFE * 86_400)).unwrap_or_default();
    let at = match text.char_indices().next_back() {
        Some((at, unit @ ('s' | 'm' | 'h' | 'd' | 'w')))
            if text[..at].bytes().all(|b| b.is_ascii_digit()) =>
        {
            let seconds = match unit {
                's' => 1,
                'm' => 60,
                'h' => 3_600,
                'd' => 86_400,
                _ => 7 * 86_400,
            };
            let number = text[..at]
                .parse::<u64>()
                .ok()
                .filter(|number| (1..=LONGEST_LIFE * 86_400).contains(number));
            let after = number.map(|number| Duration::from_secs(number * seconds));
            after.and_then(|after| time::stored(now + after))
        }
        _ => time::parse_in(text, zone),
    };
    at.filter(|at| *at > time::now() && *at <= last)
        .ok_or_else(expected)
}

/// A token without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Assigned by the database and never reused. 0 if another server stores it.
    pub id: i64,
    /// Chosen by people. No two tokens have the same name.
    pub name: Arc<str>,
    /// What it lets its holder do.
    pub scope: Scope,
    /// The first letters of its secret.
    pub start: String,
    /// As times are stored.
    pub created_at: String,
    /// In the stored form of times. `None` if it does not expire.
    pub expires_at: Option<String>,
}

impl Token {
    /// Whether it has expired.
    pub fn has_expired(&self, now: &str) -> bool {
        self.expires_at.as_deref().is_some_and(|at| at <= now)
    }

    /// Reads what [`Token::to_json`] wrote.
    pub fn from_json(json: &serde_json::Value) -> Option<Token> {
        let text = |name: &str| Some(json.get(name)?.as_str()?.to_string());
        Some(Token {
            id: 0,
            name: text("name")?.into(),
            scope: Scope::parse(&text("scope")?)?,
            start: text("start")?,
            created_at: text("created_at")?,
            expires_at: text("expires_at"),
        })
    }

    /// As the API and `-o json` show it.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "name": &*self.name,
            "scope": self.scope.word(),
            "start": self.start,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
        })
    }
}

/// The longest name of a token, in characters.
const LONGEST_NAME: usize = 64;

/// Whether a text may name a token. The error says what was expected.
pub fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    let fits = (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(plain);
    // Dots alone have a meaning in a path.
    let is_word = name.chars().any(|c| c != '.');
    match fits && is_word && !name.contains(PREFIX) {
        true => Ok(()),
        // The name may be a token by mistake, and the error must not repeat a token.
        false if name.contains(PREFIX) => Err(format!(
            "expected a name without {PREFIX}, which begins a token"
        )),
        false => Err(format!(
            "expected 1 to {LONGEST_NAME} of the characters a-z, A-Z, 0-9, - _ . @, and not dots alone, got {}",
            quoted(name)
        )),
    }
}

/// The tokens of a database, to look one up by its secret.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    tokens: Vec<(Hash, Arc<Token>)>,
}

impl Keyring {
    /// A keyring of these tokens.
    pub fn new(tokens: impl IntoIterator<Item = (Hash, Token)>) -> Keyring {
        let tokens = tokens
            .into_iter()
            .map(|(hash, token)| (hash, Arc::new(token)));
        let mut tokens: Vec<_> = tokens.collect();
        tokens.sort_by_key(|(hash, _)| hash.0);
        Keyring { tokens }
    }

    /// Whether there are no tokens. The service is then open.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Whether the token of this name is the only one.
    pub fn is_only(&self, name: &str) -> bool {
        matches!(self.tokens.as_slice(), [(_, one)] if &*one.name == name)
    }

    /// Whether a token that was found earlier is still one of these.
    pub fn has(&self, token: &Token) -> bool {
        self.tokens.iter().any(|(_, known)| known.id == token.id)
    }

    /// The token with this secret. The time it takes does not reveal how much of a secret is right: it looks for a hash,
    /// whose digits nobody can choose, and the last comparison always takes the same time.
    pub fn find(&self, secret: &Secret) -> Option<&Arc<Token>> {
        let hash = secret.hash();
        let at = self.tokens.partition_point(|(known, _)| known.0 < hash.0);
        let (known, token) = self.tokens.get(at)?;
        bool::from(known.0.ct_eq(&hash.0)).then_some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(id: i64, secret: &Secret) -> (Hash, Token) {
        let token = Token {
            id,
            name: format!("t{id}").into(),
            scope: Scope::Read,
            start: secret.start().into(),
            created_at: String::new(),
            expires_at: None,
        };
        (secret.hash(), token)
    }

    #[test]
    fn a_token_is_found_by_all_of_its_letters() {
        let secrets: Vec<Secret> = (0..50).map(|_| Secret::new().unwrap()).collect();
        let tokens = secrets
            .iter()
            .zip(0..)
            .map(|(secret, id)| token(id, secret));
        let keyring = Keyring::new(tokens);
        for (secret, id) in secrets.iter().zip(0..) {
            assert_eq!(keyring.find(secret).map(|token| token.id), Some(id));
            let mut wrong = secret.text().to_string();
            let last = if wrong.ends_with('a') { "b" } else { "a" };
            wrong.replace_range(wrong.len() - 1.., last);
            assert!(keyring.find(&Secret::parse(&wrong).unwrap()).is_none());
        }
        assert!(Keyring::default().find(&secrets[0]).is_none());
    }

    #[test]
    fn a_life_ends_in_the_future() {
        for text in ["90s", "1m", "12h", "90d", "2w", "3653d", "+3000-01-01"] {
            let read = expiry(text, &Zone::UTC);
            assert_eq!(read.is_ok(), !text.starts_with('+'), "{text}: {read:?}");
        }
        let next = time::stored(SystemTime::now() + Duration::from_secs(100)).unwrap();
        assert_eq!(expiry(&next, &Zone::UTC), Ok(next));
        for text in [
            "",
            "d",
            "0d",
            "-1d",
            "+1d",
            "1.5d",
            "90",
            "3654d",
            "99999999999d",
            "2020-01-01 00:00:00",
            "never",
        ] {
            assert!(expiry(text, &Zone::UTC).is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_plain_and_no_tokens() {
        for name in ["a", "crm", "ci.main-2_x@host", &"x".repeat(64)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        let secret = Secret::new().unwrap();
        for name in [
            "",
            " ",
            "a b",
            "é",
            "a/b",
            ".",
            "..",
            "\n",
            &"x".repeat(65),
            "crm_",
            secret.text(),
        ] {
            let why = check_name(name).unwrap_err();
            assert!(!why.contains(&secret.text()[..10]), "{why}");
        }
    }
}
