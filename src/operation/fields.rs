//! The fields of a noun in the OpenAPI document: in a request, in an answer, and as parameters of a list.
//!
//! The description of a request is never stricter than the service, so that a generated client refuses nothing that the
//! service accepts. Answers are described exactly.
//!
//! No schema has a `default`. Most generated clients send the default of a field that was left out, which in an update
//! would overwrite the stored value. The defaults of a create are described in words.

use serde_json::{Value, json};

use super::reference::reference;
use crate::model::draft::Purpose;
use crate::model::due::Due;
use crate::model::field::{Field, Presence};
use crate::model::kind::Kind;
use crate::model::noun::Noun;

/// A text without NUL. No column of a database accepts NUL.
const NO_NUL: &str = r"^[^\u0000]*$";

/// White space as Rust trims it (`White_Space` of Unicode), for a character class of a regular expression. `\s` differs
/// between languages.
const WHITE: &str =
    r"\u0009-\u000d\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";

/// A text without NUL that is not only white space.
fn not_blank() -> String {
    format!(r"^[^\u0000]*[^\u0000{WHITE}][^\u0000]*$")
}

/// The forms of a time that [`crate::base::time::parse`] accepts, with white space around it. The name of a zone may be any.
fn time_taken() -> String {
    const DATE: &str = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])";
    const CLOCK: &str = r"([01][0-9]|2[0-3]):[0-5][0-9](:([0-5][0-9]|60)(\.[0-9]+)?)?";
    const OFFSET: &str = "([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?";
    const ZONE: &str = r"(\[!?[0-9A-Za-z_/: +-]+\])?";
    format!("^[{WHITE}]*{DATE}([Tt ]{CLOCK}{OFFSET})?{ZONE}[{WHITE}]*$")
}

/// The stored form of a time.
pub const TIME_STORED: &str =
    r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]) ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$";

/// The schema of a field in a request. A create and an update take the same values. What a missing field or null means
/// differs, and so do the descriptions.
pub fn taken(field: &Field, purpose: Purpose) -> Value {
    let mut schema = match field.kind {
        Kind::Id | Kind::Reference(_) => id_schema(),
        Kind::Count(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Kind::Text | Kind::Type => json!({"type": "string", "pattern": NO_NUL}),
        Kind::Word => json!({"type": "string", "minLength": 1, "pattern": not_blank()}),
        // `email` means the addresses of RFC 5321 only. `idn-email` means those of RFC 6531, which includes them.
        Kind::Email => json!({"type": "string", "format": "idn-email"}),
        Kind::Time(_) | Kind::Stamp | Kind::Newest(_) => {
            json!({"type": "string", "pattern": time_taken()})
        }
        Kind::Attributes => json!({
            "anyOf": [attributes(), {"type": "null"}],
            "propertyNames": {"pattern": NO_NUL},
        }),
        Kind::Object => json!({"type": "object"}),
        Kind::Due => json!({"type": "string"}),
    };
    let mut about = format!("{}.", field.about);
    match field.kind {
        Kind::Email => about.push_str(" The domain has a dot; at most 254 bytes."),
        Kind::Word => about.push_str(" Not blank."),
        Kind::Time(_) => about.push_str(
            " Such as `2026-01-31 09:30:00`, `2026-01-31T09:30:00+02:00` or `2026-01-31`; years 0001 to 9999. Without an offset it is in the zone of `tz`, which is UTC unless the service has another default.",
        ),
        Kind::Reference(target) => about.push_str(&format!(" It has to be the id of {} {} that exists.", article(target.name), target.name)),
        _ => {}
    }
    if field.nullable() {
        schema["type"] = json!([schema["type"], "null"]);
    }
    let missing = match (purpose, field.kind, field.presence) {
        (Purpose::Create, Kind::Attributes, _) => {
            " `{}` unless given; `null` is the same as `{}`.".into()
        }
        (Purpose::Create, _, Presence::Default(text)) => format!(" `{text}` unless given."),
        (Purpose::Create, _, Presence::Now) => " The time of the create unless given.".into(),
        (Purpose::Update, Kind::Attributes, _) => {
            " `{}` changes nothing; `null` instead of an object removes all keys.".into()
        }
        (Purpose::Update, _, Presence::Optional) => " `null` clears it.".into(),
        _ => String::new(),
    };
    about.push_str(&missing);
    schema["description"] = about.into();
    schema["examples"] = json!([example(field)]);
    schema
}

/// The schema of attributes. It is one component of the document: a generator that names a type after the place where it
/// finds an object would make several types of it, some with the same name.
fn attributes() -> Value {
    reference("schemas", "Attributes")
}

fn object() -> Value {
    reference("schemas", "RecordValues")
}

/// `a` or `an`.
fn article(name: &str) -> &'static str {
    if name.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    }
}

