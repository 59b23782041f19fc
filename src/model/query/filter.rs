//! Filters: the conditions that the records of a list have to meet.

use crate::base::error::{Error, Result, quoted};
use crate::base::text::Pattern;
use crate::base::time::{self, Range, Zone};
use crate::model::change_type::{self, is_type};
use crate::model::due::{Due, Moment};
use crate::model::email::{email, spellings};
use crate::model::field::Field;
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::query::limits::{LONGEST_PATTERN, MOST_VALUES};
use crate::model::query::parameters::{CONTROLS, UNORDERED};

/// The operators. A value starts with one of them and a colon, or it is compared with `eq`.
pub const OPERATORS: [&str; 9] = ["eq", "ne", "gt", "gte", "lt", "lte", "in", "is", "like"];

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The field or attribute that is compared.
    pub column: Column,
    /// The comparison.
    pub test: Test,
}

/// The field or attribute that a filter compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    /// A field of the noun, by its position.
    Field(usize),
    /// A key of the attributes.
    Attribute(String),
}

/// The comparison that a filter makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// Compares with one value. Null meets `ne` and no other comparison.
    Compare(Comparison, Operand),
    /// Equal to one of several values.
    In(Vec<Operand>),
    /// Equal to none of several values, or null.
    NotIn(Vec<Operand>),
    /// `is:null`.
    Null,
    /// `is:notnull`.
    NotNull,
    /// Matches a `LIKE` pattern that [`Pattern::parse`] accepts.
    Like(String),
}

/// The operators that compare with one value.
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

/// A value that a filter compares with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// An id.
    Int(i64),
    /// A text in the form in which it is stored.
    Text(String),
    /// A time or a whole day; all types of a noun.
    Range(Range),
    /// No value.
    Null,
}

impl Test {
    /// The number of parameters that it needs in a statement.
    pub(super) fn values(&self) -> usize {
        let one = |operand: &Operand| {
            if matches!(operand, Operand::Range(_)) {
                2
            } else {
                1
            }
        };
        match self {
            Test::Compare(_, operand) => one(operand),
            Test::In(operands) | Test::NotIn(operands) => operands.iter().map(one).sum(),
            Test::Null | Test::NotNull | Test::Like(_) => 1,
        }
    }

    /// The test that finds an e-mail address in each spelling in which it may be stored.
    fn in_all_spellings(self) -> Test {
        let all = |operands: Vec<Operand>| {
            let texts = operands.into_iter().flat_map(|operand| match operand {
                Operand::Text(text) => spellings(&text).into_iter().map(Operand::Text).collect(),
                other => vec![other],
            });
            texts.collect::<Vec<Operand>>()
        };
        match self {
            // A plain address has one spelling.
            Test::Compare(_, Operand::Text(ref text)) if text.is_ascii() => self,
            Test::Compare(Comparison::Eq, operand) => Test::In(all(vec![operand])),
            Test::Compare(Comparison::Ne, operand) => Test::NotIn(all(vec![operand])),
            Test::In(operands) => Test::In(all(operands)),
            test => test,
        }
    }
}

/// Reads a filter. The name is that of a field or `attributes.KEY`. A time without an offset is in the zone.
/// `moment` is that of a list of follow-ups.
pub(super) fn filter(
    noun: &'static Noun,
    name: &str,
    value: &str,
    (zone, moment): (&Zone, Option<&Moment>),
) -> Result<Filter> {
    if let Some(key) = name.strip_prefix("attributes.")
        && noun.has_attributes()
    {
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
        if noun.has_attributes() {
            known.push("attributes.KEY");
        }
        known.extend(CONTROLS);
        let list = match noun.is_composed() {
            true => {
                known.retain(|name| !UNORDERED.contains(name));
                format!("a {}", noun.plural)
            }
            false => format!("a list of {}", noun.plural),
        };
        let shown: String = name.chars().take(60).collect();
        return Err(Error::field(
            shown,
            format!("no such parameter; {list} takes {}", known.join(", ")),
        ));
    };
    let field = &noun.fields[at];
    if let (Kind::Due, Some(moment)) = (field.kind, moment) {
        let wanted = urgent(value).map_err(|expected| Error::field(name, expected))?;
        return Ok(Filter {
            column: Column::Field(at),
            test: within(moment, &wanted),
        });
    }
    if field.kind == Kind::Type {
        types(value).map_err(|expected| Error::field(name, expected))?;
    }
    let test = test(name, value, !field.kind.is_number(), |text| {
        operand(field, text, zone)
    })?;
    Ok(Filter {
        column: Column::Field(at),
        test: match field.kind {
            Kind::Email => test.in_all_spellings(),
            _ => test,
        },
    })
}

/// Checks the types that a filter names whole. A pattern and an order may have a part of one.
fn types(given: &str) -> Result<(), String> {
    let (operator, value) = given
        .split_once(':')
        .filter(|(operator, _)| OPERATORS.contains(operator))
        .unwrap_or(("eq", given));
    let named = match operator {
        "in" => list(value),
        "eq" | "ne" => vec![value.into()],
        _ => return Ok(()),
    };
    match named.iter().find(|word| !is_type(word)) {
        Some(word) => Err(change_type::expected("a type like ", word)),
        None => Ok(()),
    }
}

