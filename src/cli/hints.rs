//! Hints for a list that found nothing or was refused: filters that look like a slip.
//!
//! A filter compares for equality unless an operator stands before its value, so `--status new,contacted` looks for one
//! status of that name. That is a valid filter, so the list is done as asked, and the hint is only given where nothing
//! was found.

use super::names::{named, typed};
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::model::nouns::NOUNS;
use crate::model::query::{CONTROLS, OPERATORS};

/// Words that people write before a value, with the operator that they mean.
const MEANT: [(&str, &str); 26] = [
    ("!==", "ne"),
    ("!=", "ne"),
    ("<>", "ne"),
    ("==", ""),
    (">=", "gte"),
    ("=>", "gte"),
    ("<=", "lte"),
    ("=<", "lte"),
    (">", "gt"),
    ("<", "lt"),
    ("!~", ""),
    ("=~", "like"),
    ("~", "like"),
    ("!", "ne"),
    ("=", ""),
    ("neq:", "ne"),
    ("not:", "ne"),
    ("ge:", "gte"),
    ("le:", "lte"),
    ("equals:", ""),
    ("contains:", "like"),
    ("ilike:", "like"),
    ("startswith:", "like"),
    ("any:", "in"),
    ("one:", "in"),
    ("oneof:", "in"),
];

/// The hints for these filters, one line each.
pub(super) fn hints(noun: &'static Noun, filters: &[(String, String)]) -> Vec<String> {
    let filters = filters
        .iter()
        .filter(|(name, _)| !CONTROLS.contains(&name.as_str()));
    let meant = filters.filter_map(|(name, value)| meant(noun, name, value));
    meant.map(|meant| format!("hint: {meant}")).collect()
}

/// The filter that was most likely meant by a condition without `=`, such as `id>2` or `status:new`.
pub(super) fn without_equals(noun: &'static Noun, condition: &str) -> Option<String> {
    let at = condition.find(['<', '>', '~', ':'])?;
    let (name, value) = condition.split_at(at);
    meant(noun, name.trim(), value.trim_start_matches(':')).or_else(|| {
        let field = named(noun, name.trim())?;
        let value = value.trim_start_matches(':');
        Some(format!("did you mean {}={}?", field.name, typed(value)))
    })
}

/// What was most likely meant by a filter that looks like a slip.
fn meant(noun: &'static Noun, name: &str, value: &str) -> Option<String> {
    let you_mean = |filters: &[String]| {
        let filters = filters
            .iter()
            .map(|filter| format!("--where {}", typed(filter)));
        let filters: Vec<String> = filters.collect();
        Some(format!("did you mean {}?", filters.join(" ")))
    };
    // `status!=new` is cut at its `=`.
    let (name, value) = match name.trim_end_matches(['!', '<', '>', '~', ':']) {
        "" => return None,
        bare => (bare, format!("{}{value}", operator_of(name))),
    };
    let known = name.starts_with("attributes.") || noun.position(name).is_some();
    let full = match (known, named(noun, name)) {
        (true, _) => name.to_string(),
        (false, Some(field)) => field.name.to_string(),
        (false, None) if noun.has_attributes() => format!("attributes.{name}"),
        (false, None) => return None,
    };
    if let Some(filters) = joined(noun, &full, &value) {
        return match filters {
            Joined::And(filters) => you_mean(&filters),
            Joined::Or(filter) => you_mean(&[filter]),
            Joined::Neither => Some(
                "every filter has to be met; filters on different fields cannot be joined with \"or\"".into(),
            ),
        };
    }
    // A field that is never null needs no hint about null.
    let may_be_null = noun
        .position(&full)
        .is_none_or(|at| noun.fields[at].nullable());
    let kind = noun.position(&full).map(|at| noun.fields[at].kind);
    let rewritten = match kind {
        Some(Kind::Type) => rewritten_type(&value),
        // Commas are right here, and a wrong word is refused.
        Some(Kind::Due) => None,
        _ => rewritten(&value),
    };
    let filter = rewritten.filter(|filter| may_be_null || !filter.starts_with("is:"));
    match (filter, known) {
        (None, true) => None,
        (None, false) => you_mean(&[format!("{full}={value}")]),
        (Some(filter), _) => you_mean(&[format!("{full}={filter}")]),
    }
}

/// The operator at the end of a name that was cut at the first `=`: `status!` of `status!=new`.
fn operator_of(name: &str) -> &'static str {
    match name.chars().last() {
        Some('!') => "!=",
        Some('<') => "<=",
        Some('>') => ">=",
        Some('~') => "~",
        _ => "",
    }
}

/// Several conditions in one value: `new or status=won`.
enum Joined {
    And(Vec<String>),
    Or(String),
    Neither,
}

