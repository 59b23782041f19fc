//! `POST /followups/{id}/renew`, `crm renew`: makes a lease last longer.

use serde_json::{Value as Json, json};

use super::complete::{EXAMPLE, begin, missing, outdated, refused};
use super::create_token::with_all;
use super::release::{NEEDED, needed, without_lease};
use crate::base::error::Result;
use crate::model::lease::{LeaseSecret, Renewed, duration};
use crate::model::noun::Noun;
use crate::model::terms::Terms;
use crate::operation::about::{About, Answer, Body, BodyField, Describe, Needs, Of, Takes, WRITE};
use crate::operation::asked::{Asked, Operation, Told};
use crate::operation::describe::{Described, answer, media};
use crate::operation::fields::{TIME_STORED, id_schema};
use crate::operation::given::Given;
use crate::store::contract::{HttpRequest, Kept, Write, WriteExtent};
use crate::store::sql::leases::renew;
use crate::store::sql::ledger::Ledger;
use crate::store::transaction::Transaction;
use crate::views::followups::FOLLOWUP;

/// Makes the lease of a follow-up end later. Its secret stays the same.
#[derive(Clone, Debug)]
pub struct Renew {
    id: i64,
    lease: Option<LeaseSecret>,
    /// In seconds. `None` is as long as before.
    seconds: Option<i64>,
}

impl Renew {
    /// Renews the lease of this process for so many seconds from now, or as long as it was asked for before.
    pub fn new(id: i64, lease: LeaseSecret, seconds: Option<i64>) -> Renew {
        Renew {
            id,
            lease: Some(lease),
            seconds,
        }
    }
}

/// The word in the kept result.
const RENEWED: &str = "renewed";

impl Operation for Renew {
    const ABOUT: &'static About = &About {
        of: Of::Noun(&FOLLOWUP),
        methods: &[("POST", "renewFollowup")],
        path: "/followups/{id}/renew",
        access: WRITE,
        conditional: false,
        parameters: &[],
        body: Body::Object(&[
            NEEDED,
            BodyField {
                name: "duration",
                help: "How long it lasts from now",
                takes: Takes::Text("DURATION"),
                required: false,
                positional: false,
            },
        ]),
        answer: Answer::Other,
        needs: Needs::Database,
        summary: "Renew the lease of a follow-up",
        describe: Describe::Plain(describe),
        words: None,
    };

    fn ask(asked: &Asked<'_>) -> Result<Renew> {
        Ok(Renew {
            id: asked.id,
            lease: None,
            seconds: None,
        })
    }

    fn body(&mut self, body: &[u8]) -> Result<()> {
        let mut given = Given::read(body, &["lease", "duration"])?;
        self.lease = needed(&mut given);
        self.seconds = given.text("duration", duration);
        given.done()
    }

    fn told(_noun: Option<&'static Noun>, done: Renewed) -> Told {
        Told::Json(to_json(&done).to_string())
    }
}

fn to_json(renewed: &Renewed) -> Json {
    json!({"id": renewed.id, "worker": renewed.worker, "lease_until": renewed.lease_until})
}

fn describe() -> Described {
    let body = json!({
        "type": "object",
        "required": ["lease"],
        "properties": {
            "lease": {"type": "string", "description": "The lease that the claim gave. It stays the same."},
            "duration": {"type": "string", "pattern": "^[0-9]+[smhd]$", "description": "How long it lasts from now, from `1s` to `24h`; as long as before unless given."},
        },
        "additionalProperties": false,
    });
    let examples = json!({
        "same": {"value": {"lease": EXAMPLE}},
        "longer": {"value": {"lease": EXAMPLE, "duration": "30m"}},
    });
    let properties = json!({
        "id": id_schema(),
        "worker": {"type": "string", "description": "Who has it."},
        "lease_until": {"type": "string", "pattern": TIME_STORED, "description": "When the lease ends. UTC."},
    });
    let renewed = json!({"id": 1, "worker": "anna", "lease_until": "2026-02-07 09:20:00"});
    Described::new("Makes a lease that still counts end later.")
        .answers(
            200,
            answer(
                "The lease.",
                media(
                    with_all(&properties),
                    json!({"renewed": {"value": renewed}}),
                ),
            ),
        )
        .answers(400, refused())
        .answers(404, missing())
        .answers(409, outdated())
        .body(json!({"required": true, "content": media(body, examples)}))
}

impl Write for Renew {
    type Done = Renewed;

    fn extent(&self) -> WriteExtent {
        WriteExtent::One
    }

    async fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        _terms: &Terms,
    ) -> Result<Renewed> {
        let lease = self.lease.as_ref().ok_or_else(without_lease)?;
        let process = begin(ledger, self.id, None, None).await?;
        let (worker, lease_until) = renew(ledger.tx, &process, lease, self.seconds).await?;
        Ok(Renewed {
            id: self.id,
            worker,
            lease_until,
        })
    }

    fn keep(&self, done: &Renewed) -> Kept {
        Kept {
            text: to_json(done).to_string(),
            ..Kept::word(RENEWED)
        }
    }

    fn kept(&self, kept: &Kept) -> Result<Option<Renewed>> {
        let json: Json = serde_json::from_str(&kept.text).unwrap_or_default();
        let text = |name: &str| Some(json.get(name)?.as_str()?.to_string());
        let renewed = || {
            Some(Renewed {
                id: json.get("id")?.as_i64()?,
                worker: text("worker")?,
                lease_until: text("lease_until")?,
            })
        };
        Ok(renewed().filter(|_| kept.word == RENEWED))
    }

    fn request(&self) -> HttpRequest {
        let mut body = json!({"lease": self.lease.as_ref().map(LeaseSecret::text)});
        if let Some(seconds) = self.seconds {
            body["duration"] = format!("{seconds}s").into();
        }
        let path = Self::ABOUT.at(Some(&FOLLOWUP), &self.id.to_string());
        HttpRequest::of(Self::ABOUT.methods[0].0, path).with(body.to_string())
    }

    fn word(_status: u16) -> &'static str {
        RENEWED
    }
}
