//! The conditions of a write: the version that the record must have (`If-Match`), and the key under which it is done at
//! most once (`Idempotency-Key`).
//!
//! A record's version is a counter in its row. It is 1 when the record is created, and grows by 1 with each change. Its
//! [ETag](Tag) begins with that number. So two changes within a second have different ETags, and a clock that is set back does no harm.

use crate::base::error::{Code, Error, Result, quoted};
use crate::model::author::Author;
use crate::model::token::{self, Hash};

/// The strong ETag of a representation (RFC 9110, section 8.8.3): the version, and a mark of the values that follow from other
/// records. A write names the version alone, so that what happens to those other records makes no condition fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The version of the record.
    pub version: i64,
    /// The mark, 0 if there are no such values.
    pub mark: u64,
}

impl Tag {
    /// The tag of a record without values that follow from others.
    pub fn of(version: i64) -> Tag {
        Tag { version, mark: 0 }
    }

    /// The text of the header: `"5"`, or `"5-20260131093000"` with a mark.
    pub fn text(self) -> String {
        // Without a format string, because every GET needs one.
        let (mut digits, mut mark) = (itoa::Buffer::new(), itoa::Buffer::new());
        match self.mark {
            0 => ["\"", digits.format(self.version), "\""].concat(),
            given => [
                "\"",
                digits.format(self.version),
                "-",
                mark.format(given),
                "\"",
            ]
            .concat(),
        }
    }

    /// Reads an ETag of crm. `None` if it is not one.
    pub fn parse(text: &str) -> Option<Tag> {
        let inner = text.strip_prefix('"')?.strip_suffix('"')?;
        let plain =
            |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let (version, mark) = match inner.split_once('-') {
            Some((version, mark)) => (version, Some(mark).filter(|mark| plain(mark))?),
            None => (inner, "0"),
        };
        Some(Tag {
            version: Some(version).filter(|digits| plain(digits))?.parse().ok()?,
            mark: mark.parse().ok()?,
        })
    }
}

/// The mark of a value that follows from other records: the digits of a time, `20260131093000`. 0 without a value.
pub fn mark(value: Option<&str>) -> u64 {
    let Some(text) = value else {
        return 0;
    };
    let digits = text.bytes().filter(u8::is_ascii_digit);
    match text.len() {
        19 => digits.fold(0, |mark: u64, digit| {
            mark.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'))
        }),
        // Another program may have stored any text as a time (FNV-1a).
        _ => text.bytes().fold(0xcbf2_9ce4_8422_2325, |mark: u64, byte| {
            (mark ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }),
    }
}

/// ETags for a message: as they are if they are short and plain, because quoting their quotation marks hides them.
fn shown(given: &str) -> String {
    match given.len() <= 60 && given.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => given.into(),
        false => quoted(given),
    }
}

/// The versions that a condition names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Versions {
    /// `*`: any version.
    Any,
    /// One of these.
    Of(Vec<Tag>),
    /// None, because no strong ETag of crm was given. The text is what was given.
    Unusable(String),
}

impl Versions {
    /// Reads the list of a header: `*`, or comma-separated ETags. ETags of other programs name no version. Weak ETags
    /// only name one if `weak` is true; this is the case for `If-None-Match`. The error says what was expected.
    pub fn parse(text: &str, weak: bool) -> Result<Versions, String> {
        let text = text.trim();
        if text == "*" {
            return Ok(Versions::Any);
        }
        let refused = || {
            format!(
                "expected an ETag from an answer, such as \"3\", or *, got {}",
                quoted(text)
            )
        };
        let mut versions = Vec::new();
        // Empty elements are ignored (RFC 9110, section 5.6.1).
        let skip = |rest: &str| rest.trim_start_matches([',', ' ', '\t']).len();
        let mut rest = &text[text.len() - skip(text)..];
        if rest.is_empty() {
            return Err(refused());
        }
        while !rest.is_empty() {
            let (is_weak, tag) = match rest.strip_prefix("W/") {
                Some(tag) => (true, tag),
                None => (false, rest),
            };
            // The tags of other programs may contain commas.
            let end = tag.strip_prefix('"').and_then(|inner| inner.find('"'));
            let end = end.ok_or_else(refused)? + 2;
            if weak || !is_weak {
                versions.extend(Tag::parse(&tag[..end]));
            }
            rest = tag[end..].trim_start();
            if !rest.is_empty() && !rest.starts_with(',') {
                return Err(refused());
            }
            rest = &rest[rest.len() - skip(rest)..];
        }
        match versions.is_empty() && !weak {
            true => Ok(Versions::Unusable(text.into())),
            false => Ok(Versions::Of(versions)),
        }
    }

    /// Whether a version is one of them.
    pub fn have(&self, version: i64) -> bool {
        match self {
            Versions::Any => true,
            Versions::Of(tags) => tags.iter().any(|tag| tag.version == version),
            Versions::Unusable(_) => false,
        }
    }

