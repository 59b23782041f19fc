//! `GET /{plural}`, `crm NOUN list`: lists the records that match.

use serde_json::json;

use crate::model::field::Presence;
use crate::model::kind::Kind;
use crate::model::noun::Noun;
use crate::operation::about::{
    About, Answer, Body, CommandExamples, CommandPart, Describe, Needs, Of, READ, Words,
};
use crate::operation::describe::{Described, answer, media, reference};
use crate::operation::fields::{list_parameters, record};

/// Lists the records that match. Their text is written directly from the rows of the database while it is read.
pub struct List;

impl List {
    /// The data of the operation.
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
            long: "List {plural}. Without filters it lists all of them. A filter compares for equality, unless an operator \
                   stands before its value (eq: ne: gt: gte: lt: lte: in: is: like:), such as in:a,b, is:null or like:A%. \
                   If a filter is given twice, a record has to meet both.",
            takes: &[CommandPart::Filters, CommandPart::Show],
            confirm: None,
            examples: CommandExamples::Noun(|noun| noun.examples.list),
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
        "schema": {"type": "string", "description": format!("One {}Part per line.", noun.title)},
        "examples": {"records": {"value": line}},
    });
    let order = noun.default_order();
    let mut listed = answer(
        &format!(
            "The {}, in {order} order unless there is a `sort`. An array, or with `Accept: application/x-ndjson` one per line.",
            noun.plural
        ),
        content,
    );
    let link = if noun.is_feed() { "NextLink" } else { "Link" };
    listed["headers"]["Link"] = reference("headers", link);
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
        "A record has to meet all filters: `GET /{}?{}`. Parameters that are not listed here are refused",
        noun.plural,
        filters.join("&")
    );
    about.push_str(match noun.has_attributes() {
        true => {
            "; your own fields have parameters `attributes.KEY`, such as `attributes.company=Acme`."
        }
        false => ".",
    });
    let described = Described::new(about)
        .parameters(list_parameters(noun))
        .answers(200, listed)
        .answers(400, reference("responses", "BadList"));
    match noun.is_feed() {
        true => described.answers(410, reference("responses", "Gone")),
        false => described,
    }
}
