//! The secret of a token, and the hash that is stored in its place.

use std::fmt::{self, Write};

use sha2::{Digest, Sha256};

use crate::base::error::{Error, Result};

/// The beginning of every token.
pub const PREFIX: &str = "crm_";

/// How many letters and digits follow it.
pub(super) const LENGTH: usize = 32;

/// How many of them are stored and shown.
pub(super) const SHOWN: usize = 4;

/// The text of a token. Only the person who makes it sees it: [`Secret::text`] returns it, and `{:?}` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}…)", self.start())
    }
}

impl Secret {
    /// A new random token.
    pub fn new() -> Result<Secret> {
        let mut text = String::from(PREFIX);
        let mut random = [0; 64];
        while text.len() < PREFIX.len() + LENGTH {
            getrandom::fill(&mut random).map_err(|error| {
                Error::failed(format!("the system provides no random numbers: {error}"))
            })?;
            text.extend(letters(&random).take(PREFIX.len() + LENGTH - text.len()));
        }
        Ok(Secret(text))
    }

    /// A token that only the holder of this one can make, always the same for the same words. So the answer to a
    /// repeated request can show the token again, although it is stored nowhere.
    pub fn derive(&self, words: &[&str]) -> Secret {
        let mut text = String::from(PREFIX);
        let mut round = 0_u8;
        while text.len() < PREFIX.len() + LENGTH {
            // The secret is hashed first and last, and every part with its length, so that nothing can be appended or moved.
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

    /// Reads a token. `None` if the text is not one.
    pub fn parse(text: &str) -> Option<Secret> {
        let rest = text.strip_prefix(PREFIX)?;
        let plain = rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (plain && rest.len() == LENGTH).then(|| Secret(text.into()))
    }

    /// The whole token, for its holder.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Its first letters, by which people recognise it.
    pub fn start(&self) -> &str {
        &self.0[..PREFIX.len() + SHOWN]
    }

    /// The hash that a database stores.
    pub fn hash(&self) -> Hash {
        Hash::of(self.0.as_bytes())
    }
}

/// Letters and digits from random bytes. All are equally likely.
fn letters(random: &[u8]) -> impl Iterator<Item = char> {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let even = random.iter().filter(|byte| usize::from(**byte) < 4 * 62);
    even.map(|byte| char::from(ALPHABET[usize::from(*byte) % 62]))
}

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub(super) [u8; 32]);

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash")
    }
}

impl Hash {
    /// The hash of some bytes.
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

/// 32 random hexadecimal digits, which nobody can foresee and which do not repeat.
pub fn nonce() -> Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| {
        Error::failed(format!("the system provides no random numbers: {error}"))
    })?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
