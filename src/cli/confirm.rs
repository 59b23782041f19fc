//! Asks at the terminal before records are deleted, and shows which ones.
//!
//! The records are read first. One that does not exist, or that cannot be deleted because others refer to it, is told as
//! the error that the delete would end with, and is not asked about.

use std::io::{self, Write as _};

use super::say::{complain, say};
use super::several::named;
use crate::base::error::{Code, Error};
use crate::base::time::Zone;
use crate::model::kind::{Kind, OnDelete};
use crate::model::noun::Noun;
use crate::model::nouns::{counted, in_use};
use crate::model::query::Query;
use crate::model::record::Record;
use crate::output::{Look, Stop, cut, visible};
use crate::store::any::AnyStore;
use crate::store::contract::Store;

/// How many records are described. The others are only counted.
const MOST_SHOWN: usize = 20;

/// The answer to a question.
pub(super) struct Confirmed {
    /// The records that may be deleted.
    pub(super) ids: Vec<i64>,
    /// The exit code so far: that of the first record that cannot be deleted, or 1 if the answer was no.
    pub(super) code: u8,
}

/// What is asked.
pub(super) struct Question<'a> {
    pub(super) verb: &'static str,
    /// The end of the question.
    pub(super) with: String,
    /// Whether the records that refer to them are deleted too.
    pub(super) cascades: bool,
    /// Whether they are erased, also those that are deleted already.
    pub(super) erases: bool,
    /// The zone of the times that are shown.
    pub(super) zone: &'a Zone,
}

/// Shows the records and asks.
pub(super) async fn confirmed(
    store: &AnyStore,
    look: Look,
    noun: &'static Noun,
    ids: Vec<i64>,
    question: &Question<'_>,
) -> Result<Confirmed, Stop> {
    let is_many = ids.len() > 1;
    let (mut kept, mut lines, mut code) = (Vec::new(), Vec::new(), 0);
    for id in ids {
        match described(store, noun, id, question).await {
            Ok(line) => {
                kept.push(id);
                lines.push(line);
            }
            Err(mut error) => {
                if is_many {
                    error.message = named(&format!("{} {id}", noun.name), &error.message);
                }
                complain(look.format, &error);
                if code == 0 {
                    code = error.code.exit();
                }
                if matches!(error.code, Code::Unreachable | Code::Unauthenticated) {
                    kept.clear();
                    break;
                }
            }
        }
    }
    if kept.is_empty() {
        return Ok(Confirmed { ids: kept, code });
    }
    for line in lines.iter().take(MOST_SHOWN) {
        say(line);
    }
    if lines.len() > MOST_SHOWN {
        say(&format!("and {} more", lines.len() - MOST_SHOWN));
    }
    let what = match kept[..] {
        [id] => format!("{} {id}", noun.name),
        _ => format!("these {} {}", kept.len(), noun.plural),
    };
    let (first, rest) = question.verb.split_at(1);
    let verb = format!("{}{rest}", first.to_uppercase());
    let _ = write!(io::stderr(), "{verb} {what}{}? [y/N] ", question.with);
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Error::failed(format!("standard input: {error}")))?;
    if !matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        say("nothing was changed");
        return Ok(Confirmed {
            ids: Vec::new(),
            code: 1,
        });
    }
    Ok(Confirmed { ids: kept, code })
}

/// One line on a record: its id, its texts, what it refers to, and how many records refer to it.
async fn described(
    store: &AnyStore,
    noun: &'static Noun,
    id: i64,
    question: &Question<'_>,
) -> Result<String, Error> {
    let record = match store.get(noun, id).await {
        Err(error) if error.code == Code::NotFound && question.erases => {
            return Ok(format!(
                "{} {id}: is deleted already, or never was",
                noun.name
            ));
        }
        read => read?,
    };
    let mut parts = texts(noun, &record, question.zone);
    let mut counts: Vec<(&Noun, u64)> = Vec::new();
    for (referrer, field, on_delete) in noun.referrers(store.nouns()) {
        let pairs = [
            (field.name, id.to_string().as_str()),
            ("count", "true"),
            ("limit", "1"),
        ]
        .map(|(name, value)| (name.to_string(), value.to_string()));
        let listing = store.list(Query::new(referrer, pairs.into())?).await?;
        let count = listing.total.unwrap_or_default();
        match (on_delete, count) {
            (_, 0) => {}
            (OnDelete::Refuse, _) => counts.push((referrer, count)),
            (OnDelete::SetNull, _) => {
                let those = counted(&[(referrer, count)]).concat();
                parts.push(format!("the {} of {those}", field.name));
            }
        }
    }
    if !counts.is_empty() && !question.cascades {
        let mut error = in_use(noun, id, &counts);
        error.message = error.message.replace("?cascade=true", "--cascade");
        return Err(error);
    }
    parts.extend(counted(&counts));
    let line = format!("{} {id}: {}", noun.name, parts.join(", "));
    Ok(visible(&line).into_owned())
}

/// The texts of a record, and the records that it refers to.
fn texts(noun: &'static Noun, record: &Record, zone: &Zone) -> Vec<String> {
    /// The longest text that is shown, in columns.
    const WIDEST: usize = 40;
    let mut parts = Vec::new();
    for (field, value) in noun.fields.iter().zip(&record.values) {
        match (field.kind, value.text(), value.int()) {
            (Kind::Time(_), Some(text), _) => parts.push(visible(&zone.show(text)).into_owned()),
            (Kind::Text | Kind::Word | Kind::Email, Some(text), _) => {
                parts.push(cut(visible(text).into_owned(), WIDEST));
            }
            (Kind::Reference(target), _, Some(id)) => parts.push(format!("{} {id}", target.name)),
            _ => {}
        }
    }
    parts
}
