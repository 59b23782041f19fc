//! Who may use a service: tokens, and what is kept of them.
//!
//! A token is `crm_` and 32 letters and digits out of the system's random numbers, 190 bits of them. It is shown once, when
//! it is made; a database keeps its SHA-256 and its first letters, so that whoever reads the database cannot use it. What
//! has that much chance needs no slow hash.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::base::error::{Error, Result, quoted};
use crate::base::time;

/// What a token begins with.
pub const PREFIX: &str = "crm_";

/// Its letters and digits.
const LENGTH: usize = 32;

/// Of those, how many are kept and shown.
const SHOWN: usize = 4;

/// What a token lets its holder do. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// To read records.
    Read,
    /// To create, change and delete them.
    Write,
    /// To manage tokens.
    Admin,
}

impl Scope {
    /// The words, as the API and the command line take them.
    pub const WORDS: [(&str, Scope); 3] = [
        ("read", Scope::Read),
        ("write", Scope::Write),
        ("admin", Scope::Admin),
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
        Self::WORDS[self as usize].0
    }
}

/// A token itself. It is shown to nobody but who makes it: its text is to be asked for, and `{:?}` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}…)", self.start())
    }
}

impl Secret {
    /// A new one.
    pub fn new() -> Result<Secret> {
        let mut text = String::from(PREFIX);
        let mut random = [0; 64];
        while text.len() < PREFIX.len() + LENGTH {
            getrandom::fill(&mut random).map_err(|error| {
                Error::failed(format!("the system gives no random numbers: {error}"))
            })?;
            text.extend(letters(&random).take(PREFIX.len() + LENGTH - text.len()));
        }
        Ok(Secret(text))
    }

    /// One that only who holds this one can make, and the same for the same words: the answer to a request that comes
    /// again can so show what was kept nowhere.
    pub fn derive(&self, words: &[&str]) -> Secret {
        let mut text = String::from(PREFIX);
        let mut round = 0_u8;
        while text.len() < PREFIX.len() + LENGTH {
            // The secret comes first and last and every part with its length, so that nothing can be appended or moved.
            let mut hash = Sha256::new();
            hash.update([round]);
            for part in std::iter::once(self.0.as_str())
                .chain(words.iter().copied())
                .chain([self.0.as_str()])
            {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
            text.extend(letters(&hash.finalize()).take(PREFIX.len() + LENGTH - text.len()));
            round += 1;
        }
        Secret(text)
    }

    /// Reads a token, `None` for what is none.
    pub fn parse(text: &str) -> Option<Secret> {
        let rest = text.strip_prefix(PREFIX)?;
        let plain = rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (plain && rest.len() == LENGTH).then(|| Secret(text.into()))
    }

    /// The token, for its holder.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Its first letters, by which people know it again.
    pub fn start(&self) -> &str {
        &self.0[..PREFIX.len() + SHOWN]
    }

    /// What a database keeps of it.
    pub fn hash(&self) -> Hash {
        Hash::of(self.0.as_bytes())
    }
}

/// The letters and digits that random bytes stand for, each as likely as the others.
fn letters(random: &[u8]) -> impl Iterator<Item = char> {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let even = random.iter().filter(|byte| usize::from(**byte) < 4 * 62);
    even.map(|byte| char::from(ALPHABET[usize::from(*byte) % 62]))
}

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash")
    }
}

impl Hash {
    /// That of some bytes.
    pub fn of(bytes: &[u8]) -> Hash {
        Hash(Sha256::digest(bytes).into())
    }

    /// As 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        let mut text = String::with_capacity(64);
        for byte in self.0 {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    /// Reads [`Hash::hex`].
    pub fn parse(hex: &str) -> Option<Hash> {
        let digits = hex.as_bytes();
        if digits.len() != 64 || !hex.is_ascii() {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).ok()?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Hash(bytes))
    }
}

/// A token that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// See [`check_name`].
    pub name: String,
    /// What it lets its holder do.
    pub scope: Scope,
    /// From when on it is not valid any more, as [`expiry`] reads it.
    pub expires: Option<String>,
    /// The secret of whoever asks for it, where the request may come again and is to be answered the same.
    pub asker: Option<Secret>,
}

