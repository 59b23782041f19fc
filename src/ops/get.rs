//! `GET /{plural}/{id}`, `crm NOUN get`: returns a record by its id.

use serde_json::json;

use crate::model::noun::Noun;
use crate::operation::about::{
    About, Answer, Body, CommandExamples, CommandPart, Describe, Needs, Of, READ, Words,
};
use crate::operation::describe::{Described, answer, media, reference};
use crate::operation::fields::{fields_parameter, record};

/// Returns a record by its id, from the cache if it is there.
pub struct Get;

impl Get {
    /// The data of the operation.
    pub const ABOUT: &'static About = &About {
        of: Of::Records,
        methods: &[("GET", "get{title}")],
        path: "/{plural}/{id}",
        access: READ,
        conditional: true,
        parameters: &[],
        body: Body::None,
        answer: Answer::Record,
        needs: Needs::Database,
        summary: "Get {a} {name}",
        describe: Describe::Noun(describe),
        words: Some(Words {
            verb: "get",
            about: "Show {plural} by their ids",
            long: "",
            takes: &[CommandPart::Ids, CommandPart::Show, CommandPart::Etag],
            confirm: None,
            examples: CommandExamples::Noun(|noun| noun.examples.get),
        }),
    };
}

fn describe(noun: &'static Noun) -> Described {
    let part = reference("schemas", &format!("{}Part", noun.title));
    let found = answer(
        &format!("The {}.", noun.name),
        media(part, json!({"record": {"value": record(noun)}})),
    );
    Described::default()
        .parameters(vec![fields_parameter(noun)])
        .answers(200, found)
}
