//! The parameters of a list: which records, in which order, and which of their fields.
//!
//! Parameters are pairs of name and value, from a URL or from flags. They are read here, once for all stores. A query also
//! keeps the pairs as they were given, because the remote store sends them on.
//!
//! | file | what it holds |
//! |---|---|
//! | [`limits`] | bounds on what one list may cost |
//! | [`parameters`] | names and values as text, and as part of a URL |
//! | [`filter`](mod@filter), [`sort`], [`cursor`] | conditions, the order, and where a page ended |
//! | [`met`] | whether a change meets the conditions, without a database |
//! | [`feed`] | where in which sequence a feed is read |

mod cursor;
mod feed;
mod filter;
mod limits;
mod met;
mod parameters;
mod sort;

use crate::base::error::{Error, Problems, Result};
use crate::base::text::Pattern;
use crate::base::time::Zone;
use crate::model::due::Moment;
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::record::Record;
use crate::model::shown::Shown;
use crate::model::value::Value;
use filter::{filter, pinned};
use limits::limit;
use parameters::written;
use sort::{default_order, order};

pub use cursor::Cursor;
pub use feed::{END, FeedPlace};
pub use filter::{Column, Comparison, Filter, OPERATORS, Operand, Test, list};
pub use limits::{
    LARGEST_LIMIT, LONGEST_PATTERN, LONGEST_QUERY, MOST_FILTERS, MOST_SORTED, MOST_VALUES,
    MOST_VALUES_IN_ALL, SORTED_LETTERS,
};
pub use met::Conditions;
pub use parameters::{CONTROLS, LISTS, UNORDERED, boolean, escape, list_of, pairs};
pub use sort::Sort;

/// A list of records of one noun.
#[derive(Clone, Debug)]
pub struct Query {
    /// The noun whose records are listed.
    pub noun: &'static Noun,
    /// The conditions. A record has to meet all of them.
    pub filters: Vec<Filter>,
    /// The `LIKE` pattern that at least one text field has to match.
    pub search: Option<String>,
    /// The order. It always ends with the id, so no two records are equal in it.
    pub order: Vec<Sort>,
    /// The largest number of records. `None` means the whole list.
    pub limit: Option<u64>,
    /// Where the page before this one ended.
    pub after: Option<Cursor>,
    /// Of a [feed](Query::reads_feed): where in which sequence it is read.
    pub feed: Option<FeedPlace>,
    /// The last number of a [feed](Noun::is_feed) that is listed. A store sets it when the list begins.
    pub up_to: Option<i64>,
    /// The requested fields. `None` means all.
    pub shown: Option<Shown>,
    /// Whether the number of records is requested.
    pub count: bool,
    /// When the list begins, where its records are told apart by [how urgent](crate::model::due) they are.
    pub moment: Option<Moment>,
    /// The parameters as given.
    pub pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads the parameters. The error names every parameter at fault.
    pub fn new(noun: &'static Noun, pairs: Vec<(String, String)>) -> Result<Query> {
        Query::in_zone(noun, pairs, &Zone::UTC)
    }