/// The schema of a field in an answer. Texts have no pattern, because they may be older than the rules.
pub fn answered(field: &Field) -> Value {
    let mut schema = match field.kind {
        Kind::Id | Kind::Reference(_) => id_schema(),
        // Another program may have stored any number.
        Kind::Count(..) => json!({"type": "integer", "format": "int64"}),
        Kind::Text | Kind::Word | Kind::Email | Kind::Type => json!({"type": "string"}),
        Kind::Time(_) | Kind::Stamp | Kind::Newest(_) => {
            json!({"type": "string", "pattern": TIME_STORED})
        }
        Kind::Attributes => attributes(),
        Kind::Object if field.nullable() => json!({"anyOf": [object(), {"type": "null"}]}),
        Kind::Object => object(),
        Kind::Due => json!({"type": "string", "enum": Due::WORDS}),
    };
    if field.nullable() && field.kind != Kind::Object {
        schema["type"] = json!([schema["type"], "null"]);
    }
    let utc = match field.kind.tense() {
        Some(_) => " UTC.",
        None => "",
    };
    schema["description"] = format!("{}.{utc}", field.about).into();
    schema["examples"] = json!([example(field)]);
    schema
}

/// The schema of an id.
pub fn id_schema() -> Value {
    json!({"type": "integer", "format": "int64", "minimum": 1, "maximum": i64::MAX})
}

/// An example of a value.
pub fn example(field: &Field) -> Value {
    match field.kind {
        Kind::Id | Kind::Reference(_) | Kind::Count(..) | Kind::Attributes | Kind::Object => {
            serde_json::from_str(field.example).unwrap_or_default()
        }
        _ => field.example.into(),
    }
}

/// All names of a field.
pub fn names(field: &'static Field) -> impl Iterator<Item = &'static str> {
    std::iter::once(field.name).chain(field.old_name)
}

/// Whether crm sets the field.
pub fn automatic(field: &Field) -> bool {
    field.presence == Presence::Automatic
}

/// A record with the example of every field.
pub fn record(noun: &'static Noun) -> Value {
    let fields = noun.fields.iter();
    let pairs =
        fields.flat_map(|field| names(field).map(move |name| (name.into(), example(field))));
    Value::Object(pairs.collect())
}

/// The parameter that filters by a field.
fn filter(name: &str, field: &Field) -> Value {
    let examples = filter_examples(field);
    let shown: Vec<String> = examples
        .iter()
        .map(|value| format!("`{name}={value}`"))
        .collect();
    let operators = match field.kind {
        kind if kind.is_number() => "`eq`, `ne`, `gt`, `gte`, `lt`, `lte`, `in`, `is`",
        Kind::Due => "`eq`, `ne`, `in`",
        _ => "`eq`, `ne`, `gt`, `gte`, `lt`, `lte`, `in`, `is`, `like`",
    };
    let what = match field.kind {
        Kind::Id | Kind::Reference(_) | Kind::Count(..) => "a whole number",
        Kind::Time(_) | Kind::Stamp | Kind::Newest(_) => {
            "a time, a date for its whole day, one from now such as `-30d` or `today`, or an interval `START/END`"
        }
        Kind::Attributes => {
            "text, compared with the whole object as text; for one key see `attributes.KEY`"
        }
        Kind::Object => "text, compared with the whole object as text",
        Kind::Type => "a type, or all types of a noun as `lead.*`",
        Kind::Due => "one word or several with commas between them",
        Kind::Text | Kind::Word | Kind::Email => "text",
    };
    let about = format!(
        "Filter: `value` or `op:value` with {operators}, where the value is {what}. Examples: {}.",
        shown.join(", ")
    );
    match field.kind {
        // A period has two ends. Any filter can be repeated, but as a list other fields would look as if one of its values
        // were enough.
        Kind::Time(_) | Kind::Stamp | Kind::Newest(_) => json!({
            "name": name,
            "in": "query",
            "style": "form",
            "explode": true,
            "description": format!("{about} If it is repeated, a record has to meet each: `{name}=gte:2026-01-01&{name}=lt:2026-02-01`."),
            "schema": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
                "examples": [["gte:2026-01-01", "lt:2026-02-01"]],
            },
        }),
        _ => json!({
            "name": name,
            "in": "query",
            "description": about,
            "schema": {"type": "string", "examples": examples},
        }),
    }
}

/// Examples of filters by a field.
fn filter_examples(field: &Field) -> Vec<String> {
    let value = field.example;
    let mut examples: Vec<String> = match field.kind {
        Kind::Id | Kind::Reference(_) | Kind::Count(..) => {
            vec![value.into(), "in:1,2,3".into(), "gt:100".into()]
        }
        Kind::Time(_) | Kind::Stamp | Kind::Newest(_) => {
            vec!["lte:2026-01-01".into(), "2026-01-31".into()]
        }
        Kind::Email => vec![value.into(), "like:%@example.com".into()],
        Kind::Text => vec![value.into(), "like:a%".into()],
        Kind::Word => vec![
            value.into(),
            match field.presence {
                Presence::Default(_) => format!("in:{value},won"),
                _ => "like:%a%".into(),
            },
            format!("ne:{value}"),
        ],
        Kind::Attributes => vec!["ne:{}".into()],
        Kind::Object => vec!["like:%@example.com%".into()],
        Kind::Type => vec![
            value.into(),
            "lead.*".into(),
            "in:lead.*,process.updated".into(),
            "like:%.deleted".into(),
        ],
        Kind::Due => vec!["overdue,today".into(), "ne:unscheduled".into()],
    };
    if field.nullable() {
        examples.extend(["is:null".into(), "is:notnull".into()]);
    }
    examples
}

