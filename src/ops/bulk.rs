//! `POST /{plural}/bulk`: many records at once. Its lines are NDJSON, and so are the answers; both are streamed.
//!
//! `crm NOUN create` and `update` use it for a file with several records. Over a database the request is run here; to another
//! `crm serve` it is sent as it is.
//!
//! | file | what it holds |
//! |---|---|
//! | [`input`](ByteStream) | the lines, as their bytes arrive |
//! | `line` | what a line asks for |
//! | `manner` | what all lines have in common |
//! | `finder` | by what a record is found |
//! | `portion` | some hundred lines in one transaction |
//! | `schemas` | lines and answers in the description of the API |
//! | [`answer`](Told) | the answers, as they are sent and as they are kept |
//! | `engine` | a whole request |

mod answer;
mod engine;
mod finder;
mod input;
mod line;
mod manner;
mod portion;
mod schemas;

use futures_util::stream;
use serde_json::json;

use crate::base::error::{Code, Error, Result};
use crate::base::time::Zone;
use crate::model::author::Author;
use crate::model::lead::OnDuplicate;
use crate::model::noun::Noun;
use crate::model::nouns::owned;
use crate::model::query;
use crate::model::terms::Key;
use crate::operation::about::{About, Answer, Body, Describe, Needs, Of, Parameter, Takes, WRITE};
use crate::operation::asked::Asked;
use crate::operation::describe::{Described, answer as described_answer, failure, given};
use crate::store::any::AnyStore;
pub use answer::{Counts, Done, End, LineAnswer, Told};
pub use engine::Engine;
use engine::{ATOMIC_LINES, Answers};
use finder::{Finder, KeyName};
pub use input::ByteStream;
use line::Reading;
use manner::Manner;
use schemas::lines;
pub use schemas::schemas;

/// The type of the lines and of the answers.
pub const NDJSON: &str = "application/x-ndjson";

/// The words of the parameter `on_duplicate`.
const ON_DUPLICATE: [(&str, OnDuplicate); 4] = [
    ("create", OnDuplicate::Create),
    ("reject", OnDuplicate::Reject),
    ("update", OnDuplicate::Update),
    ("skip", OnDuplicate::Skip),
];

/// Writes many records.
pub struct Bulk;

impl Bulk {
    /// The data of the operation.
    pub const ABOUT: &'static About = &About {
        of: Of::Records,
        methods: &[("POST", "bulk{Plural}")],
        path: "/{plural}/bulk",
        access: WRITE,
        conditional: false,
        parameters: &[
            Parameter {
                name: "on_duplicate",
                about: "What `create` and `upsert` do if there is a {name} with the same `key` already: `create` another one; `reject` the line with 409 and the id of that {name}; `update` it, or `skip` the line (if there are several, the one with the lowest id). Without it, `upsert` updates, and `create` does the same as for a single {name}.",
                help: "",
                takes: Takes::Text("WHAT"),
                applies: |_| true,
            },
            Parameter {
                name: "key",
                about: "By what an existing {name} is found: the address (`email`) where there is one, or one of your own fields, such as `attributes.customer_number`. Numbers and texts with the same letters are the same.",
                help: "",
                takes: Takes::Text("FIELD"),
                applies: |_| true,
            },
            Parameter {
                name: "cascade",
                about: "Whether a `delete` also deletes the records that refer to the {name}.",
                help: "",
                takes: Takes::Switch,
                applies: |noun| owned(noun).is_some(),
            },
            Parameter {
                name: "atomic",
                about: "Whether all lines are done together or not at all: at most 10,000 lines and 16 MiB. If one is refused, the answer is that error and nothing is saved.",
                help: "",
                takes: Takes::Switch,
                applies: |_| true,
            },
            Parameter {
                name: "answers",
                about: "Which answers are sent: `all`; those of lines that were `refused`; or all with the `records`, as `data`. The last line, `end`, is always sent.",
                help: "",
                takes: Takes::Word("WHICH", &["all", "refused", "records"]),
                applies: |_| true,
            },
        ],
        body: Body::Lines,
        answer: Answer::Other,
        needs: Needs::Database,
        summary: "Create, change and delete many {plural}",
        describe: Describe::Noun(describe),
        words: None,
    };
}

/// A bulk request without its lines.
#[derive(Clone, Debug)]
pub struct BulkRequest {
    /// What the records are.
    pub noun: &'static Noun,
    /// Its parameters, as in a URL.
    pub parameters: Vec<(String, String)>,
    /// The zone of times without an offset, unless a parameter names one.
    pub zone: Zone,
    /// Who makes the changes.
    pub author: Author,
    /// The key under which each line is done once.
    pub key: Option<Key>,
    /// The most bytes of a line.
    pub bytes: usize,
    /// The most levels of a line.
    pub depth: usize,
}

impl BulkRequest {
    /// The path with the parameters.
    fn path(&self) -> String {
        let mut path = Bulk::ABOUT.at(Some(self.noun), "");
        for (at, (name, value)) in self.parameters.iter().enumerate() {
            let mark = if at == 0 { '?' } else { '&' };
            path.push_str(&format!("{mark}{name}={}", query::escape(value)));
        }
        path
    }
}

