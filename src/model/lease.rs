//! Leases: a due follow-up belongs to one worker for a while, so that nobody else contacts the same person.
//!
//! A lease has a secret word, which only its worker knows. It is shown once, when the follow-up is claimed. A database
//! stores its SHA-256, as it does of a token. So a copy of the database renews and releases nothing.

use crate::base::error::{Error, Result, quoted};
use crate::model::record::Record;
use crate::model::token::{Hash, Secret, nonce};

/// How long a lease is unless its worker says otherwise, in seconds.
pub const USUAL: i64 = 600;

/// The longest lease, in seconds: a day.
pub const LONGEST: i64 = 86_400;

/// The most follow-ups that are claimed at once.
pub const MOST_CLAIMED: u64 = 100;

/// The beginning of every lease.
pub const PREFIX: &str = "lease_";

/// How many letters and digits follow it.
const LENGTH: usize = 32;

/// The secret word of a lease. `{:?}` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct LeaseSecret(String);

impl std::fmt::Debug for LeaseSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LeaseSecret")
    }
}

impl LeaseSecret {
    /// The secret of a follow-up. It follows from the salt of the claim, and from the secret of who claims where a request may
    /// be repeated: the salt is kept with its answer, and the client that asks again sends the rest.
    pub fn derive(asker: Option<&Secret>, salt: &str, id: i64) -> LeaseSecret {
        let id = id.to_string();
        let hash = match asker {
            Some(asker) => asker.derive(&["lease", salt, &id]).hash(),
            None => Hash::of(format!("lease {salt} {id}").as_bytes()),
        };
        LeaseSecret(format!("{PREFIX}{}", &hash.hex()[..LENGTH]))
    }

    /// Random letters from which secrets follow.
    pub fn salt() -> Result<String> {
        nonce()
    }

    /// Reads a lease. `None` if the text is not one.
    pub fn parse(text: &str) -> Option<LeaseSecret> {
        let rest = text.strip_prefix(PREFIX)?;
        let plain = rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (plain && rest.len() == LENGTH).then(|| LeaseSecret(text.into()))
    }

    /// Reads the field `lease` of a request. The error does not repeat what may be a secret.
    pub fn read(text: &str) -> Result<LeaseSecret, String> {
        LeaseSecret::parse(text).ok_or_else(|| {
            format!(
                "expected the lease that the claim of the follow-up gave, {PREFIX} and {LENGTH} letters and digits"
            )
        })
    }

    /// The whole text, for its worker.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The hash that a database stores.
    pub fn hash(&self) -> String {
        Hash::of(self.0.as_bytes()).hex()
    }
}

/// A follow-up that was claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The follow-up, with its worker and the end of the lease.
    pub followup: Record,
    /// The secret of the lease.
    pub lease: LeaseSecret,
}

impl Claimed {
    /// As the API and `-o json` show it: the follow-up, with the field `lease` at its end.
    pub fn to_json(&self) -> String {
        let mut json = self.followup.to_json();
        json.pop();
        format!("{json},\"lease\":\"{}\"}}", self.lease.text())
    }
}

/// A lease as its worker sees it after it was renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// The id of the process.
    pub id: i64,
    /// Who has it.
    pub worker: String,
    /// When it ends, in the stored form of times.
    pub lease_until: String,
}

/// Reads how long a lease is, in seconds: `10m`, `90s`, `1h`. The error says what was expected.
pub fn duration(text: &str) -> Result<i64, String> {
    let seconds = || {
        let (at, unit) = text.char_indices().next_back()?;
        let digits = &text[..at];
        let factor = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: i64 = digits.parse().ok().filter(|_| plain)?;
        number.checked_mul(factor)
    };
    let found = seconds().filter(|seconds| (1..=LONGEST).contains(seconds));
    found.ok_or_else(|| {
        format!(
            "expected how long the lease is, from 1s to 24h, such as 10m, got {}",
            quoted(text)
        )
    })
}

/// The longest name of a worker, in characters.
pub const LONGEST_WORKER: usize = 200;

/// Checks the name of a worker. The error says what was expected.
pub fn check_worker(name: &str) -> Result<(), String> {
    let is_plain = !name.contains(char::is_control) && name.trim() == name;
    match is_plain && (1..=LONGEST_WORKER).contains(&name.chars().count()) {
        true => Ok(()),
        false => Err(format!(
            "expected a name of 1 to {LONGEST_WORKER} characters, without control characters, got {}",
            quoted(name)
        )),
    }
}

/// The error for a lease that does not hold any more, or never did.
pub fn stale(why: &str) -> Error {
    let mut error = Error::field("lease", why);
    error.code = crate::base::error::Code::Conflict;
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_number_and_a_unit_within_a_day() {
        for (text, seconds) in [
            ("1s", 1),
            ("10m", 600),
            ("24h", 86_400),
            ("1d", 86_400),
            ("090s", 90),
        ] {
            assert_eq!(duration(text), Ok(seconds), "{text}");
        }
        for wrong in [
            "",
            "m",
            "10",
            "0m",
            "-1m",
            "+1m",
            "25h",
            "2d",
            "1.5h",
            "10 m",
            "1w",
            "99999999999999999999h",
            "9223372036854775807h",
            "1é",
        ] {
            let expected = duration(wrong).unwrap_err();
            assert!(expected.contains("from 1s to 24h"), "{expected}");
        }
    }

    #[test]
    fn a_secret_follows_from_its_salt_and_its_asker() {
        let (one, other) = (Secret::new().unwrap(), Secret::new().unwrap());
        let salt = LeaseSecret::salt().unwrap();
        let lease = LeaseSecret::derive(Some(&one), &salt, 7);
        assert_eq!(LeaseSecret::derive(Some(&one), &salt, 7), lease);
        assert_eq!(LeaseSecret::parse(lease.text()), Some(lease.clone()));
        for different in [
            LeaseSecret::derive(Some(&other), &salt, 7),
            LeaseSecret::derive(Some(&one), &salt, 8),
            LeaseSecret::derive(None, &salt, 7),
            LeaseSecret::derive(Some(&one), "another", 7),
        ] {
            assert_ne!(different, lease);
        }
        assert!(!format!("{lease:?}").contains(lease.text()));
        for wrong in [
            "",
            "lease_",
            "crm_abc",
            &lease.text()[1..],
            &format!("{}a", lease.text()),
        ] {
            let expected = LeaseSecret::read(wrong).unwrap_err();
            assert!(!expected.contains("crm_abc"), "{expected}");
        }
    }

    #[test]
    fn the_name_of_a_worker_is_one_line() {
        assert_eq!(check_worker("local:anna"), Ok(()));
        for wrong in ["", " ", " a", "a\nb", &"a".repeat(201)] {
            assert!(check_worker(wrong).is_err(), "{wrong}");
        }
    }
}
