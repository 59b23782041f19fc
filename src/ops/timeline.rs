//! `GET /leads/{id}/timeline`, `crm lead timeline`: the whole story of a lead, the newest first.

use futures_util::stream;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::story::{Timeline, TimelinePage};
use crate::base::error::Result;
use crate::model::lead::LEAD;
use crate::model::noun::Noun;
use crate::model::query::escape;
use crate::model::record::Record;
use crate::model::rows::Rows;
use crate::model::value::Value as Stored;
use crate::operation::about::{
    About, Answer, Body, CommandExamples, CommandPart, Describe, Needs, Of, READ, Words,
};
use crate::operation::describe::{Described, answer, media, reference};
use crate::operation::fields::{list_parameters, record};
use crate::store::contract::{Chunks, Listing, Store};
use crate::store::inquiry::{Inquiry, Reading};
use crate::views::timeline::ENTRY;

/// How many entries are read at once where no limit is given.
pub const PORTION: u64 = 500;

/// Lists what was done with a lead, what has changed, and what is due.
pub struct ListTimeline;

impl ListTimeline {
    /// The data of the operation.
    pub const ABOUT: &'static About = &About {
        of: Of::Noun(&LEAD),
        methods: &[("GET", "listTimeline")],
        path: "/{plural}/{id}/timeline",
        access: READ,
        conditional: false,
        parameters: &[],
        body: Body::None,
        answer: Answer::Records,
        needs: Needs::Database,
        summary: "List the whole story of {a} {name}",
        describe: Describe::Noun(describe),
        words: Some(Words {
            verb: "timeline",
            about: "List all that was done with {a} {name}, what has changed, and what is due",
            long: "List all that was done with {a} {name}, what has changed, and what is due, the newest first: its actions, \
                   the changes of the {name} and of its processes with who made them, and its follow-ups.",
            takes: &[
                CommandPart::One,
                CommandPart::FiltersOf(&ENTRY),
                CommandPart::Show,
            ],
            confirm: None,
            examples: CommandExamples::These(&[
                "crm lead timeline 1",
                "crm lead timeline 1 --type action.created --limit 10",
                "crm lead timeline 1 --at gte:-30d -o ndjson",
            ]),
        }),
    };
}

fn describe(_noun: &'static Noun) -> Described {
    let part = reference("schemas", &format!("{}Part", ENTRY.title));
    let line = format!("{}\n", record(&ENTRY));
    let mut content = media(
        json!({"type": "array", "items": part}),
        json!({
            "entries": {"value": [record(&ENTRY)]},
            "none": {"value": []},
        }),
    );
    content["application/x-ndjson"] = json!({
        "schema": {"type": "string", "description": format!("One {}Part per line.", ENTRY.title)},
        "examples": {"entries": {"value": line}},
    });
    let mut listed = answer(
        "The entries, the newest first. An array, or with `Accept: application/x-ndjson` one per line.",
        content,
    );
    listed["headers"]["Link"] = reference("headers", "Link");
    Described::new(
        "The actions of a lead, the changes of the lead and of its processes, and its follow-ups, in one list. An action is \
         one entry, at its own time, and says if it was edited. With a `limit` there is a `Link` to the next page: whatever is \
         written in between, no entry is left out and none comes twice. A page whose records are very large may have fewer \
         entries than the limit.",
    )
    .parameters(parameters())
    .answers(200, listed)
    .answers(400, reference("responses", "BadList"))
}

/// The parameters of a list without those that a timeline does not take.
fn parameters() -> Vec<Value> {
    let refused = |one: &Value| one["name"] == "sort" || *one == reference("parameters", "Count");
    let mut all = list_parameters(&ENTRY);
    all.retain(|one| !refused(one));
    all
}

impl Inquiry for Timeline {
    type Found = TimelinePage;

    fn of(&self) -> Option<(&'static Noun, i64)> {
        Some((&LEAD, self.lead))
    }

    async fn run<R: Reading>(&self, reading: &mut R) -> Result<TimelinePage> {
        self.read(reading).await
    }

    fn path(&self) -> String {
        let mut path = ListTimeline::ABOUT.at(Some(&LEAD), &self.lead.to_string());
        path.push_str(&format!("?limit={}", self.limit));
        // All fields are asked for. Whoever prints them leaves out the others.
        let own = ["limit", "fields"];
        for (name, value) in &self.query.pairs {
            if !own.contains(&name.as_str()) {
                path.push_str(&format!("&{}={}", escape(name), escape(value)));
            }
        }
        if let Some(cursor) = self.cursor() {
            path.push_str(&format!("&after={}", escape(&cursor)));
        }
        path
    }

    fn found(&self, answer: &[u8], next: Option<String>) -> Option<TimelinePage> {
        let entries: Vec<&RawValue> = serde_json::from_slice(answer).ok()?;
        let entries = entries.iter();
        let entries = entries.map(|entry| Record::from_json(&ENTRY, entry.get().as_bytes()));
        Some(TimelinePage {
            entries: entries.collect::<Option<_>>()?,
            next,
        })
    }
}

/// Reads a timeline like a list. Without a limit it is read to its end, in portions.
pub async fn list<S, R>(store: &S, timeline: Timeline, rows: R) -> Result<Listing<R>>
where
    S: Store + Clone + Send + Sync + 'static,
    R: Rows,
{
    let is_whole = timeline.query.limit.is_none();
    let page = store.inquire(timeline.clone()).await?;
    let mut listing = Listing {
        total: None,
        next: page.next.clone().filter(|_| !is_whole),
        is_behind: false,
        first: collected(&rows, &page.entries),
        rest: None,
    };
    if let (true, Some(next)) = (is_whole, page.next) {
        let state = Some((store.clone(), timeline, next, rows));
        let rest = stream::unfold(state, |state| async move {
            let (store, timeline, next, rows) = state?;
            let timeline = timeline.after(&next, PORTION);
            match store.inquire(timeline.clone()).await {
                Ok(page) => {
                    let chunk = collected(&rows, &page.entries);
                    let state = page.next.map(|next| (store, timeline, next, rows));
                    Some((Ok(chunk), state))
                }
                Err(error) => Some((Err(error), None)),
            }
        });
        listing.rest = Some(Box::pin(rest) as Chunks<R>);
    }
    Ok(listing)
}

/// Entries in a collection like this one.
fn collected<R: Rows>(rows: &R, entries: &[Record]) -> R {
    let mut rows = rows.empty();
    for entry in entries {
        let cells: Vec<_> = entry.values.iter().map(Stored::cell).collect();
        rows.push(&ENTRY, &cells);
    }
    rows
}
