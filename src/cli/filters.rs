//! The filters, the order and the page of a list on the command line.

use clap::{Arg, ArgAction, ArgMatches};

use super::draft::flag;
use super::hints::{hints, without_equals};
use super::names::argument;
use crate::base::error::{Error, Problems, Result, quoted};
use crate::base::time::{self, Tense, Zone};
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::query::{CONTROLS, OPERATORS, list};

/// The heading of the filters in the help. It says once what all of them take.
const FILTERS: &str = "Filters, by VALUE or OPERATOR:VALUE (eq: ne: gt: gte: lt: lte: in:A,B is:null is:notnull like:A%)";

/// The flags of the filters.
pub(super) fn filter_args(noun: &'static Noun) -> Vec<Arg> {
    let fields = noun.fields.iter();
    fields
        .map(|field| {
            let arg = flag(field)
                .value_name("FILTER")
                .action(ArgAction::Append)
                .help_heading(FILTERS);
            match field.kind {
                Kind::Attributes => arg.help(
                    "All attributes as one text; for one of them use --where attributes.KEY=…",
                ),
                Kind::Object => arg.help(format!("{}, as one text", until(field.about))),
                Kind::Type => arg.help("What happened to what, such as lead.created; lead.* is everything that happens to leads"),
                _ => arg.help(until(field.about)),
            }
        })
        .collect()
}

/// A description up to its first semicolon.
fn until(about: &str) -> String {
    about.split(';').next().unwrap_or(about).into()
}

/// The other flags of a list.
pub(super) fn list_args(noun: &'static Noun) -> [Arg; 6] {
    [
        Arg::new("where").long("where").value_name("FIELD=FILTER").allow_hyphen_values(true).action(ArgAction::Append).help_heading(FILTERS).help(
            match noun.has_attributes() {
                true => "A filter in the form of the API, such as status=ne:lost or attributes.company=Acme",
                false => "A filter in the form of the API, such as status=ne:active",
            },
        ),
        Arg::new("q").long("q").value_name("TEXT").allow_hyphen_values(true).help(match noun.has_attributes() {
            true => "Find a text in any of the text fields and in the values of the attributes, ignoring case",
            false => "Find a text in any of the text fields, ignoring case",
        }),
        Arg::new("sort").long("sort").value_name("FIELDS").allow_hyphen_values(true).help(
            format!(
                "Sort by these comma-separated fields{}; a - before a field means descending order [default: {}]",
                if noun.has_attributes() { ", or by attributes.KEY" } else { "" },
                noun.default_order()
            ),
        ),
        Arg::new("limit")
            .long("limit")
            .value_name("COUNT")
            .help("The largest number of records to list"),
        Arg::new("after").long("after").value_name("CURSOR").help("Continue after a page: the cursor from below its table or from the API's Link header"),
        Arg::new("count").long("count").action(ArgAction::SetTrue).help("Print only the number of records"),
    ]
}

/// The parameters of a list. Times are read in the zone, and become UTC.
pub(super) fn pairs(
    noun: &'static Noun,
    matches: &ArgMatches,
    zone: &Zone,
) -> Result<Vec<(String, String)>> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for field in noun.fields {
        for value in values(matches, argument(field)) {
            pairs.push((field.name.into(), value.clone()));
        }
    }
    let mut problems = Problems::default();
    for filter in values(matches, "where") {
        match filter.split_once('=') {
            Some((name, _)) if CONTROLS.contains(&name.trim()) => problems.push(
                "--where",
                format!("{0} is not a filter; expected --{0}", name.trim()),
            ),
            Some((name, value)) => pairs.push((name.trim().into(), value.into())),
            None => problems.push(
                "--where",
                format!(
                    "expected FIELD=VALUE or FIELD=OPERATOR:VALUE, got {}{}",
                    quoted(filter),
                    without_equals(noun, filter)
                        .map_or_else(String::new, |meant| format!("; {meant}"))
                ),
            ),
        }
    }
    for (name, value) in &mut pairs {
        let kind = noun.position(name).map(|at| noun.fields[at].kind);
        if let Some(tense) = kind.and_then(Kind::tense) {
            match times(value, zone, tense) {
                Ok(read) => *value = read,
                Err(mut expected) => {
                    for hint in hints(noun, &[(name.clone(), value.clone())]) {
                        expected += &format!("; {}", hint.trim_start_matches("hint: "));
                    }
                    problems.push(name.clone(), expected);
                }
            }
        }
    }
    if !problems.is_empty() {
        return Err(Error::fields(problems));
    }
    for name in ["q", "sort", "after"] {
        if let Some(value) = values(matches, name).next() {
            pairs.push((name.into(), value.clone()));
        }
    }
    if noun.due().is_some() && *zone != Zone::UTC {
        // How urgent a follow-up is depends on the days of the zone.
        pairs.push(("tz".into(), zone.known_name().into_owned()));
    }
    Ok(pairs)
}

/// The values of an argument. None if the command does not take it.
fn values<'m>(matches: &'m ArgMatches, name: &str) -> impl Iterator<Item = &'m String> {
    let values = matches.try_get_many::<String>(name).ok().flatten();
    values.into_iter().flatten()
}

/// Reads the times in the value of a filter, and writes them in UTC with an offset. So a server needs neither the words of
/// the command line nor its zone, and a day is the same span everywhere.
fn times(filter: &str, zone: &Zone, tense: Tense) -> Result<String, String> {
    let operator = filter.split_once(':');
    let operator = operator.filter(|(operator, _)| OPERATORS.contains(operator));
    let (operator, value) = operator.unwrap_or(("eq", filter));
    let read = |text: &str| time::span(text, zone, tense);
    match operator {
        // A pattern is compared with the stored text.
        "like" | "is" => Ok(filter.into()),
        "in" => {
            let spans = list(value)
                .into_iter()
                .map(|text| Ok(time::written(&read(&text)?)));
            Ok(format!(
                "in:{}",
                spans.collect::<Result<Vec<_>, String>>()?.join(",")
            ))
        }
        _ => Ok(format!("{operator}:{}", time::written(&read(value)?))),
    }
}