fn joined(noun: &'static Noun, name: &str, value: &str) -> Option<Joined> {
    let lower = value.to_ascii_lowercase();
    let split = |joiner: &str| -> Option<Vec<String>> {
        // The lower case of ASCII letters changes no length.
        lower.contains(joiner).then(|| {
            let mut parts = Vec::new();
            let mut from = 0;
            while let Some(at) = lower[from..].find(joiner) {
                parts.push(value[from..from + at].trim().to_string());
                from += at + joiner.len();
            }
            parts.push(value[from..].trim().to_string());
            parts
        })
    };
    for (joiner, is_or) in [
        (" or ", true),
        ("||", true),
        ("|", true),
        (" and ", false),
        ("&&", false),
    ] {
        let Some(parts) = split(joiner) else {
            continue;
        };
        let mut filters: Vec<(String, String)> = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            let (of, value) = match part.split_once('=') {
                Some((of, value)) => (of.trim_end_matches(['!', '=']).trim(), value),
                None if at == 0 || joiner == "|" || is_or => (name, part.as_str()),
                // An "and" in a text, such as `Smith and Sons`, is part of it.
                None => return None,
            };
            let of = named(noun, of).map_or(of, |field| field.name);
            filters.push((
                of.to_string(),
                value.trim_matches(['=', '\'', '"']).trim().to_string(),
            ));
        }
        let is_same = filters.iter().all(|filter| filter.0 == filters[0].0);
        return Some(match (is_or, is_same) {
            (true, true) => {
                let values: Vec<&str> = filters.iter().map(|filter| filter.1.as_str()).collect();
                Joined::Or(format!("{}=in:{}", filters[0].0, values.join(",")))
            }
            (true, false) => Joined::Neither,
            (false, _) => {
                let filters = filters
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"));
                Joined::And(filters.collect())
            }
        });
    }
    None
}

/// The filter that was most likely meant by this value. `None` if it looks like a plain value.
fn rewritten(value: &str) -> Option<String> {
    if let Some((operator, text)) = value.split_once(':')
        && OPERATORS.contains(&operator)
    {
        // A valid operator, but its value may look like that of another one.
        return match operator {
            "like" if text.contains('*') => Some(format!("like:{}", text.replace('*', "%"))),
            "like" if !text.contains(['%', '_']) => Some(format!("like:%{text}%")),
            "eq" | "ne" if text.contains(',') => {
                (operator == "eq").then(|| format!("in:{}", spaceless(text)))
            }
            "in" if text.contains(", ") => Some(format!("in:{}", spaceless(text))),
            _ => None,
        };
    }
    let lower = value.to_ascii_lowercase();
    if let Some((operator, text)) = value.split_once(':')
        && OPERATORS.contains(&operator.to_ascii_lowercase().trim())
    {
        return Some(format!(
            "{}:{}",
            operator.to_ascii_lowercase().trim(),
            text.trim()
        ));
    }
    for (written, operator) in MEANT {
        let Some(text) = lower
            .strip_prefix(written)
            .map(|rest| &value[value.len() - rest.len()..])
        else {
            continue;
        };
        let text = text.trim().trim_matches(['\'', '"']);
        return match operator {
            "" if written == "!~" => None,
            "" => Some(text.into()),
            "in" => Some(format!(
                "in:{}",
                spaceless(text.trim_matches(['[', ']', '(', ')']))
            )),
            "like" if written == "startswith:" => Some(format!("like:{text}%")),
            "like" if text.contains(['%', '_', '*']) => {
                Some(format!("like:{}", text.replace('*', "%")))
            }
            "like" => Some(format!("like:%{text}%")),
            operator => Some(format!("{operator}:{text}")),
        };
    }
    if let Some(list) = lower
        .strip_prefix("in")
        .map(|rest| &value[value.len() - rest.len()..])
        && list.trim_start().starts_with(['(', '[', '='])
    {
        let list = list
            .trim()
            .trim_start_matches('=')
            .trim_matches(['(', ')', '[', ']']);
        return Some(format!("in:{}", spaceless(list)));
    }
    match lower.as_str() {
        "" | "null" | "none" | "nil" | "is null" | "empty" => return Some("is:null".into()),
        "not null" | "is not null" | "notnull" | "any" | "*" | "%" => {
            return Some("is:notnull".into());
        }
        _ => {}
    }
    let inner = value.trim_matches(['\'', '"']);
    if inner.len() < value.len() && !inner.is_empty() {
        return Some(inner.into());
    }
    if value.contains(['*', '%']) {
        return Some(format!("like:{}", value.replace('*', "%")));
    }
    match value.contains([',', ';']) {
        true => Some(format!("in:{}", spaceless(&value.replace(';', ",")))),
        false => None,
    }
}