/// Reads which follow-ups are listed by how urgent they are: `overdue,today`, with `in:`, `eq:` or `ne:` before it or without.
fn urgent(given: &str) -> Result<Vec<Due>, String> {
    let (operator, value) = given
        .split_once(':')
        .filter(|(operator, _)| OPERATORS.contains(operator))
        .unwrap_or(("in", given));
    if !["in", "eq", "ne"].contains(&operator) {
        return Err(format!(
            "expected in, eq or ne with {}, got {}",
            Due::WORDS.join(", "),
            quoted(given)
        ));
    }
    let named: Result<Vec<Due>, String> = list(value)
        .iter()
        .map(|word| Due::parse(word.trim()))
        .collect();
    let named = named?;
    Ok(match operator {
        "ne" => {
            let others = Due::ALL.into_iter().filter(|due| !named.contains(due));
            others.collect()
        }
        _ => named,
    })
}

/// The test of the time of a follow-up that holds if it is as urgent as one of these.
fn within(moment: &Moment, wanted: &[Due]) -> Test {
    let spans = moment.spans(wanted).into_iter().map(Operand::Range);
    let none = wanted.contains(&Due::Unscheduled).then_some(Operand::Null);
    Test::In(spans.chain(none).collect())
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

/// Reads the comma-separated values of `in`. In them `\,` is a comma and `\\` a backslash.
pub fn list(text: &str) -> Vec<String> {
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

/// The span of a time of this field, in one of the fixed forms or from now: `-30d`, `today`.
fn time_in(field: &Field, text: &str, zone: &Zone) -> Option<Range> {
    let fixed = time::range_in(text, zone);
    fixed.or_else(|| {
        // The mark of a plus that a URL has not escaped.
        let tense = field.kind.tense().filter(|_| !text.starts_with(' '))?;
        time::span(text, zone, tense).ok()
    })
}

/// A filter with its times in a form that means the same later, so that the next page has the same condition as this one.
/// `None` if it has none that depends on the present.
pub(super) fn pinned(noun: &'static Noun, name: &str, value: &str, zone: &Zone) -> Option<String> {
    let field = &noun.fields[noun.position(name)?];
    field.kind.tense()?;
    let given = value.split_once(':');
    let given = given.filter(|(operator, _)| OPERATORS.contains(operator));
    let (operator, value) = given.unwrap_or(("eq", value));
    let values = match operator {
        "is" | "like" => return None,
        "in" => list(value),
        _ => vec![value.to_string()],
    };
    if values.iter().all(|one| time::range_in(one, zone).is_some()) {
        return None;
    }
    let spans = values
        .iter()
        .map(|one| Some(time::written(&time_in(field, one, zone)?)));
    let spans: Option<Vec<String>> = spans.collect();
    Some(format!("{operator}:{}", spans?.join(",")))
}

/// What people write for a time that is not there.
const MEANS_NULL: [&str; 5] = ["null", "none", "nil", "never", ""];

fn operand(field: &Field, text: &str, zone: &Zone) -> Result<Operand, String> {
    match field.kind {
        Kind::Id | Kind::Reference(_) | Kind::Count(..) => match text.parse::<i64>() {
            // Only digits, and a minus for a bound below every id. Rust would accept a plus too.
            Ok(id) if !text.starts_with('+') => Ok(Operand::Int(id)),
            _ => Err(format!("expected a whole number, got {}", quoted(text))),
        },
        Kind::Time(_) | Kind::Stamp | Kind::Newest(_) => {
            let read = time_in(field, text, zone);
            read.map(Operand::Range).ok_or_else(|| {
                // A plus that was not escaped arrives as a space.
                let hint = match time::range(&text.replacen(' ', "+", 1)).or_else(|| {
                    let at = text.rfind(' ')?;
                    time::range(&format!("{}+{}", &text[..at], &text[at + 1..]))
                }) {
                    Some(_) => "; in a URL the + of an offset is written %2B",
                    None if text.starts_with(' ')
                        && time_in(field, &text.replacen(' ', "+", 1), zone).is_some() =>
                    {
                        "; in a URL the + is written %2B"
                    }
                    None if field.nullable()
                        && MEANS_NULL.contains(&&*text.to_ascii_lowercase()) =>
                    {
                        "; is:null finds the records without one, is:notnull all others"
                    }
                    None => "",
                };
                format!("{}, got {}{hint}", time::EXPECTED_IN_FILTER, quoted(text))
            })
        }
        // In the order of bytes, a slash follows the full stop.
        Kind::Type => Ok(
            match text.strip_suffix(".*").filter(|noun| !noun.is_empty()) {
                Some(noun) => Operand::Range(Range {
                    start: format!("{noun}."),
                    end: format!("{noun}/"),
                }),
                None => Operand::Text(text.into()),
            },
        ),
        // An address matches in any spelling. A text that is not an address is compared as it is, because stored values may
        // be older than the rule.
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
