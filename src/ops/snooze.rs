//! `POST /followups/{id}/snooze`, `crm snooze`: moves a follow-up to a later time.

use serde_json::json;

use super::complete::{EXAMPLE, LEASE, begin, change, lease_schema, missing, outdated, refused};
use crate::base::error::{Code, Error, Result, quoted};
use crate::base::time::{self, Zone};
use crate::model::lease::LeaseSecret;
use crate::model::noun::Noun;
use crate::model::process::PROCESS;
use crate::model::terms::Terms;
use crate::operation::about::{About, Answer, Body, BodyField, Describe, Needs, Of, Takes, WRITE};
use crate::operation::asked::{Asked, Operation, Told};
use crate::operation::describe::{Described, media, whole};
use crate::operation::given::Given;
use crate::store::contract::{HttpRequest, Kept, Saved, Write, WriteExtent};
use crate::store::sql::advance::is_still_open;
use crate::store::sql::leases::now;
use crate::store::sql::ledger::Ledger;
use crate::store::transaction::Transaction;
use crate::views::followups::FOLLOWUP;

/// Moves a follow-up to a time that is still to come.
#[derive(Clone, Debug)]
pub struct Snooze {
    id: i64,
    /// In the stored form.
    next: String,
    lease: Option<LeaseSecret>,
    /// The zone of a time without an offset in a body that is still to come.
    zone: Zone,
}

impl Snooze {
    /// Moves the follow-up of this process to a time in the stored form. With a lease, only while the lease counts.
    pub fn new(id: i64, next: String, lease: Option<LeaseSecret>) -> Snooze {
        Snooze {
            id,
            next,
            lease,
            zone: Zone::UTC,
        }
    }
}

/// What is expected of the time.
pub const TO_COME: &str = "expected a time to come";

impl Operation for Snooze {
    const ABOUT: &'static About = &About {
        of: Of::Noun(&FOLLOWUP),
        methods: &[("POST", "snoozeFollowup")],
        path: "/followups/{id}/snooze",
        access: WRITE,
        conditional: true,
        parameters: &[],
        body: Body::Object(&[
            BodyField {
                name: "next",
                help: "When the follow-up is due instead",
                takes: Takes::Time,
                required: true,
                positional: false,
            },
            LEASE,
        ]),
        answer: Answer::Record,
        needs: Needs::Database,
        summary: "Move a follow-up to a later time",
        describe: Describe::Plain(describe),
        words: None,
    };

    fn ask(asked: &Asked<'_>) -> Result<Snooze> {
        Ok(Snooze {
            zone: asked.zone.clone(),
            ..Snooze::new(asked.id, String::new(), None)
        })
    }

    fn body(&mut self, body: &[u8]) -> Result<()> {
        let mut given = Given::read(body, &["next", "lease"])?;
        let zone = self.zone.clone();
        let next = given.text("next", |text| {
            let read = time::parse_in(text, &zone);
            read.ok_or_else(|| format!("{}, got {}", time::EXPECTED, quoted(text)))
        });
        match next {
            Some(next) => self.next = next,
            None if given.field("next").is_none() => {
                given.refuse("next", "is required: when the follow-up is due instead");
            }
            None => {}
        }
        self.lease = given.lease();
        given.done()
    }

    fn told(_noun: Option<&'static Noun>, done: Saved) -> Told {
        Told::Record(done.record)
    }
}

fn describe() -> Described {
    let body = json!({
        "type": "object",
        "required": ["next"],
        "properties": {
            "next": {"type": "string", "description": "When the follow-up is due instead, a time to come. Without an offset it is in the zone of `tz`."},
            "lease": lease_schema(),
        },
        "additionalProperties": false,
    });
    let examples = json!({
        "free": {"value": {"next": "2126-02-10 09:00:00"}},
        "leased": {"value": {"next": "2126-02-10T09:00:00+01:00", "lease": EXAMPLE}},
    });
    let finished = |message: &str| Error::new(Code::Conflict, message);
    let mut conflict = outdated();
    let example =
        finished("process 1 is finished (completed); reopen it with another status first");
    let example: serde_json::Value = serde_json::from_str(&example.to_json()).unwrap_or_default();
    conflict["content"]["application/json"]["examples"]["finished"] = json!({"value": example});
    conflict["description"] =
        "The lease does not count any more, or the process is finished; nothing was changed."
            .into();
    Described::new(
        "Moves the follow-up, and ends its lease. The answer is the whole process. To remove the date or to set one in the past, change \
         the process itself.",
    )
    .answers(200, whole(&PROCESS, "The whole process as it is now."))
    .answers(400, refused())
    .answers(404, missing())
    .answers(409, conflict)
    .body(json!({"required": true, "content": media(body, examples)}))
}

impl Write for Snooze {
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
        if !is_still_open(&process) {
            let status = process.get("status").text().unwrap_or_default();
            return Err(Error::new(
                Code::Conflict,
                format!(
                    "process {} is finished ({status}); reopen it with another status first",
                    self.id
                ),
            ));
        }
        if self.next <= now(ledger.tx).await? {
            let got = &self.next;
            return Err(Error::field("next", format!("{TO_COME}, got {got} (UTC)")));
        }
        let fields = json!({"next_followup_datetime": self.next});
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
        let mut body = json!({"next": format!("{}Z", self.next)});
        if let Some(lease) = &self.lease {
            body["lease"] = lease.text().into();
        }
        let path = Self::ABOUT.at(Some(&FOLLOWUP), &self.id.to_string());
        HttpRequest::of(Self::ABOUT.methods[0].0, path).with(body.to_string())
    }

    fn word(_status: u16) -> &'static str {
        "updated"
    }
}