/// Begins a request over a database, and does its first lines. What refuses the whole request fails here.
pub async fn begin(store: &AnyStore, request: BulkRequest, input: ByteStream) -> Result<Engine> {
    let BulkRequest {
        noun,
        parameters,
        zone,
        author,
        key,
        bytes,
        depth,
    } = request;
    let asked = Asked::new(Bulk::ABOUT, Some(noun), "", &parameters)?;
    let zone = match asked.is_zone_named {
        true => asked.zone.clone(),
        false => zone,
    };
    let on_duplicate = asked.word("on_duplicate", &ON_DUPLICATE)?;
    let name = KeyName::parse(noun, asked.text("key"))?;
    if let (KeyName::Nothing, Some(given)) = (&name, on_duplicate)
        && given != OnDuplicate::Create
    {
        return Err(Error::field(
            "on_duplicate",
            format!(
                "expected the parameter key with it, such as key=attributes.number, because {} have no address",
                noun.plural
            ),
        ));
    }
    let answers = asked.word("answers", &Answers::WORDS)?;
    let manner = Manner {
        noun,
        on_duplicate,
        cascade: asked.switch("cascade")?,
        is_atomic: asked.switch("atomic")?,
        shows: answers == Some(Answers::Records),
        zone: zone.clone(),
        finder: Finder::new(store, noun, name).await?,
    };
    let reading = Reading {
        noun,
        zone: (zone, asked.is_zone_named),
        bytes,
        depth,
    };
    let by = (author, key.map(|key| key.id));
    let answers = answers.unwrap_or(Answers::All);
    Engine::begin(store.clone(), manner, reading, by, answers, input).await
}

/// Does a request over any store: lines of NDJSON in, answers out. The answers are to be taken while lines are still given.
pub async fn open(store: &AnyStore, request: BulkRequest, input: ByteStream) -> Result<ByteStream> {
    if let AnyStore::Remote(remote) = store {
        let path = request.path();
        return remote
            .bulk(&path, request.key.as_ref(), &request.author, NDJSON, input)
            .await;
    }
    let engine = Box::pin(begin(store, request, input)).await?;
    Ok(Box::pin(stream::unfold(engine, |mut engine| async move {
        let part = engine.next().await?;
        Some((Ok(part), engine))
    })))
}

fn describe(noun: &'static Noun) -> Described {
    let example = format!(
        "{{\"op\":\"create\",\"data\":{}}}\n{{\"op\":\"delete\",\"id\":7,\"if_match\":3}}\n",
        given(
            noun.fields
                .iter()
                .filter(|field| field.presence == crate::model::field::Presence::Required)
        ),
    );
    let mut answers = Vec::new();
    let created = LineAnswer {
        line: 1,
        id: Some(8),
        version: 1,
        result: Ok(Done::Created),
        data: None,
    };
    created.write(&mut answers);
    LineAnswer::refused(2, noun.not_found()).write(&mut answers);
    let mut last = End {
        group: Some(811),
        ..End::default()
    };
    last.counts.add(&created);
    last.counts.add(&LineAnswer::refused(2, noun.not_found()));
    last.write(&mut answers);
    let answers = String::from_utf8_lossy(&answers).into_owned();
    let mut first = Error::field("email", "is required");
    first.message = format!("line 3: {}; nothing was saved", first.message);
    let about = format!(
        "NDJSON in, NDJSON out: each line is one {name}, and has one answer, in order. Each line is done by itself, some hundred in \
         one commit; what is answered is saved. There is no limit to the lines. A client reads the answers while it sends. \
         The last line is `end`; without it the answer broke off. With an `Idempotency-Key`, the same lines sent again go on \
         where they broke off, and what was done is answered again. All changes are one group, which one undo takes back.",
        name = noun.name
    );
    Described::new(about)
        .body(json!({
            "required": true,
            "description": format!("One object a line: {{\"op\": …, \"id\": …, \"data\": …, \"if_match\": …}}. A line is at most 1 MiB, unless the service has a lower limit. At most {ATOMIC_LINES} lines with `atomic=true`."),
            "content": {NDJSON: lines(noun, example)},
        }))
        .answers(
            200,
            described_answer(
                "The answers to the lines, and the end. An empty line is sent while no line comes.",
                json!({NDJSON: schemas::answers(noun, answers)}),
            ),
        )
        .answers(
            400,
            failure(
                "A parameter or a header was refused, or with `atomic=true` a line; nothing was changed.",
                &[("atomic", first)],
            ),
        )
        .answers(
            409,
            failure(
                "With `atomic=true`: a line conflicts with what is stored. Otherwise: the group of the changes was taken back meanwhile.",
                &[("conflict", Error::new(Code::Conflict, "line 2: Lead 1 has 2 actions and 1 process; delete them first, or all together (?cascade=true); nothing was saved"))],
            ),
        )
}
