//! The parameters of a list: which records, in which order, which of their fields.
//!
//! They are pairs of name and value, whether they come in a URL or as flags, and are read here once for all stores. The
//! pairs are kept beside what they mean, so that the remote store sends what was given.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{
    AsciiSet, NON_ALPHANUMERIC, PercentEncode, percent_decode_str, utf8_percent_encode,
};

use crate::base::error::{Error, Problems, Result, quoted};
use crate::base::text::Pattern;
use crate::base::time::{self, Range};
use crate::model::record::{Field, Kind, Noun, Record, Shown, Value, email};

/// The largest limit: what a database takes. It is no bound on memory, as a list is streamed however long it is.
pub const LARGEST_LIMIT: u64 = i64::MAX as u64 - 1;

/// The most filters a list takes: a bound on what one request may cost to plan.
pub const MOST_FILTERS: usize = 100;

/// The most values one `in` takes.
pub const MOST_VALUES: usize = 1_000;

/// The most values all filters take together; two for each time. Databases bound the parameters of a statement.
pub const MOST_VALUES_IN_ALL: usize = 10_000;

/// The longest pattern of `like` and the longest `q`, in characters: it is looked for in every record.
pub const LONGEST_PATTERN: usize = 1_000;

/// The most bytes all parameters have together as a URL writes them, so that what a file takes a server takes too.
pub const LONGEST_QUERY: usize = 60_000;

/// How much of a text a sort looks at, in characters. Ties beyond it go by id. It keeps the cursor, which holds the
/// sorted values of the last record, short enough for a URL.
pub const SORTED_LETTERS: usize = 256;

/// A list of records of one noun.
#[derive(Clone, Debug)]
pub struct Query {
    /// What is listed.
    pub noun: &'static Noun,
    /// All of them have to hold.
    pub filters: Vec<Filter>,
    /// The `LIKE` pattern that one of the text fields has to match.
    pub search: Option<String>,
    /// The order, always ending with the id, so that it is total.
    pub order: Vec<Sort>,
    /// The most records, `None` for the whole list.
    pub limit: Option<u64>,
    /// Where the page before this one ended.
    pub after: Option<Cursor>,
    /// The fields that were asked for.
    pub shown: Option<Shown>,
    /// Whether the number of records is asked for.
    pub count: bool,
    /// The parameters as given.
    pub pairs: Vec<(String, String)>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// What is compared.
    pub column: Column,
    /// With what.
    pub test: Test,
}

/// What a filter compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// A field of the noun.
    Field(usize),
    /// One key of the attributes.
    Attribute(String),
}

/// What a filter asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// A comparison; `ne` holds for null too, the others do not.
    Compare(Comparison, Operand),
    /// One of several.
    In(Vec<Operand>),
    /// `is:null`.
    Null,
    /// `is:notnull`.
    NotNull,
    /// A `LIKE` pattern that [`Pattern::parse`] takes.
    Like(String),
}

/// The comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Not equal, or null.
    Ne,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
}

/// What a filter compares with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// An id.
    Int(i64),
    /// A text as it would be stored.
    Text(String),
    /// A time, or a whole day.
    Range(Range),
}

/// One key of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// The field.
    pub at: usize,
    /// From the greatest. Null is less than everything.
    pub descending: bool,
    /// Null comes last instead. It does so in the order of a view that is asked for no other.
    pub nulls_last: bool,
}

/// Where a page ended: the values of the order's fields in its last record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub Vec<Value>);

/// The words before the first colon that are operators.
pub const OPERATORS: [&str; 9] = ["eq", "ne", "gt", "gte", "lt", "lte", "in", "is", "like"];

/// The parameters that are not filters.
pub const CONTROLS: [&str; 6] = ["q", "sort", "limit", "after", "fields", "count"];