/// The same for the type of a change: `lead.*` is what it looks like, `leads` and `leads.*` are meant so.
fn rewritten_type(value: &str) -> Option<String> {
    let bare = value.strip_suffix(".*").unwrap_or(value);
    let noun = NOUNS
        .into_iter()
        .find(|noun| [noun.name, noun.plural].contains(&&*bare.to_ascii_lowercase()));
    match noun {
        Some(noun) if *value == format!("{}.*", noun.name) => None,
        Some(noun) => Some(format!("{}.*", noun.name)),
        None if !value.starts_with(|letter: char| letter.is_ascii_alphabetic()) => rewritten(value),
        None if value.contains(':') => rewritten(value),
        None if value.contains([',', ';']) => {
            Some(format!("in:{}", spaceless(&value.replace(';', ","))))
        }
        None if bare.len() < value.len() => None,
        None => rewritten(value),
    }
}

/// A list without the spaces around its commas.
fn spaceless(list: &str) -> String {
    let parts = list
        .split(',')
        .map(|part| part.trim().trim_matches(['\'', '"']));
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lead::LEAD;
    use crate::views::changes::CHANGE;

    #[test]
    fn a_slip_becomes_the_filter_that_was_meant() {
        for (name, value, meant) in [
            ("status", "new,contacted", "--where status=in:new,contacted"),
            (
                "status",
                "new, contacted",
                "--where status=in:new,contacted",
            ),
            ("status", "new;contacted", "--where status=in:new,contacted"),
            ("status", "!=new", "--where status=ne:new"),
            ("status", "!new", "--where status=ne:new"),
            ("status", "<>new", "--where status=ne:new"),
            ("status", "not:new", "--where status=ne:new"),
            ("status", "NE:new", "--where status=ne:new"),
            ("status", "=new", "--where status=new"),
            ("status!", "new", "--where status=ne:new"),
            ("id>", "3", "--where id=gte:3"),
            ("id", ">3", "--where id=gt:3"),
            ("status", "new or status=won", "--where status=in:new,won"),
            ("status", "new OR won", "--where status=in:new,won"),
            ("status", "new|won", "--where status=in:new,won"),
            ("status", "in(new, won)", "--where status=in:new,won"),
            ("status", "in=new,won", "--where status=in:new,won"),
            (
                "status",
                "new and name=Ada",
                "--where status=new --where name=Ada",
            ),
            ("name", "kate*", "--where name=like:kate%"),
            ("name", "%kate%", "--where name=like:%kate%"),
            ("name", "like:kate*", "--where name=like:kate%"),
            ("name", "like:kate", "--where name=like:%kate%"),
            ("name", "~kate", "--where name=like:%kate%"),
            ("name", "contains:kate", "--where name=like:%kate%"),
            ("name", "null", "--where name=is:null"),
            ("name", "", "--where name=is:null"),
            ("status", "'new'", "--where status=new"),
            ("company", "Acme", "--where attributes.company=Acme"),
            ("company", "Acme*", "--where attributes.company=like:Acme%"),
            ("Status", "new", "--where status=new"),
            (
                "attributes.company",
                "Acme,Initech",
                "--where attributes.company=in:Acme,Initech",
            ),
        ] {
            let hints = hints(&LEAD, &[(name.into(), value.into())]);
            let expected = format!("hint: did you mean {meant}?");
            // Quotes are for the shell.
            let hints: Vec<String> = hints.iter().map(|hint| hint.replace('\'', "")).collect();
            assert_eq!(hints, [expected], "{name}={value}");
        }
    }

    #[test]
    fn a_type_of_changes_may_end_in_a_star() {
        for (value, meant) in [
            ("lead.*", None),
            ("lead.created", None),
            ("other.*", None),
            ("in:lead.*,action.*", None),
            ("lead", Some("lead.*")),
            ("leads.*", Some("lead.*")),
            ("lead.*, action.*", Some("in:lead.*,action.*")),
            ("*.deleted", Some("like:%.deleted")),
            ("!=lead.*", Some("ne:lead.*")),
        ] {
            let hint = hints(&CHANGE, &[("type".into(), value.into())]).pop();
            let meant = meant.map(|meant| typed(&format!("type={meant}")));
            let meant = meant.map(|meant| format!("hint: did you mean --where {meant}?"));
            assert_eq!(hint, meant, "{value}");
        }
    }

    #[test]
    fn a_plain_value_gets_no_hint() {
        for (name, value) in [
            ("status", "new"),
            ("status", "in:new,won"),
            ("name", "like:kate%"),
            ("name", "Smith and Sons"),
            ("name", "Ada Lovelace"),
            ("created_at", "gte:2026-01-31 09:30:00"),
            ("attributes.company", "Acme"),
            ("q", "x"),
        ] {
            let found = match name {
                "q" => Vec::new(),
                name => hints(&LEAD, &[(name.into(), value.into())]),
            };
            assert_eq!(found, Vec::<String>::new(), "{name}={value}");
        }
    }
}