/// The parameters of a list, besides the header.
///
/// The items of `sort` and `fields` are texts with a pattern. As an `enum` a generated client would take them in names of
/// its own, such as `VALUE_1` for `-id`. They are not `uniqueItems` either: it would take a set, which has no order.
pub fn list_parameters(noun: &'static Noun) -> Vec<Value> {
    let mut list: Vec<Value> = Vec::new();
    for field in noun.fields {
        list.extend(names(field).map(|name| filter(name, field)));
    }
    if noun.has_attributes() {
        // Only the keys of an exploded object are sent, not its name. It is the only way to describe a family of parameters.
        // The service refuses the name, which is what a client sends that cannot write such an object.
        list.push(json!({
            "name": "own_fields",
            "in": "query",
            "description": "Filter by your own fields: an object with one parameter `attributes.KEY` for each key, and no parameter of this name. Its values are `value` or `op:value` as for a text field. Numbers are compared as numbers, other values as text; a missing key counts as null. Examples: `attributes.company=Acme`, `attributes.size=gte:50`, `attributes.company=is:null`.",
            "style": "form",
            "explode": true,
            "schema": {
                "type": "object",
                "propertyNames": {"pattern": r"^attributes\."},
                "additionalProperties": {"type": "string"},
            },
            "examples": {
                "none": {"summary": "No such filter", "value": {}},
                "text": {"summary": "One company", "value": {"attributes.company": "Acme"}},
                "number": {"summary": "A number", "value": {"attributes.size": "gte:50"}},
            },
        }));
    }
    list.push(reference("parameters", "Zone"));
    list.push(reference("parameters", "Search"));
    let mut sortable: Vec<&str> = noun
        .fields
        .iter()
        .filter(|field| field.kind.is_sortable())
        .flat_map(names)
        .collect();
    sortable.extend(own_fields(noun));
    let text = noun.fields.iter().find(|field| field.searchable());
    let text = text.map_or(noun.key().name, |field| field.name);
    let default = noun.default_order();
    let example = match noun.position("created_at") {
        Some(_) => "-created_at",
        None => default,
    };
    list.push(json!({
        "name": "sort",
        "in": "query",
        "style": "form",
        "explode": false,
        "description": format!("The order: comma-separated fields, each once and with a `-` before it for descending order. Null sorts first{}; records that are equal in it are sorted by {}.{} The default is `{default}`. Example: `sort={example},{text}`, or repeated, `sort={example}&sort={text}`.", if noun.is_view() { ", but a missing time last" } else { "" }, noun.key().name, match noun.has_attributes() {
            true => " `attributes.KEY` sorts by one of your own fields: records without it, then numbers, then everything else as text.",
            false => "",
        }),
        "schema": {
            "type": "array",
            "items": {"type": "string", "pattern": format!("^-?({})$", sortable.join("|"))},
            "minItems": 1,
            "examples": [[example, text]],
        },
    }));
    let after = match noun.is_feed() {
        true => "AfterChange",
        false => "After",
    };
    for name in ["Limit", after] {
        list.push(reference("parameters", name));
    }
    list.push(fields_parameter(noun));
    list.push(reference("parameters", "Count"));
    list
}

/// The pattern of the names of own fields in a list of names. A key may be any text.
fn own_fields(noun: &Noun) -> Option<&'static str> {
    noun.has_attributes().then_some(r"attributes\.[\s\S]*")
}

/// The parameter that names the fields to answer.
pub fn fields_parameter(noun: &'static Noun) -> Value {
    let mut all: Vec<&str> = noun.fields.iter().flat_map(names).collect();
    all.extend(own_fields(noun));
    let text = noun.fields.iter().find(|field| field.searchable());
    let key = noun.key().name;
    let text = text.map_or(key, |field| field.name);
    json!({
        "name": "fields",
        "in": "query",
        "style": "form",
        "explode": false,
        "description": format!("The fields to return, comma-separated, each once and in this order. The default is all fields.{} Example: `fields={key},{text}`, or repeated, `fields={key}&fields={text}`.", match noun.has_attributes() {
            true => " `attributes.KEY` is one of your own fields: `attributes` is then an object with only the requested keys. In a key, `\\,` is a comma and `\\\\` a backslash.",
            false => "",
        }),
        "schema": {
            "type": "array",
            "items": {"type": "string", "pattern": format!("^({})$", all.join("|"))},
            "minItems": 1,
            "examples": [[key, text]],
        },
    })
}