impl Query {
    /// Reads the parameters; all that is wrong with them is told at once.
    pub fn new(noun: &'static Noun, pairs: Vec<(String, String)>) -> Result<Query> {
        let mut query = Query {
            noun,
            filters: Vec::new(),
            search: None,
            order: default_order(noun)?,
            limit: None,
            after: None,
            shown: None,
            count: false,
            pairs: Vec::new(),
        };
        let most = MOST_FILTERS + CONTROLS.len();
        if pairs.len() > most {
            // No list can have these, and a URL has room for thousands: none of them is looked at.
            let got = pairs.len();
            return Err(Error::field(
                "parameters",
                format!("expected at most {most}, got {got}"),
            ));
        }
        let mut problems = Problems::default();
        let mut cursor = None;
        for (at, (name, value)) in pairs.iter().enumerate() {
            let twice =
                CONTROLS.contains(&name.as_str()) && pairs[..at].iter().any(|pair| pair.0 == *name);
            let read = match name.as_str() {
                _ if twice => Err(Error::field(name, "is given twice")),
                _ if value.contains('\0') => {
                    Err(Error::field(name, "must not contain a NUL character"))
                }
                "q" if value.chars().nth(LONGEST_PATTERN).is_some() => Err(Error::field(
                    "q",
                    format!("expected at most {LONGEST_PATTERN} characters"),
                )),
                "q" => {
                    query.search = (!value.is_empty()).then(|| Pattern::containing(value));
                    Ok(())
                }
                "sort" => order(noun, value).map(|order| query.order = order),
                "limit" => limit(value).map(|limit| query.limit = Some(limit)),
                "after" => {
                    cursor = Some(value);
                    Ok(())
                }
                "fields" => Shown::parse(noun, value).map(|shown| query.shown = Some(shown)),
                "count" => boolean("count", value).map(|count| query.count = count),
                name => filter(noun, name, value).map(|filter| query.filters.push(filter)),
            };
            if let Err(error) = read {
                problems.extend(error.problems);
            }
        }
        if query.filters.len() > MOST_FILTERS {
            problems.push(
                "filters",
                format!(
                    "expected at most {MOST_FILTERS}, got {}",
                    query.filters.len()
                ),
            );
        }
        let values: usize = query
            .filters
            .iter()
            .map(|filter| filter.test.values())
            .sum();
        if values > MOST_VALUES_IN_ALL {
            problems.push(
                "filters",
                format!("expected at most {MOST_VALUES_IN_ALL} values in all, got {values}"),
            );
        }
        let length: usize = pairs
            .iter()
            .map(|(name, value)| written(name) + written(value) + 2)
            .sum();
        if length > LONGEST_QUERY {
            problems.push(
                "parameters",
                format!(
                    "expected at most {LONGEST_QUERY} bytes as a URL writes them, got {length}"
                ),
            );
        }
        if let Some(text) = cursor {
            match Cursor::decode(noun, &query.order, text) {
                Some(cursor) => query.after = Some(cursor),
                None => problems.push(
                    "after",
                    "expected the cursor that a page of this list with the same sort answered in its Link header",
                ),
            }
        }
        query.pairs = pairs;
        if problems.is_empty() {
            Ok(query)
        } else {
            Err(Error::fields(problems))
        }
    }

    /// The cursor of the page that ends with this record.
    pub fn cursor(&self, last: &Record) -> String {
        let mut parts = vec![serde_json::Value::from(order_text(self.noun, &self.order))];
        for value in Cursor::of(self, last).0 {
            parts.push(match value {
                Value::Null => serde_json::Value::Null,
                Value::Int(int) => int.into(),
                Value::Text(text) => text.into(),
            });
        }
        URL_SAFE_NO_PAD.encode(serde_json::Value::from(parts).to_string())
    }

    /// Whether the order is that of the ids alone.
    pub fn by_id(&self) -> bool {
        self.order.len() == 1
    }
}

impl Test {
    /// How many parameters of a statement it takes.
    fn values(&self) -> usize {
        let one = |operand: &Operand| {
            if matches!(operand, Operand::Range(_)) {
                2
            } else {
                1
            }
        };
        match self {
            Test::Compare(_, operand) => one(operand),
            Test::In(operands) => operands.iter().map(one).sum(),
            Test::Null | Test::NotNull | Test::Like(_) => 1,
        }
    }
}

impl Cursor {
    /// Where a page ends that ends with this record.
    pub fn of(query: &Query, last: &Record) -> Cursor {
        let key = |sort: &Sort| match &last.values[sort.at] {
            Value::Null if sort.nulls_last => Value::Text(LAST.into()),
            Value::Text(text) => Value::Text(text.chars().take(SORTED_LETTERS).collect()),
            value => value.clone(),
        };
        Cursor(query.order.iter().map(key).collect())
    }