    /// Whether a representation is one of them, with all of its values.
    pub fn know(&self, tag: Tag) -> bool {
        match self {
            Versions::Any => true,
            Versions::Of(tags) => tags.contains(&tag),
            Versions::Unusable(_) => false,
        }
    }

    /// Refuses a record that now has another version.
    pub fn hold(&self, version: i64) -> Result<()> {
        if self.have(version) {
            return Ok(());
        }
        let why = match self {
            // The record may not have changed at all, so the client must not be told that it has.
            Versions::Unusable(given) if given.starts_with("W/") => format!(
                "expected a strong ETag, got {}, which is weak; a proxy that compresses answers makes ETags weak; the \
                 record's ETag",
                shown(given)
            ),
            Versions::Unusable(given) => format!(
                "expected an ETag as this service wrote it, got {}, which a proxy may have changed; the record's ETag",
                shown(given)
            ),
            Versions::Any | Versions::Of(_) => "the record has changed meanwhile, its ETag".into(),
        };
        let message = format!("If-Match: {why} is {} now", Tag::of(version).text());
        Err(Error::new(Code::Stale, message))
    }

    /// The text of the header.
    pub fn text(&self) -> String {
        match self {
            Versions::Any => "*".into(),
            Versions::Of(tags) => {
                let all: Vec<String> = tags.iter().map(|tag| tag.text()).collect();
                all.join(", ")
            }
            Versions::Unusable(given)
                if given.bytes().all(|byte| (b' '..=b'~').contains(&byte)) =>
            {
                given.clone()
            }
            // Not every header can be sent, and without one there would be no condition.
            Versions::Unusable(_) => Tag::of(NO_VERSION).text(),
        }
    }
}

/// The key of a request that may be sent again but must be done only once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key as it was given.
    pub text: String,
    /// The identity of the request: the SHA-256 of the key, the caller, the method, the path and the parameters.
    pub id: String,
    /// The SHA-256 of its body.
    pub body: String,
}

/// How long the result of a key is kept, in seconds.
pub const KEPT: u64 = 86_400;

/// The longest key, in bytes.
const LONGEST_KEY: usize = 255;

impl Key {
    /// Reads a key, plain or quoted (draft-ietf-httpapi-idempotency-key-header-07). The words of `request` distinguish it
    /// from the same key in other requests.
    pub fn parse(text: &str, request: &[&str], body: &[u8]) -> Result<Key, String> {
        let bare = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            .unwrap_or(text);
        let plain = bare.bytes().all(|byte| byte.is_ascii_graphic());
        if !plain || !(1..=LONGEST_KEY).contains(&bare.len()) {
            return Err(format!(
                "expected 1 to {LONGEST_KEY} visible characters of ASCII, such as a UUID"
            ));
        }
        let mut words = Vec::new();
        for word in request.iter().chain([&bare]) {
            words.extend_from_slice(&(word.len() as u64).to_be_bytes());
            words.extend_from_slice(word.as_bytes());
        }
        Ok(Key {
            text: bare.into(),
            id: Hash::of(&words).hex(),
            body: Hash::of(body).hex(),
        })
    }

    /// A new random key, for a request to a server, which adds the identity itself.
    pub fn new() -> Result<Key> {
        Ok(Key {
            text: token::nonce()?,
            id: String::new(),
            body: String::new(),
        })
    }
}

/// The version that no record has.
const NO_VERSION: i64 = 0;

/// The highest version that is counted up. Only another program can write a higher one.
pub const MOST_VERSION: i64 = 1 << 62;

/// The version after this one.
pub fn next_version(version: i64) -> Result<i64> {
    match version < MOST_VERSION {
        true => Ok(version + 1),
        false => unlikely_version(),
    }
}

/// A random version from 2^32 to 2^48, which a record with an unknown version has almost certainly never had. That
/// leaves room for all further changes, and for thousands of restores, each of which adds as much.
pub fn unlikely_version() -> Result<i64> {
    const LEAST: i64 = 1 << 32;
    let random = token::nonce()?;
    let random = i64::from_str_radix(&random[..12], 16).unwrap_or_default();
    Ok(LEAST + random % ((1 << 48) - LEAST))
}

/// The conditions of a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The versions that the record may have. `None` means any.
    pub versions: Option<Versions>,
    /// The key under which it is done once.
    pub key: Option<Key>,
    /// Who makes it.
    pub author: Author,
}