impl NewToken {
    /// Its secret. That of a request that may come again is made of the asker's secret and of a salt: the salt is kept
    /// with the answer, the asker brings the rest along, and so the answer can be given again though no secret is kept
    /// anywhere. Another salt makes another secret: one that was revoked never comes back.
    pub fn secret(&self, salt: &str) -> Result<Secret> {
        match &self.asker {
            Some(asker) => Ok(asker.derive(&["token", &self.name, self.scope.word(), salt])),
            None => Secret::new(),
        }
    }
}

/// 32 hexadecimal digits out of the system's random numbers, which nobody can foresee and which do not come twice.
pub fn nonce() -> Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|error| Error::failed(format!("the system gives no random numbers: {error}")))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The longest life of a token, in days: ten years.
const LONGEST_LIFE: u64 = 3_653;

/// Reads when a token expires: a time from now such as `90d`, `12h` or `2w`, or a time itself. The error says what was
/// expected.
pub fn expiry(text: &str) -> Result<String, String> {
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
        _ => time::parse(text),
    };
    at.filter(|at| *at > time::now() && *at <= last)
        .ok_or_else(expected)
}

/// A token as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Given by the database, never given twice; 0 where another server keeps it.
    pub id: i64,
    /// Given by people, the only one of its kind.
    pub name: Arc<str>,
    /// What it lets its holder do.
    pub scope: Scope,
    /// The first letters of its secret.
    pub start: String,
    /// As times are stored.
    pub created_at: String,
    /// As times are stored; `None` where it does not expire.
    pub expires_at: Option<String>,
}