    /// `None` where the text is no cursor of a list with this order.
    fn decode(noun: &Noun, order: &[Sort], text: &str) -> Option<Cursor> {
        let json = URL_SAFE_NO_PAD.decode(text).ok()?;
        let parts: Vec<serde_json::Value> = serde_json::from_slice(&json).ok()?;
        let (first, values) = parts.split_first()?;
        if first.as_str()? != order_text(noun, order) || values.len() != order.len() {
            return None;
        }
        let values = values.iter().zip(order).map(|(value, sort)| {
            let field = &noun.fields[sort.at];
            match value {
                serde_json::Value::Null if field.nullable() => Some(Value::Null),
                serde_json::Value::String(text) if !field.kind.is_id() && !text.contains('\0') => {
                    Some(Value::Text(text.clone()))
                }
                value if field.kind.is_id() => value.as_i64().map(Value::Int),
                _ => None,
            }
        });
        values.collect::<Option<Vec<Value>>>().map(Cursor)
    }
}

/// The order as the parameter `sort` writes it; a cursor carries it, as it means nothing in another.
fn order_text(noun: &Noun, order: &[Sort]) -> String {
    let keys: Vec<String> = order
        .iter()
        .map(|sort| {
            format!(
                "{}{}{}",
                if sort.descending { "-" } else { "" },
                noun.fields[sort.at].name,
                if sort.nulls_last { LAST } else { "" }
            )
        })
        .collect();
    keys.join(",")
}

/// What null sorts as where it comes last: more than every time.
pub const LAST: &str = "~";

/// The order of a list that names none.
fn default_order(noun: &'static Noun) -> Result<Vec<Sort>> {
    let mut order = order(noun, noun.default_order())?;
    for sort in &mut order {
        sort.nulls_last = noun.is_view() && noun.fields[sort.at].nullable();
    }
    Ok(order)
}

fn order(noun: &'static Noun, list: &str) -> Result<Vec<Sort>> {
    let mut order: Vec<Sort> = Vec::new();
    for key in list.split(',').map(str::trim) {
        let (name, descending) = key
            .strip_prefix('-')
            .map_or((key, false), |name| (name, true));
        let found = noun
            .position(name)
            .filter(|at| noun.fields[*at].kind != Kind::Attributes);
        let Some(at) = found else {
            let known = noun
                .fields
                .iter()
                .filter(|field| field.kind != Kind::Attributes);
            let known: Vec<&str> = known.map(|field| field.name).collect();
            let known = known.join(", ");
            return Err(Error::field(
                "sort",
                format!(
                    "expected names out of {known}, each with a - before it to turn it around, got {}",
                    quoted(key)
                ),
            ));
        };
        if order.iter().any(|sort| sort.at == at) {
            return Err(Error::field("sort", format!("{name} is given twice")));
        }
        order.push(Sort {
            at,
            descending,
            nulls_last: false,
        });
    }
    // No two records have the same id: what comes after it orders nothing.
    match order.iter().position(|sort| sort.at == 0) {
        Some(id) => order.truncate(id + 1),
        None => order.push(Sort {
            at: 0,
            descending: false,
            nulls_last: false,
        }),
    }
    Ok(order)
}

fn limit(text: &str) -> Result<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let limit = text
        .parse()
        .ok()
        .filter(|limit| digits && (1..=LARGEST_LIMIT).contains(limit));
    limit.ok_or_else(|| {
        Error::field(
            "limit",
            format!(
                "expected a whole number of 1 or more, or nothing for the whole list, got {}",
                quoted(text)
            ),
        )
    })
}

/// Reads `true` or `false`.
pub fn boolean(name: &str, text: &str) -> Result<bool> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Error::field(
            name,
            format!("expected true or false, got {}", quoted(text)),
        )),
    }
}