impl Terms {
    /// Refuses a record that now has another version.
    pub fn hold(&self, version: i64) -> Result<()> {
        let Some(versions) = &self.versions else {
            return Ok(());
        };
        versions.hold(version).map_err(|mut error| {
            error.message += "; nothing was saved";
            error
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_no_record_has_stay_a_condition() {
        for foreign in ["W/\"1\"", "\"\u{e4}\"", "\"other\""] {
            let versions = Versions::parse(foreign, false).expect(foreign);
            let sent = Versions::parse(&versions.text(), false).expect("what is sent is read");
            assert!(
                sent.hold(1).is_err() && versions.hold(1).is_err(),
                "{foreign}"
            );
        }
    }

    #[test]
    fn etags_are_read_as_they_are_written() {
        let marked = Tag {
            version: 5,
            mark: mark(Some("2026-01-31 09:30:00")),
        };
        assert_eq!(Tag::of(3).text(), "\"3\"");
        assert_eq!(marked.text(), "\"5-20260131093000\"");
        for tag in [
            Tag::of(3),
            marked,
            Tag {
                mark: mark(Some("soon")),
                ..marked
            },
        ] {
            assert_eq!(Tag::parse(&tag.text()), Some(tag));
        }
        assert_eq!(mark(None), 0);
        for other in [
            "3",
            "\"3",
            "W/\"3\"",
            "\"\"",
            "\"+3\"",
            "\"a\"",
            "\"3-\"",
            "\"-3\"",
            "\"3-gzip\"",
            "\"3-4-5\"",
            "\"99999999999999999999\"",
        ] {
            assert_eq!(Tag::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_write_names_the_version_and_a_cache_the_whole_tag() {
        let versions = Versions::parse("\"5-20260131093000\"", false).unwrap();
        let tag = Tag {
            version: 5,
            mark: 20_260_131_093_000,
        };
        assert!(versions.have(5) && versions.know(tag) && !versions.have(6));
        assert!(!versions.know(Tag::of(5)) && !versions.know(Tag { mark: 1, ..tag }));
        assert_eq!(versions.text(), "\"5-20260131093000\"");
    }

    #[test]
    fn a_condition_names_versions() {
        let read = |text: &str, weak| Versions::parse(text, weak);
        let of = |versions: &[i64]| {
            let tags = versions.iter().map(|version| Tag::of(*version));
            Ok::<_, String>(Versions::Of(tags.collect()))
        };
        assert_eq!(read(" * ", false), Ok(Versions::Any));
        assert_eq!(read("\"1\", \"2\"", false), of(&[1, 2]));
        assert_eq!(read("\"1\",W/\"2\",\"other\"", false), of(&[1]));
        assert_eq!(
            read("\"a,\" , \"4\"", false),
            Ok(Versions::Of(vec![Tag::of(4)]))
        );
        assert_eq!(read("W/\"2\"", true), of(&[2]));
        assert_eq!(read(", \"1\",, \"2\" ,", false), of(&[1, 2]));
        assert_eq!(read("\"3-gzip\"", true), of(&[]));
        for (unusable, told) in [
            (
                "W/\"2\"",
                "expected a strong ETag, got W/\"2\", which is weak",
            ),
            ("\"2-gzip\"", "expected an ETag as this service wrote it"),
        ] {
            let read = read(unusable, false).unwrap();
            assert_eq!(read, Versions::Unusable(unusable.into()));
            assert_eq!(read.text(), unusable);
            let error = read.hold(2).unwrap_err();
            assert_eq!(error.code, Code::Stale);
            assert!(error.message.contains(told), "{error}");
            assert!(!error.message.contains("meanwhile"), "{error}");
        }
        for wrong in ["", ",", "1", "\"", "\"1\" \"2\"", "\"1\",2", "W/1"] {
            assert!(read(wrong, false).is_err(), "{wrong}");
        }
        assert!(Versions::Any.hold(7).is_ok());
        let stale = of(&[1]).unwrap().hold(2).unwrap_err();
        assert_eq!((stale.code, stale.code.status()), (Code::Stale, 412));
        assert!(stale.message.contains("\"2\""), "{stale}");
    }

    #[test]
    fn keys_differ_by_caller_and_request() {
        let key = |text: &str, request: &[&str], body: &str| {
            Key::parse(text, request, body.as_bytes()).unwrap()
        };
        let one = key("k", &["1", "POST", "/leads", ""], "{}");
        assert_eq!(key("\"k\"", &["1", "POST", "/leads", ""], "{}"), one);
        for request in [
            ["2", "POST", "/leads", ""],
            ["1", "PUT", "/leads", ""],
            ["1", "POST", "/lead", "s"],
            ["1", "POST", "/leads", "a=b"],
        ] {
            assert_ne!(key("k", &request, "{}").id, one.id);
        }
        let other = key("k", &["1", "POST", "/leads", ""], "{ }");
        assert!(other.id == one.id && other.body != one.body);
        for wrong in ["", "\"\"", "a b", "é", "a\u{7f}", &"x".repeat(256)] {
            assert!(Key::parse(wrong, &[], b"").is_err(), "{wrong}");
        }
    }
}
