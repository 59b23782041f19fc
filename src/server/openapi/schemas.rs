//! The schemas of a noun's records.
//!
//! What is sent is refused if it has an unknown field, and its schema says so. An answer may have further fields: a later
//! version adds some, and a client that was generated from this one has to go on.

use serde_json::{Map, Value, json};

use crate::model::draft::Purpose;
use crate::model::field::{Field, Presence};
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::operation::fields::{answered, automatic, id_schema, names, record, taken};
use crate::ops::bulk;

/// The schemas of a noun's requests and answers. A view has no request with a record.
pub(super) fn noun_schemas(noun: &'static Noun) -> Map<String, Value> {
    let fields = noun.fields.iter();
    let all: Vec<&str> = fields.clone().flat_map(names).collect();
    let properties = |of: fn(&Field) -> Value, fields: &mut dyn Iterator<Item = &'static Field>| {
        let pairs = fields.flat_map(|field| names(field).map(move |name| (name.into(), of(field))));
        pairs.collect::<Map<String, Value>>()
    };
    let answer = properties(answered, &mut fields.clone());
    let given = || fields.clone().filter(|field| !automatic(field));
    let mut create = properties(|field| taken(field, Purpose::Create), &mut given());
    let required: Vec<&str> = fields
        .clone()
        .filter(|field| field.presence == Presence::Required)
        .map(|field| field.name)
        .collect();

    let mut update = properties(|field| taken(field, Purpose::Update), &mut given());
    for field in fields.clone().filter(|field| automatic(field)) {
        let (mut copied, mut put_back) = match field.kind {
            Kind::Id => (id_schema(), id_schema()),
            _ => (json!({}), json!({})),
        };
        copied["description"] =
            "Accepted and ignored, so that a record that was read can be created again.".into();
        put_back["description"] = match field.kind {
            Kind::Id => "The id of the record, so that a record that was read can be put back.",
            _ => "Accepted and ignored, so that a record that was read can be put back.",
        }
        .into();
        create.insert(field.name.into(), copied);
        update.insert(field.name.into(), put_back);
    }

    let (title, name) = (noun.title, noun.name);
    let mut schemas = Map::new();
    let mut add = |name: String, schema: Value| schemas.insert(name, schema);
    add(
        format!("{title}Part"),
        json!({
            "type": "object",
            "description": format!("{} {name} with the fields that were requested with `fields`; without it, all of them.", capital(noun.article())),
            "properties": answer,
            "minProperties": 1,
            "examples": [record(noun)],
        }),
    );
    if noun.is_view() {
        return schemas;
    }
    schemas.extend(bulk::schemas(noun));
    let mut add = |name: String, schema: Value| schemas.insert(name, schema);
    add(
        title.into(),
        json!({
            "type": "object",
            "description": format!("{}.", noun.about),
            "properties": answer,
            "required": all,
            "examples": [record(noun)],
        }),
    );
    add(
        format!("{title}Create"),
        json!({
            "type": "object",
            "description": format!("A new {name}."),
            "properties": create,
            "required": required,
            "additionalProperties": false,
        }),
    );
    add(
        format!("{title}Update"),
        json!({
            "type": "object",
            "description": format!("The changes of {} {name}. Fields that are left out stay as they are.", noun.article()),
            "properties": update,
            "additionalProperties": false,
        }),
    );
    schemas
}

fn capital(article: &str) -> &'static str {
    if article == "an" { "An" } else { "A" }
}