    /// The same as [`Query::new`]. Times without an offset are in this zone, unless the parameter `tz` names another.
    pub fn in_zone(
        noun: &'static Noun,
        pairs: Vec<(String, String)>,
        default: &Zone,
    ) -> Result<Query> {
        let mut query = Query {
            noun,
            filters: Vec::new(),
            search: None,
            order: default_order(noun)?,
            limit: None,
            after: None,
            feed: None,
            up_to: None,
            shown: None,
            count: false,
            moment: None,
            pairs: Vec::new(),
        };
        let most = MOST_FILTERS + CONTROLS.len();
        if pairs.len() > most {
            // No valid list has this many parameters, but a URL has room for thousands. So none of them is read.
            let got = pairs.len();
            return Err(Error::field(
                "parameters",
                format!("expected at most {most}, got {got}"),
            ));
        }
        let mut problems = Problems::default();
        let mut cursor = None;
        let named = pairs.iter().find(|pair| pair.0 == "tz");
        let named = named
            .map(|(name, zone)| Zone::named(zone).map_err(|expected| Error::field(name, expected)));
        let zone = match &named {
            Some(Ok(zone)) => zone,
            Some(Err(error)) => {
                problems.extend(error.problems.clone());
                default
            }
            None => default,
        };
        query.moment = noun.due().map(|_| Moment::now(zone));
        for (at, (name, value)) in pairs.iter().enumerate() {
            let is_control = CONTROLS.contains(&name.as_str());
            let is_list = LISTS.contains(&name.as_str());
            let again = is_control && pairs[..at].iter().any(|pair| pair.0 == *name);
            let read = if again && !is_list {
                Err(Error::field(name, "is given twice"))
            } else if value.contains('\0') {
                Err(Error::field(name, "must not contain a NUL character"))
            } else if name == "after" {
                // Read at the end, because it needs the order.
                cursor = Some(value);
                Ok(())
            } else if is_list {
                // The first one reads all of them.
                match list_of(&pairs, name).filter(|_| !again) {
                    Some(list) => query.read(name, &list, zone),
                    None => Ok(()),
                }
            } else if name == "tz" {
                // Read before all others, because filters need it.
                Ok(())
            } else {
                query.read(name, value, zone)
            };
            if let Err(error) = read {
                problems.extend(error.problems);
            }
        }
        query.check_size(&pairs, &mut problems);
        if query.reads_feed() {
            query.feed = Some(FeedPlace::default());
        }
        if let Some(text) = cursor
            && let Err(expected) = query.read_cursor(text)
        {
            problems.push("after", expected);
        }
        let mut pairs = pairs;
        for (name, value) in &mut pairs {
            if let Some(pinned) = pinned(noun, name, value, zone) {
                *value = pinned;
            }
        }
        query.pairs = pairs;
        if problems.is_empty() {
            Ok(query)
        } else {
            Err(Error::fields(problems))
        }
    }

    /// Reads one parameter.
    fn read(&mut self, name: &str, value: &str, zone: &Zone) -> Result<()> {
        match name {
            "q" if value.chars().nth(LONGEST_PATTERN).is_some() => {
                let expected = format!("expected at most {LONGEST_PATTERN} characters");
                return Err(Error::field("q", expected));
            }
            "q" => self.search = (!value.is_empty()).then(|| Pattern::containing(value)),
            "sort" => self.order = order(self.noun, value)?,
            "limit" => self.limit = Some(limit(value)?),
            "fields" => self.shown = Some(Shown::parse(self.noun, value)?),
            "count" => self.count = boolean("count", value)?,
            name => {
                let moment = self.moment.as_ref();
                let filter = filter(self.noun, name, value, (zone, moment))?;
                self.filters.push(filter);
            }
        }
        Ok(())
    }

