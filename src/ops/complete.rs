//! `POST /followups/{id}/complete`, `crm done`: ends the process of a follow-up.

use serde_json::{Value as Json, json};

use crate::base::error::{Error, Result};
use crate::model::draft::{Draft, Purpose};
use crate::model::lease::{LeaseSecret, stale};
use crate::model::noun::Noun;
use crate::model::process::PROCESS;
use crate::model::record::Record;
use crate::model::rules;
use crate::model::terms::{Terms, Versions};
use crate::operation::about::{About, Answer, Body, BodyField, Describe, Needs, Of, Takes, WRITE};
use crate::operation::asked::{Asked, Operation, Told};
use crate::operation::describe::{Described, failure, media, whole};
use crate::operation::given::Given;
use crate::store::contract::{HttpRequest, Kept, Saved, Write, WriteExtent};
use crate::store::sql::advance::is_still_open;
use crate::store::sql::leases::{forget, hold};
use crate::store::sql::ledger::Ledger;
use crate::store::transaction::Transaction;
use crate::views::followups::FOLLOWUP;

/// Ends the process of a follow-up: its status becomes `completed`, or the first of the setting `finished`, and it has no next date. One that is finished already
/// keeps its status.
#[derive(Clone, Debug)]
pub struct Complete {
    id: i64,
    lease: Option<LeaseSecret>,
}

impl Complete {
    /// Ends this process. With a lease, only while the lease counts.
    pub fn new(id: i64, lease: Option<LeaseSecret>) -> Complete {
        Complete { id, lease }
    }
}

/// The lease in a body.
pub(super) const LEASE: BodyField = BodyField {
    name: "lease",
    help: "The lease of the follow-up",
    takes: Takes::Text("LEASE"),
    required: false,
    positional: false,
};

impl Operation for Complete {
    const ABOUT: &'static About = &About {
        of: Of::Noun(&FOLLOWUP),
        methods: &[("POST", "completeFollowup")],
        path: "/followups/{id}/complete",
        access: WRITE,
        conditional: true,
        parameters: &[],
        body: Body::Object(&[LEASE]),
        answer: Answer::Record,
        needs: Needs::Database,
        summary: "Complete a follow-up",
        describe: Describe::Plain(describe),
        words: None,
    };

    fn ask(asked: &Asked<'_>) -> Result<Complete> {
        Ok(Complete::new(asked.id, None))
    }

    fn body(&mut self, body: &[u8]) -> Result<()> {
        let mut given = Given::read(body, &["lease"])?;
        self.lease = given.lease();
        given.done()
    }

    fn told(_noun: Option<&'static Noun>, done: Saved) -> Told {
        Told::Record(done.record)
    }
}

/// The schema of the lease in a body.
pub(super) fn lease_schema() -> Json {
    json!({"type": "string", "description": "The lease that the claim gave. Without it, the follow-up is changed whoever has claimed it."})
}

/// A lease for examples.
pub(super) const EXAMPLE: &str = "lease_0123456789abcdef0123456789abcdef";

/// The 404 of a process that does not exist.
pub(super) fn missing() -> Json {
    failure(
        "There is no such process.",
        &[("missing", PROCESS.not_found())],
    )
}

/// The 409 of a lease that does not count any more.
pub(super) fn outdated() -> Json {
    let ended = stale("has ended at 2026-02-07 09:10:00 (UTC); claim follow-up 1 again");
    let taken =
        stale("is none of follow-up 1 any more; ben has it until 2026-02-07 09:20:00 (UTC)");
    failure(
        "The lease does not count any more; nothing was changed.",
        &[("ended", ended), ("taken", taken)],
    )
}

/// The 400 of a body.
pub(super) fn refused() -> Json {
    failure(
        "The id, the body or a field was refused; nothing was changed.",
        &[],
    )
}

fn describe() -> Described {
    let body = json!({
        "type": "object",
        "properties": {"lease": lease_schema()},
        "additionalProperties": false,
    });
    let examples = json!({"leased": {"value": {"lease": EXAMPLE}}, "free": {"value": {}}});
    Described::new(
        "Ends the process: its status becomes `completed`, and it has no next date. A process that is finished already keeps its status. \
         Its lease ends. The answer is the whole process.",
    )
    .answers(200, whole(&PROCESS, "The whole process as it is now."))
    .answers(400, refused())
    .answers(404, missing())
    .answers(409, outdated())
    .body(json!({"required": false, "content": media(body, examples)}))
}

/// Reads and locks a process, and checks the conditions for working on it.
pub(super) async fn begin<T: Transaction>(
    ledger: &mut Ledger<'_, T>,
    id: i64,
    lease: Option<&LeaseSecret>,
    versions: Option<&Versions>,
) -> Result<Record> {
    let process = ledger.read(&PROCESS, id).await?;
    if let Some(lease) = lease {
        hold(ledger.tx, &process, lease).await?;
    }
    if let Some(versions) = versions {
        versions.hold(process.version())?;
    }
    Ok(process)
}

/// Changes these fields of a process, and ends its lease.
pub(super) async fn change<T: Transaction>(
    ledger: &mut Ledger<'_, T>,
    process: Record,
    fields: &Json,
) -> Result<Record> {
    let draft = Draft::from_json(&PROCESS, fields.to_string().as_bytes(), Purpose::Update)?;
    forget(ledger.tx, process.id()).await?;
    let changes = draft.changes(&process).map_err(Error::fields)?;
    match changes.is_empty() {
        true => Ok(process),
        false => ledger.change(&draft, process, changes).await,
    }
}

impl Write for Complete {
    type Done = Saved;

    fn extent(&self) -> WriteExtent {
        WriteExtent::Several
    }

    async fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        terms: &Terms,
    ) -> Result<Saved> {
        let versions = terms.versions.as_ref();
        let process = begin(ledger, self.id, self.lease.as_ref(), versions).await?;
        let fields = match is_still_open(&process) {
            true => json!({"status": rules::get().ended(), "next_followup_datetime": null}),
            false => json!({"next_followup_datetime": null}),
        };
        Ok(Saved {
            record: change(ledger, process, &fields).await?,
            created: false,
        })
    }

    fn keep(&self, done: &Saved) -> Kept {
        done.keep()
    }

    fn kept(&self, kept: &Kept) -> Result<Option<Saved>> {
        Ok(Saved::kept(&PROCESS, kept).filter(|saved| !saved.created))
    }

    fn request(&self) -> HttpRequest {
        let body = match &self.lease {
            Some(lease) => json!({"lease": lease.text()}),
            None => json!({}),
        };
        let path = Self::ABOUT.at(Some(&FOLLOWUP), &self.id.to_string());
        HttpRequest::of(Self::ABOUT.methods[0].0, path).with(body.to_string())
    }

    fn word(_status: u16) -> &'static str {
        "updated"
    }
}