impl Token {
    /// Whether its time is over.
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

/// Whether a text may name a token; the error says what was expected.
pub fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    let fits = (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(plain);
    // Those of dots alone mean something in a path.
    let is_word = name.chars().any(|c| c != '.');
    match fits && is_word && !name.contains(PREFIX) {
        true => Ok(()),
        // A token by mistake is not to be repeated.
        false if name.contains(PREFIX) => Err(format!(
            "expected a name in which nothing begins as a token does ({PREFIX})"
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
    /// Of these.
    pub fn new(tokens: impl IntoIterator<Item = (Hash, Token)>) -> Keyring {
        let tokens = tokens
            .into_iter()
            .map(|(hash, token)| (hash, Arc::new(token)));
        let mut tokens: Vec<_> = tokens.collect();
        tokens.sort_by_key(|(hash, _)| hash.0);
        Keyring { tokens }
    }

    /// Whether there is none, and the service is open.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The token with this secret. How long it takes tells nothing of how much of it is right: what is looked for is a
    /// hash, whose digits nobody can choose, and the last comparison takes the same time whatever it finds.
    pub fn find(&self, secret: &Secret) -> Option<&Arc<Token>> {
        let hash = secret.hash();
        let at = self.tokens.partition_point(|(known, _)| known.0 < hash.0);
        let (known, token) = self.tokens.get(at)?;
        bool::from(known.0.ct_eq(&hash.0)).then_some(token)
    }
}

/// A text with all that looks like a token cut short, for logs.
pub fn redacted(text: &str) -> Cow<'_, str> {
    cut(text, SHOWN)
}

/// The same for what people are told of their own words: what is shorter than half a token is a name of theirs.
pub fn hidden(text: &str) -> Cow<'_, str> {
    cut(text, LENGTH / 2)
}

/// A text in which what looks like a token with more letters than these is cut short, also where some of its letters are
/// written as in a URL, `%41`.
fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if !text.contains(PREFIX) && !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let (mut shown, mut done, mut at) = (String::new(), 0, 0);
    while at < text.len() {
        let Some(begin) = after(text, at, PREFIX.bytes()) else {
            at += 1;
            continue;
        };
        let (mut end, mut letters, mut kept) = (begin, 0, begin);
        while let Some((letter, next)) = read(text, end)
            && letter.is_ascii_alphanumeric()
            && after(text, end, PREFIX.bytes()).is_none()
        {
            end = next;
            letters += 1;
            if letters <= SHOWN {
                kept = end;
            }
        }
        if letters > most {
            shown.push_str(&text[done..kept]);
            shown.push('…');
            done = end;
        }
        at = end.max(begin);
    }
    match done {
        0 => Cow::Borrowed(text),
        _ => Cow::Owned(shown + &text[done..]),
    }
}

/// Where these letters end, if they begin here.
fn after(text: &str, at: usize, letters: impl Iterator<Item = u8>) -> Option<usize> {
    let mut at = at;
    for letter in letters {
        let (found, next) = read(text, at)?;
        if found != letter {
            return None;
        }
        at = next;
    }
    Some(at)
}

/// A letter of a URL, as it is or as `%41`, or as `%2541` of what was written twice, and where the next one begins.
fn read(text: &str, at: usize) -> Option<(u8, usize)> {
    let bytes = text.as_bytes();
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    let (mut byte, mut next) = (*bytes.get(at)?, at + 1);
    while byte == b'%'
        && let (Some(high), Some(low)) = (digit(next), digit(next + 1))
    {
        byte = (high << 4 | low) as u8;
        next += 2;
    }
    Some((byte, next))
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
    fn a_secret_reads_what_it_wrote_and_nothing_else() {
        let secret = Secret::new().unwrap();
        let text = secret.text();
        assert_eq!(text.len(), 36);
        assert_eq!(Secret::parse(text), Some(secret.clone()));
        let longer = format!("{text}a");
        for wrong in [
            "",
            "crm_",
            &text[1..],
            &text[..35],
            &longer,
            &text.replace("crm_", "crn_"),
        ] {
            assert_eq!(Secret::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Secret::parse(&format!("{}-", &text[..35])), None);
        assert!(!format!("{secret:?}").contains(text));
        assert_eq!(Hash::parse(&secret.hash().hex()), Some(secret.hash()));
        assert_eq!(Hash::parse("é"), None);
    }

    #[test]
    fn a_derived_secret_is_the_same_for_the_same_words_alone() {
        let (one, other) = (Secret::new().unwrap(), Secret::new().unwrap());
        let derived = one.derive(&["a", "bc"]);
        assert_eq!(Secret::parse(derived.text()), Some(derived.clone()));
        assert_eq!(one.derive(&["a", "bc"]), derived);
        for different in [
            one.derive(&["ab", "c"]),
            one.derive(&["a"]),
            other.derive(&["a", "bc"]),
        ] {
            assert_ne!(different, derived);
        }
    }

    #[test]
    fn a_life_ends_in_the_future() {
        for text in ["90s", "1m", "12h", "90d", "2w", "3653d", "+3000-01-01"] {
            let read = expiry(text);
            assert_eq!(read.is_ok(), !text.starts_with('+'), "{text}: {read:?}");
        }
        let next = time::stored(SystemTime::now() + Duration::from_secs(100)).unwrap();
        assert_eq!(expiry(&next), Ok(next));
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
            assert!(expiry(text).is_err(), "{text}");
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

    #[test]
    fn what_looks_like_a_token_is_cut_short() {
        let secret = Secret::new().unwrap();
        let text = format!("/leads/{0}?a={0}&crm_x", secret.text());
        let start = secret.start();
        assert_eq!(redacted(&text), format!("/leads/{start}…?a={start}…&crm_x"));
        assert_eq!(redacted("/leads/1"), "/leads/1");
        for written in [
            "crm%5F",
            "%63rm_",
            "crm_%41",
            "CRM%5f%63%72%6d_",
            "%2563rm%25255F",
        ] {
            let letters = &secret.text()[4..];
            let path = format!("/leads/a%20b{written}{letters}/ä%");
            for shown in [redacted(&path), hidden(&path)] {
                assert!(!shown.contains(&letters[8..]), "{shown}");
                assert!(
                    shown.starts_with("/leads/a%20b") && shown.ends_with("…/ä%"),
                    "{shown}"
                );
            }
        }
        let twice = format!("crm_{}{}", secret.text(), secret.text());
        assert_eq!(redacted(&twice), format!("crm_{start}…{start}…"));
        let plain = "/leads/a%20b%crm_a%ff%5";
        assert_eq!(redacted(plain), plain);
        assert_eq!(hidden(&text), format!("/leads/{start}…?a={start}…&crm_x"));
        assert_eq!(hidden("crm_customers.db"), "crm_customers.db");
    }
}
