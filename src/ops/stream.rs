//! `GET /changes/stream`: the changes as they are made, as a stream of events.

use serde_json::{Value, json};

use crate::model::noun::Noun;
use crate::operation::about::{About, Answer, Body, Describe, Needs, Of, READ};
use crate::operation::describe::{Described, answer, reference};
use crate::operation::fields::{list_parameters, record};
use crate::views::changes::CHANGE;

/// Sends each new change to whoever listens. The command of the list follows it with `--follow`.
pub struct Stream;

impl Stream {
    /// The data of the operation.
    pub const ABOUT: &'static About = &About {
        of: Of::Noun(&CHANGE),
        methods: &[("GET", "stream{Plural}")],
        path: "/{plural}/stream",
        access: READ,
        conditional: false,
        parameters: &[],
        body: Body::None,
        answer: Answer::Other,
        needs: Needs::Database,
        summary: "Follow the {plural} as they are made",
        describe: Describe::Noun(describe),
        words: None,
    };
}

fn describe(noun: &'static Noun) -> Described {
    let example = format!(
        "retry: 1000\nid: MGYxZTJkM2M0YjVhNjk3ODo4MTE\n\nid: MGYxZTJkM2M0YjVhNjk3ODo4MTI\ndata: {}\n\n:\n\n",
        record(noun)
    );
    let content = json!({
        "text/event-stream": {
            "schema": {"type": "string", "description": format!("The data of an event is one {} in JSON.", noun.title)},
            "examples": {"event": {"value": example}},
        },
    });
    let about = "Server-sent events, for `EventSource`: each change is one, and its `id` is the cursor after it. A client that \
                 reconnects sends the last one as `Last-Event-ID`, which takes precedence over `after`, and so gets each change \
                 exactly once. Without both, the stream begins at the end, with the next change. A comment is sent every 15 \
                 seconds; before it, a block with an `id` alone moves the client's place past changes that the filters leave \
                 out. The filters are those of the list.";
    Described::new(about)
        .parameters(parameters(noun))
        .answers(
            200,
            answer(
                "The changes, until the client or the service ends the stream.",
                content,
            ),
        )
        .answers(400, reference("responses", "BadList"))
        .answers(410, reference("responses", "Gone"))
}

/// The parameters of the list without those of pages, and the header of a client that reconnects.
fn parameters(noun: &'static Noun) -> Vec<Value> {
    let pages = ["Limit", "Count"].map(|name| reference("parameters", name));
    let is_of_pages = |one: &Value| one["name"] == "sort" || pages.contains(one);
    let mut all = list_parameters(noun);
    all.retain(|one| !is_of_pages(one));
    all.push(json!({
        "name": "Last-Event-ID",
        "in": "header",
        "description": "The `id` of the last event that the client got. Browsers send it by themselves.",
        "schema": {"type": "string"},
    }));
    all
}
