//! `POST /followups/{id}/release`, `crm release`: gives a claimed follow-up back before its lease ends.

use serde_json::json;

use super::complete::{EXAMPLE, LEASE, begin, missing, outdated, refused};
use crate::base::error::{Error, Result};
use crate::model::lease::LeaseSecret;
use crate::model::noun::Noun;
use crate::model::terms::Terms;
use crate::operation::about::{About, Answer, Body, BodyField, Describe, Needs, Of, WRITE};
use crate::operation::asked::{Asked, Operation, Told};
use crate::operation::describe::{Described, media, message};
use crate::operation::given::Given;
use crate::store::contract::{HttpRequest, Kept, Write, WriteExtent};
use crate::store::sql::leases::forget;
use crate::store::sql::ledger::Ledger;
use crate::store::transaction::Transaction;
use crate::views::followups::FOLLOWUP;

/// Gives a claimed follow-up back, so that others can claim it.
#[derive(Clone, Debug)]
pub struct Release {
    id: i64,
    lease: Option<LeaseSecret>,
}

impl Release {
    /// Gives the follow-up of this process back.
    pub fn new(id: i64, lease: LeaseSecret) -> Release {
        Release {
            id,
            lease: Some(lease),
        }
    }
}

/// The word in the kept result.
const RELEASED: &str = "released";

/// What is said.
const SAID: &str = "Follow-up released";

/// The lease in a body that has to have one.
pub(super) const NEEDED: BodyField = BodyField {
    required: true,
    ..LEASE
};

/// Reads the lease of a body that has to have one.
pub(super) fn needed(given: &mut Given) -> Option<LeaseSecret> {
    if given.field("lease").is_none() {
        given.refuse("lease", "is required: the lease that the claim gave");
    }
    given.lease()
}

/// The error where there is no lease.
pub(super) fn without_lease() -> Error {
    Error::field("lease", "is required: the lease that the claim gave")
}

impl Operation for Release {
    const ABOUT: &'static About = &About {
        of: Of::Noun(&FOLLOWUP),
        methods: &[("POST", "releaseFollowup")],
        path: "/followups/{id}/release",
        access: WRITE,
        conditional: false,
        parameters: &[],
        body: Body::Object(&[NEEDED]),
        answer: Answer::Message,
        needs: Needs::Database,
        summary: "Give a claimed follow-up back",
        describe: Describe::Plain(describe),
        words: None,
    };

    fn ask(asked: &Asked<'_>) -> Result<Release> {
        Ok(Release {
            id: asked.id,
            lease: None,
        })
    }

    fn body(&mut self, body: &[u8]) -> Result<()> {
        let mut given = Given::read(body, &["lease"])?;
        self.lease = needed(&mut given);
        given.done()
    }

    fn told(_noun: Option<&'static Noun>, (): ()) -> Told {
        Told::Message(SAID.into())
    }
}

fn describe() -> Described {
    let body = json!({
        "type": "object",
        "required": ["lease"],
        "properties": {"lease": {"type": "string", "description": "The lease that the claim gave."}},
        "additionalProperties": false,
    });
    let examples = json!({"leased": {"value": {"lease": EXAMPLE}}});
    Described::new("Ends the lease before its time. Others can claim the follow-up at once.")
        .answers(200, message("The follow-up is free.", "released", SAID))
        .answers(400, refused())
        .answers(404, missing())
        .answers(409, outdated())
        .body(json!({"required": true, "content": media(body, examples)}))
}

impl Write for Release {
    type Done = ();

    fn extent(&self) -> WriteExtent {
        WriteExtent::One
    }

    async fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        _terms: &Terms,
    ) -> Result<()> {
        let lease = self.lease.as_ref().ok_or_else(without_lease)?;
        begin(ledger, self.id, Some(lease), None).await?;
        forget(ledger.tx, self.id).await
    }

    fn keep(&self, (): &()) -> Kept {
        Kept::word(RELEASED)
    }

    fn kept(&self, kept: &Kept) -> Result<Option<()>> {
        Ok((kept.word == RELEASED).then_some(()))
    }

    fn request(&self) -> HttpRequest {
        let lease = self.lease.as_ref().map(LeaseSecret::text);
        let path = Self::ABOUT.at(Some(&FOLLOWUP), &self.id.to_string());
        let body = json!({"lease": lease});
        HttpRequest::of(Self::ABOUT.methods[0].0, path).with(body.to_string())
    }

    fn word(_status: u16) -> &'static str {
        RELEASED
    }
}
