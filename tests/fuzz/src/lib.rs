//! What the targets share: a store in memory, and what holds for every refusal.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::path::PathBuf;
use std::sync::LazyLock;

use crm::base::error::Error;
use crm::model::draft::{Draft, Purpose};
use crm::model::lead::OnDuplicate;
use crm::model::noun::Noun;
use crm::model::nouns::NOUNS;
use crm::model::query::Query;
use crm::model::record::Record;
use crm::ops::Records;
use crm::store::any::AnyStore;
use crm::store::contract::Store;
use crm::store::sqlite::Work;
use tokio::runtime::{Builder, Runtime};

/// Waits for something. A store in a file has nothing to wait for.
pub fn wait<T>(work: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime")
    });
    RUNTIME.block_on(work)
}

/// A new folder. libFuzzer ends without going out of any scope, so that nothing removes it but who has set `TMPDIR`.
pub fn folder() -> PathBuf {
    let folder = tempfile::Builder::new().prefix("crm-fuzz-").tempdir();
    folder.expect("a folder").keep()
}

/// A store over a new file.
pub fn store() -> AnyStore {
    let path = folder().join("crm.db");
    AnyStore::open(&path, Work::Command).expect("a store").0
}

/// Creates a record from a JSON text that fits its noun.
pub fn create(store: &AnyStore, noun: &'static Noun, json: &str) -> Record {
    let draft = Draft::from_json(noun, json.as_bytes(), Purpose::Create).expect("a draft");
    let saved = wait(store.create(draft, OnDuplicate::Create));
    saved.expect("a record").record
}

/// The records of a list, how many its filters find, and the cursor of its next page.
pub fn list(store: &AnyStore, query: Query) -> (Vec<Record>, Option<u64>, Option<String>) {
    wait(async {
        let pairs = query.pairs.clone();
        let mut listing = match store.list(query).await {
            Ok(listing) => listing,
            Err(error) => panic!("{pairs:?}: {error:?}"),
        };
        let (total, next) = (listing.total, listing.next.take());
        let mut records = Vec::new();
        while let Some(chunk) = listing.next_chunk().await.expect("a chunk") {
            records.extend(chunk);
        }
        (records, total, next)
    })
}

/// The noun whose plural an input begins with, up to a mark, and what follows it: `leads?limit=1`. Leads where none is
/// named.
pub fn noun(input: &str, mark: char) -> (&'static Noun, &str) {
    let named = input.split_once(mark).and_then(|(name, rest)| {
        let noun = NOUNS.into_iter().find(|noun| noun.plural == name)?;
        Some((noun, rest))
    });
    named.unwrap_or((NOUNS[0], input))
}

/// What holds for every refusal of an input: it is the input's fault, and one line says what was expected.
pub fn check_refusal(error: &Error) {
    assert!((400..500).contains(&error.code.status()), "{error:?}");
    check_sentence(&error.message);
    for problem in &error.problems {
        check_sentence(&problem.expected);
    }
}

/// Whether a text can be shown to people as it is.
pub fn check_sentence(text: &str) {
    assert!(text.chars().any(char::is_alphabetic), "{text:?}");
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

/// Whether a text is a time as it is stored.
pub fn is_stored_time(text: &str) -> bool {
    let shape = b"dddd-dd-dd dd:dd:dd";
    let fits = |(byte, shape): (u8, &u8)| match shape {
        b'd' => byte.is_ascii_digit(),
        shape => byte == *shape,
    };
    text.len() == shape.len() && text.bytes().zip(shape).all(fits)
}

/// A well-formed JSON text without the white space between its tokens.
pub fn compact(json: &str) -> String {
    let mut in_text = false;
    let mut escaped = false;
    let kept = json.chars().filter(|letter| {
        let blank = !in_text && matches!(letter, ' ' | '\t' | '\n' | '\r');
        let ends = *letter == '"' && !escaped;
        escaped = in_text && *letter == '\\' && !escaped;
        in_text ^= ends;
        !blank
    });
    kept.collect()
}

/// The keys of an object with their JSON, in order. A number may be beyond a double, so none is read.
pub fn object(text: &str) -> Vec<(String, String)> {
    struct Entries;
    impl<'de> Visitor<'de> for Entries {
        type Value = Vec<(String, String)>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some((key, json)) = map.next_entry::<String, Box<RawValue>>()? {
                entries.push((key, compact(json.get())));
            }
            Ok(entries)
        }
    }
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(Entries).expect("an object")
}