fn filter(noun: &'static Noun, name: &str, value: &str) -> Result<Filter> {
    if let Some(key) = name.strip_prefix("attributes.") {
        let read = |text: &str| Ok(Operand::Text(text.to_string()));
        return Ok(Filter {
            column: Column::Attribute(key.into()),
            test: test(name, value, true, read)?,
        });
    }
    let Some(at) = noun.position(name) else {
        let mut known: Vec<&str> = noun
            .fields
            .iter()
            .flat_map(|field| [Some(field.name), field.old_name])
            .flatten()
            .collect();
        known.push("attributes.KEY");
        known.extend(CONTROLS);
        let shown: String = name.chars().take(60).collect();
        return Err(Error::field(
            shown,
            format!(
                "no such parameter; a list of {} takes {}",
                noun.plural,
                known.join(", ")
            ),
        ));
    };
    let field = &noun.fields[at];
    let test = test(name, value, !field.kind.is_id(), |text| {
        operand(field, text)
    })?;
    Ok(Filter {
        column: Column::Field(at),
        test,
    })
}

/// Reads `value` or `op:value`.
fn test(
    name: &str,
    given: &str,
    text: bool,
    read: impl Fn(&str) -> Result<Operand, String>,
) -> Result<Test> {
    let (operator, value) = given
        .split_once(':')
        .filter(|(operator, _)| OPERATORS.contains(operator))
        .unwrap_or(("eq", given));
    let refuse = |expected: String| Error::field(name, expected);
    let compare = |comparison| Ok(Test::Compare(comparison, read(value).map_err(refuse)?));
    match operator {
        "ne" => compare(Comparison::Ne),
        "gt" => compare(Comparison::Gt),
        "gte" => compare(Comparison::Gte),
        "lt" => compare(Comparison::Lt),
        "lte" => compare(Comparison::Lte),
        "in" => {
            let values = list(value);
            if values.len() > MOST_VALUES {
                return Err(refuse(format!(
                    "expected at most {MOST_VALUES} values, got {}",
                    values.len()
                )));
            }
            let values: Result<Vec<Operand>, String> =
                values.iter().map(|value| read(value)).collect();
            Ok(Test::In(values.map_err(refuse)?))
        }
        "is" => match value {
            "null" => Ok(Test::Null),
            "notnull" => Ok(Test::NotNull),
            _ => Err(refuse(format!(
                "expected is:null or is:notnull, got {}",
                quoted(given)
            ))),
        },
        "like" if !text => Err(refuse(
            "like is for text; expected eq, ne, gt, gte, lt, lte, in or is".into(),
        )),
        "like" if value.chars().nth(LONGEST_PATTERN).is_some() => Err(refuse(format!(
            "expected a pattern of at most {LONGEST_PATTERN} characters"
        ))),
        "like" => match Pattern::parse(value) {
            Some(_) => Ok(Test::Like(value.into())),
            None => Err(refuse(
                "expected a pattern that does not end in a lone \\".into(),
            )),
        },
        _ => compare(Comparison::Eq),
    }
}

/// The values of `in`: parted by commas, `\,` is a comma and `\\` a backslash.
fn list(text: &str) -> Vec<String> {
    let mut values = vec![String::new()];
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let value = values.len() - 1;
        match letter {
            ',' => values.push(String::new()),
            '\\' if matches!(letters.peek(), Some(',' | '\\')) => {
                values[value].extend(letters.next())
            }
            letter => values[value].push(letter),
        }
    }
    values
}

fn operand(field: &Field, text: &str) -> Result<Operand, String> {
    match field.kind {
        Kind::Id | Kind::Reference(_) => match text.parse::<i64>() {
            // Digits alone, with a minus for a bound below every id: Rust would take a plus too.
            Ok(id) if !text.starts_with('+') => Ok(Operand::Int(id)),
            _ => Err(format!("expected a whole number, got {}", quoted(text))),
        },
        Kind::Time | Kind::Stamp => time::range(text).map(Operand::Range).ok_or_else(|| {
            // A plus that was not escaped arrives as a space.
            let hint = match time::range(&text.replacen(' ', "+", 1)).or_else(|| {
                let at = text.rfind(' ')?;
                time::range(&format!("{}+{}", &text[..at], &text[at + 1..]))
            }) {
                Some(_) => "; in a URL the + of an offset is written %2B",
                None => "",
            };
            format!("{}, got {}{hint}", time::EXPECTED, quoted(text))
        }),
        // An address is found however it is written; what is no address finds what is older than the rule.
        Kind::Email => match email(text) {
            Some(address) => Ok(Operand::Text(address)),
            None if text.contains(' ') && email(&text.replace(' ', "+")).is_some() => Err(format!(
                "expected an e-mail address, got {}; in a URL a + is written %2B",
                quoted(text)
            )),
            None => Ok(Operand::Text(text.to_ascii_lowercase())),
        },
        _ => Ok(Operand::Text(text.into())),
    }
}

