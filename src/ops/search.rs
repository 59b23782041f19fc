//! `GET /search`, `crm find`: finds leads, actions and processes by their words.

use serde_json::{Map, Value, json};

use crate::model::find::{Find, MOST, MOST_WANTED, USUAL};
use crate::model::found::FOUND;
use crate::model::nouns::NOUNS;
use crate::operation::about::{
    About, Answer, Body, CommandExamples, CommandPart, Describe, Needs, Of, READ, Words,
};
use crate::operation::describe::{Described, answer, failure, media, reference};
use crate::operation::fields::{answered, record};

/// Finds records by their words.
pub struct Search;

impl Search {
    /// The data of the operation.
    pub const ABOUT: &'static About = &About {
        of: Of::Found,
        methods: &[("GET", "search")],
        path: "/search",
        access: READ,
        conditional: false,
        parameters: &[],
        body: Body::None,
        answer: Answer::Records,
        needs: Needs::Database,
        summary: "Find leads, actions and processes by their words",
        describe: Describe::Plain(describe),
        words: Some(Words {
            verb: "find",
            about: "Find leads, actions and processes by their words",
            long: "Find leads, actions and processes by their words, in names, addresses, statuses, details and your own fields. \
                   A word is also found by its beginning, in any case and without its marks: muller finds Müller, strasse \
                   finds Straße, acme finds ada@acme.example. Several words all have to be there. The best come first: the \
                   exact address, names that begin with the words, names and addresses, then all others, each the newest \
                   first. `crm help search` says more.",
            takes: &[CommandPart::Find, CommandPart::Show],
            confirm: None,
            examples: CommandExamples::These(&[
                "crm find ada",
                "crm find 'asked quote' --type action",
                "crm find acme --type lead -o id | crm lead get - -o ndjson",
            ]),
        }),
    };
}

fn describe() -> Described {
    let fields = FOUND.fields.iter();
    let properties: Map<String, Value> = fields
        .clone()
        .map(|field| (field.name.into(), answered(field)))
        .collect();
    let required: Vec<&str> = fields.map(|field| field.name).collect();
    let schema = json!({"type": "object", "properties": properties, "required": required});
    let line = format!("{}\n", record(&FOUND));
    let mut content = media(
        json!({"type": "array", "items": schema}),
        json!({
            "found": {"value": [record(&FOUND)]},
            "none": {"value": []},
        }),
    );
    content["application/x-ndjson"] = json!({
        "schema": {"type": "string", "description": "One found record per line."},
        "examples": {"found": {"value": line}},
    });
    let mut found = answer(
        "The records, the best first. An array, or with `Accept: application/x-ndjson` one per line.",
        content,
    );
    found["headers"]["X-Unindexed-Count"] = reference("headers", "UnindexedCount");
    let missing = Find::new(&[]).err();
    let examples = missing.map(|error| ("missing", error));
    Described::new(
        "Words and beginnings of words in names, addresses, statuses, details and own fields, in any case and without marks: \
         `muller` finds Müller, `strasse` finds Straße, `acme` finds `ada@acme.example`. Several words all have to be there, in \
         any of the fields of a record. The best come first: the exact address, names that begin with the words, names and \
         addresses, then all others, each the newest first. A search sees every acknowledged write.",
    )
    .parameters(vec![
        json!({
            "name": "q",
            "in": "query",
            "required": true,
            "description": format!("The words, at most {MOST_WANTED}."),
            "schema": {"type": "string", "minLength": 1, "maxLength": 500, "examples": ["ada", "muller acme"]},
        }),
        json!({
            "name": "type",
            "in": "query",
            "style": "form",
            "explode": false,
            "description": "What is searched: comma-separated `lead`, `action`, `process`. Everything unless given.",
            "schema": {
                "type": "array",
                "items": {"type": "string", "enum": NOUNS.map(|noun| noun.name)},
                "minItems": 1,
            },
        }),
        json!({
            "name": "limit",
            "in": "query",
            "description": format!("The most records, {USUAL} unless given."),
            "schema": {"type": "integer", "format": "int64", "minimum": 1, "maximum": MOST},
        }),
    ])
    .answers(200, found)
    .answers(
        400,
        failure("A parameter was refused.", &examples.into_iter().collect::<Vec<_>>()),
    )
}
