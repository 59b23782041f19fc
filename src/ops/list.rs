//! `GET /{plural}`, `crm NOUN list`: the records that match.

use serde_json::json;

use crate::model::record::{Kind, Noun, Presence};
use crate::operation::about::{
    About, Answer, Body, Describe, Examples, Needs, Of, READ, Word, Words,
};
use crate::operation::describe::{Described, answer, media, reference};
use crate::operation::fields::{list_parameters, record};

/// The records that match. They are written where their rows lie, while they are read.
pub struct List;

impl List {
    /// What it is.
    pub const ABOUT: &'static About = &About {
        of: Of::Lists,
        methods: &[("GET", "list{Plural}")],
        path: "/{plural}",
        access: READ,
        conditional: false,
        parameters: &[],
        body: Body::None,
        answer: Answer::Records,
        needs: Needs::Database,
        summary: "List {plural}",
        describe: Describe::Noun(describe),
        words: Some(Words {
            verb: "list",
            about: "List {plural}",
            long: "List {plural}, all of them unless told otherwise. A filter's value is compared for equality; with an \
                   operator before it (eq: ne: gt: gte: lt: lte: in: is: like:) otherwise, such as in:a,b, is:null or \
                   like:A%. A filter given twice has to hold twice.",
            takes: &[Word::Filters, Word::Show],
            confirm: None,
            examples: Examples::Noun(|noun| noun.examples.list),
        }),
    };
}

fn describe(noun: &'static Noun) -> Described {
    let part = reference("schemas", &format!("{}Part", noun.title));
    let line = format!("{}\n", record(noun));
    let mut content = media(
        json!({"type": "array", "items": part}),
        json!({
            "records": {"value": [record(noun)]},
            "none": {"value": []},
        }),
    );
    content["application/x-ndjson"] = json!({
        "schema": {"type": "string", "description": format!("One {}Part a line.", noun.title)},
        "examples": {"records": {"value": line}},
    });
    let order = noun.default_order();
    let mut listed = answer(
        &format!(
            "The {}, in {order} order unless there is a `sort`. With `Accept: application/x-ndjson` one a line, else an array.",
            noun.plural
        ),
        content,
    );
    listed["headers"]["Link"] = reference("headers", "Link");
    listed["headers"]["X-Total-Count"] = reference("headers", "TotalCount");
    let refers = noun
        .fields
        .iter()
        .find(|field| matches!(field.kind, Kind::Reference(_)));
    let status = noun
        .fields
        .iter()
        .find(|field| field.kind == Kind::Word && matches!(field.presence, Presence::Default(_)));
    let filters: Vec<String> = [refers, status]
        .into_iter()
        .flatten()
        .map(|field| format!("{}={}", field.name, field.example))
        .collect();
    let mut about = format!(
        "All filters have to hold: `GET /{}?{}`. Any parameter that is not listed here is refused",
        noun.plural,
        filters.join("&")
    );
    about.push_str(match noun.has_attributes() {
        true => "; for your own fields there are `attributes.KEY` parameters, such as `attributes.company=Acme`.",
        false => ".",
    });
    Described::new(about)
        .parameters(list_parameters(noun))
        .answers(200, listed)
        .answers(400, reference("responses", "BadList"))
}