/// What a name or a value of a URL's query needs no escape for (RFC 3986, section 2.3).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// How many bytes a name or a value takes in a URL.
fn written(text: &str) -> usize {
    escape(text).map(str::len).sum()
}

/// A name or a value as the query part of a URL writes it.
pub fn escape(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, PLAIN)
}

/// Reads the query part of a URL, `a=1&b=two+words`.
pub fn pairs(query: &str) -> Result<Vec<(String, String)>> {
    let decode = |part: &str| {
        let part = part.replace('+', " ");
        let decoded = percent_decode_str(&part)
            .decode_utf8()
            .map(|text| text.into_owned());
        decoded.map_err(|_| {
            Error::invalid(format!(
                "the URL's query: expected percent-encoded UTF-8, got {}",
                quoted(&part)
            ))
        })
    };
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lead::LEAD;
    use crate::model::process::PROCESS;

    fn query(noun: &'static Noun, text: &str) -> Result<Query> {
        Query::new(noun, pairs(text).unwrap())
    }

    fn only(noun: &'static Noun, text: &str) -> Test {
        query(noun, text).unwrap().filters.remove(0).test
    }

    #[test]
    fn only_operators_before_the_first_colon_are_operators() {
        let eq = |text: &str| Test::Compare(Comparison::Eq, Operand::Text(text.into()));
        assert_eq!(only(&LEAD, "name=new"), eq("new"));
        assert_eq!(only(&LEAD, "name=mr:x"), eq("mr:x"));
        assert_eq!(only(&LEAD, "name=eq:ne:x"), eq("ne:x"));
        assert_eq!(
            only(&LEAD, "name=ne:a:b"),
            Test::Compare(Comparison::Ne, Operand::Text("a:b".into()))
        );
        assert_eq!(only(&LEAD, "name="), eq(""));
        assert_eq!(only(&LEAD, "name=is:null"), Test::Null);
        assert_eq!(
            only(&LEAD, r"status=in:a\,b,c\\,d"),
            Test::In(
                ["a,b", r"c\", "d"]
                    .map(|text| Operand::Text(text.into()))
                    .into()
            )
        );
    }

    #[test]
    fn what_is_wrong_is_told_at_once() {
        let error = query(
            &PROCESS,
            "foo=1&lead_id=x&limit=0&sort=nope&after=zz&count=1&next_followup_datetime=lte:soon",
        )
        .unwrap_err();
        let fields: Vec<&str> = error
            .problems
            .iter()
            .map(|problem| problem.field.as_str())
            .collect();
        assert_eq!(
            fields,
            [
                "foo",
                "lead_id",
                "limit",
                "sort",
                "count",
                "next_followup_datetime",
                "after"
            ]
        );
        for bad in [
            "id=like:1",
            "name=is:maybe",
            r"name=like:a\",
            "limit=-1",
            "limit=9223372036854775807",
            "limit=1&limit=2",
            "fields=id,id",
            "sort=id,id",
            "id=+1",
            "name=%00",
        ] {
            assert!(query(&LEAD, bad).is_err(), "{bad}");
        }
        assert!(pairs("name=%ff").is_err());
    }

    #[test]
    fn a_plus_that_became_a_space_is_explained() {
        let error = query(&LEAD, "created_at=gt:2026-01-01T00:00:00+02:00").unwrap_err();
        assert!(error.message.contains("%2B"), "{error}");
    }

    #[test]
    fn a_cursor_belongs_to_its_order() {
        let by_name = query(&LEAD, "sort=-name").unwrap();
        let record = Record::from_json(&LEAD, br#"{"id":7,"name":"Ada"}"#).unwrap();
        let cursor = by_name.cursor(&record);
        let next = query(&LEAD, &format!("sort=-name&after={cursor}")).unwrap();
        assert_eq!(
            next.after,
            Some(Cursor(vec![Value::Text("Ada".into()), Value::Int(7)]))
        );
        assert!(query(&LEAD, &format!("sort=name&after={cursor}")).is_err());
        assert!(query(&LEAD, &format!("after={cursor}")).is_err());
    }
}