    /// Reads the parameter `after`. The error says what was expected.
    fn read_cursor(&mut self, text: &str) -> Result<(), &'static str> {
        if let Some(feed) = &mut self.feed {
            if text == END {
                feed.from_end = true;
                return Ok(());
            }
            let (epoch, seq) = FeedPlace::decode(text).ok_or(
                "expected a cursor from the Link header of an answer to this list, or end",
            )?;
            feed.epoch = Some(epoch);
            self.after = Some(Cursor(vec![Value::Int(seq)]));
            return Ok(());
        }
        let cursor = Cursor::decode(self.noun, &self.order, text).ok_or(
            "expected a cursor from the Link header of a page of this list with the same sort",
        )?;
        self.after = Some(cursor);
        Ok(())
    }

    /// Notes a problem if the parameters exceed the bounds on their number or size.
    fn check_size(&self, pairs: &[(String, String)], problems: &mut Problems) {
        let filters = self.filters.len();
        if filters > MOST_FILTERS {
            problems.push(
                "filters",
                format!("expected at most {MOST_FILTERS}, got {filters}"),
            );
        }
        let values = self.filters.iter().map(|filter| filter.test.values());
        let values: usize = values.sum();
        if values > MOST_VALUES_IN_ALL {
            problems.push(
                "filters",
                format!("expected at most {MOST_VALUES_IN_ALL} values in all, got {values}"),
            );
        }
        let lengths = pairs.iter();
        let lengths = lengths.map(|(name, value)| written(name) + written(value) + 2);
        let length: usize = lengths.sum();
        if length > LONGEST_QUERY {
            problems.push(
                "parameters",
                format!(
                    "expected at most {LONGEST_QUERY} bytes as a URL writes them, got {length}"
                ),
            );
        }
    }

    /// The cursor of the page that ends with the record `last`.
    pub fn cursor(&self, last: &Record) -> String {
        self.encoded(Cursor::of(&self.order, last))
    }

    /// The cursor of the page that ends with a record that has these sorted values.
    pub fn cursor_of(&self, values: Vec<Value>) -> String {
        self.encoded(Cursor(values))
    }

    /// The cursor of the page that ends with this id, if the list is [ordered by id](Query::by_id) only. It needs no record.
    pub fn cursor_by_id(&self, id: i64) -> Option<String> {
        self.by_id()
            .then(|| self.encoded(Cursor(vec![Value::Int(id)])))
    }

    fn encoded(&self, cursor: Cursor) -> String {
        match (&self.feed, cursor.0.first()) {
            (Some(feed), Some(Value::Int(seq))) => feed.encode(*seq),
            _ => cursor.encode(self.noun, &self.order),
        }
    }

    /// The lowest number of a [feed](Noun::is_feed) that can pass the filters. What a record of a feed refers to in the same
    /// feed is never after it.
    pub fn lowest(&self) -> Option<i64> {
        let refers = |filter: &&Filter| match filter.column {
            Column::Field(at) => matches!(
                self.noun.fields[at].kind,
                Kind::Reference(target) if target.plural == self.noun.plural
            ),
            Column::Attribute(_) => false,
        };
        let filters = self.filters.iter().filter(|_| self.noun.is_feed());
        let bounds = filters
            .filter(refers)
            .filter_map(|filter| match &filter.test {
                Test::Compare(Comparison::Eq, Operand::Int(first)) => Some(*first),
                _ => None,
            });
        bounds.max()
    }

    /// The ids that a list [by id](Query::by_id) is read from and to, up to `highest`: those after its cursor.
    pub fn between(&self, highest: i64) -> (i64, i64) {
        let after = self.after.as_ref().and_then(|after| after.0.first());
        match (after.and_then(Value::int), self.order[0].descending) {
            (None, _) => (self.lowest().unwrap_or(i64::MIN), highest),
            // No id is beyond the last possible one.
            (Some(i64::MAX), false) | (Some(i64::MIN), true) => (1, 0),
            (Some(after), false) => ((after + 1).max(self.lowest().unwrap_or(i64::MIN)), highest),
            (Some(after), true) => (i64::MIN, highest.min(after - 1)),
        }
    }

    /// Whether it reads a [feed](Noun::is_feed) in the order of its numbers, so that it can be read on from its end.
    pub fn reads_feed(&self) -> bool {
        self.noun.is_feed() && self.by_id() && !self.order[0].descending
    }

    /// The conditions, for a change that is not read by this query.
    pub fn conditions(&self) -> Conditions {
        Conditions::of(&self.filters, self.search.as_deref())
    }

    /// Whether the list is ordered by the user's own fields, among others.
    pub fn by_attributes(&self) -> bool {
        self.order.iter().any(|sort| sort.key.is_some())
    }

    /// Whether the list is ordered by id only.
    pub fn by_id(&self) -> bool {
        self.order.len() == 1
    }
}

#[cfg(test)]
mod tests;
