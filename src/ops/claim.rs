//! `POST /followups/claim`, `crm next`: gives due follow-ups to one worker for a while, and to nobody else.

use serde_json::value::RawValue;
use serde_json::{Map, Value as Json, json};

use crate::base::error::Result;
use crate::base::time::Zone;
use crate::model::due::{Due, Moment};
use crate::model::lease::{Claimed, LeaseSecret, MOST_CLAIMED, USUAL, check_worker, duration};
use crate::model::noun::Noun;
use crate::model::query;
use crate::model::record::Record;
use crate::model::terms::Terms;
use crate::model::token::Secret;
use crate::operation::about::{About, Answer, Body, BodyField, Describe, Needs, Of, Takes, WRITE};
use crate::operation::asked::{Asked, Operation, Told};
use crate::operation::describe::{Described, answer, failure, media};
use crate::operation::fields::{answered, names, record};
use crate::operation::given::Given;
use crate::store::contract::{HttpRequest, Kept, Write, WriteExtent};
use crate::store::sql::leases::{Wanted, claim, followup, now};
use crate::store::sql::ledger::Ledger;
use crate::store::sql::once::CLAIMED;
use crate::store::transaction::Transaction;
use crate::views::followups::FOLLOWUP;

/// Claims due follow-ups.
#[derive(Clone, Debug)]
pub struct Claim {
    limit: u64,
    /// How long the leases are, in seconds.
    seconds: i64,
    due: Vec<Due>,
    /// `None` is who asks.
    worker: Option<String>,
    zone: Zone,
    /// Whether the request names the zone.
    is_zone_named: bool,
    asker: Option<Secret>,
    /// See [`LeaseSecret::derive`].
    salt: String,
}

/// The fields of the kept result.
const SALT: &str = "salt";
const FOLLOWUPS: &str = "followups";

/// The fields of a body.
const KNOWN: [&str; 4] = ["limit", "lease", "due", "worker"];

impl Default for Claim {
    fn default() -> Claim {
        Claim {
            limit: 1,
            seconds: USUAL,
            due: vec![Due::Overdue, Due::Today],
            worker: None,
            zone: Zone::UTC,
            is_zone_named: false,
            asker: None,
            salt: String::new(),
        }
    }
}

impl Claim {
    /// A claim of what is due in a zone, with the fields of a body.
    pub fn of(body: &[u8], zone: &Zone) -> Result<Claim> {
        let mut claim = Claim {
            zone: zone.clone(),
            is_zone_named: true,
            ..Claim::default()
        };
        claim.body(body)?;
        Ok(claim)
    }
}

impl Operation for Claim {
    const ABOUT: &'static About = &About {
        of: Of::Noun(&FOLLOWUP),
        methods: &[("POST", "claimFollowups")],
        path: "/followups/claim",
        access: WRITE,
        conditional: false,
        parameters: &[],
        body: Body::Object(&[
            BodyField {
                name: "limit",
                help: "How many follow-ups are claimed at most",
                takes: Takes::Text("COUNT"),
                required: false,
                positional: false,
            },
            BodyField {
                name: "lease",
                help: "How long they are leased, such as 10m",
                takes: Takes::Text("DURATION"),
                required: false,
                positional: false,
            },
            BodyField {
                name: "due",
                help: "Which follow-ups are claimed: overdue, today, soon, scheduled, unscheduled",
                takes: Takes::Days("DUE"),
                required: false,
                positional: false,
            },
            BodyField {
                name: "worker",
                help: "Who works on them",
                takes: Takes::Text("NAME"),
                required: false,
                positional: false,
            },
        ]),
        answer: Answer::Other,
        needs: Needs::Database,
        summary: "Claim due follow-ups",
        describe: Describe::Plain(describe),
        words: None,
    };

    fn ask(asked: &Asked<'_>) -> Result<Claim> {
        Ok(Claim {
            zone: asked.zone.clone(),
            is_zone_named: asked.is_zone_named,
            asker: asked.asker.clone(),
            ..Claim::default()
        })
    }

    fn body(&mut self, body: &[u8]) -> Result<()> {
        let mut given = Given::read(body, &KNOWN)?;
        if let Some(limit) = given.number("limit", 1, MOST_CLAIMED) {
            self.limit = limit;
        }
        if let Some(seconds) = given.text("lease", duration) {
            self.seconds = seconds;
        }
        if let Some(due) = given.list("due", Due::parse) {
            self.due = due;
        }
        self.worker = given.text("worker", |name| {
            check_worker(name).map(|()| name.to_string())
        });
        given.done()
    }

    fn told(_noun: Option<&'static Noun>, done: Vec<Claimed>) -> Told {
        Told::Json(array(&done))
    }
}

/// The claimed follow-ups as a JSON array.
fn array(claimed: &[Claimed]) -> String {
    let all: Vec<String> = claimed.iter().map(Claimed::to_json).collect();
    format!("[{}]", all.join(","))
}

fn describe() -> Described {
    let body = json!({
        "type": "object",
        "properties": {
            "limit": {"type": "integer", "format": "int64", "minimum": 1, "maximum": MOST_CLAIMED, "description": "How many are claimed at most; 1 unless given. Fewer are claimed if fewer are due and free."},
            "lease": {"type": "string", "pattern": "^[0-9]+[smhd]$", "description": "How long they are leased, from `1s` to `24h`; `10m` unless given."},
            "due": {"type": "array", "minItems": 1, "items": {"type": "string", "enum": Due::WORDS}, "description": "Which follow-ups are claimed; `overdue` and `today` unless given. Days are those of the zone `tz`."},
            "worker": {"type": "string", "minLength": 1, "maxLength": 200, "description": "Who works on them; the name of the token unless given."},
        },
        "additionalProperties": false,
    });
    let examples = json!({"some": {"value": {"limit": 5, "lease": "10m", "due": ["overdue", "today"], "worker": "anna"}}});
    // Generators of clients do not know what to make of a schema that adds to another one.
    let fields = FOLLOWUP.fields.iter();
    let fields = fields.flat_map(|field| names(field).map(|name| (name.into(), answered(field))));
    let mut properties: Map<String, Json> = fields.collect();
    properties.insert(
        "lease".into(),
        json!({"type": "string", "pattern": "^lease_[0-9a-z]{32}$", "description": "The secret word of the lease. It is shown only here."}),
    );
    let claimed = json!({"type": "object", "properties": properties, "required": ["id", "lease"]});
    let mut one = record(&FOLLOWUP);
    one["lease"] = "lease_0123456789abcdef0123456789abcdef".into();
    Described::new(
        "Gives due follow-ups to one worker, the one that is due first before the others, and to nobody else until the lease ends. \
         Whoever works without leases is not stopped, but sees in the list who has it. A lease ends at its time, or as soon as the follow-up \
         is moved, completed, finished or released. It survives a restart. Claims are no changes: they do not appear in the list of changes, \
         and the processes keep their versions.",
    )
    .answers(
        200,
        answer(
            "The claimed follow-ups, each with its lease. An empty list: nothing is due that is free.",
            media(
                json!({"type": "array", "items": claimed}),
                json!({"claimed": {"value": [one]}, "none": {"value": []}}),
            ),
        ),
    )
    .answers(
        400,
        failure("The body or a field was refused; nothing was claimed.", &[]),
    )
    .body(json!({"required": false, "content": media(body, examples)}))
}

impl Write for Claim {
    type Done = Vec<Claimed>;

    fn check(&mut self) -> Result<()> {
        self.salt = LeaseSecret::salt()?;
        Ok(())
    }

    fn extent(&self) -> WriteExtent {
        WriteExtent::Several
    }

    async fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        terms: &Terms,
    ) -> Result<Vec<Claimed>> {
        let tx = &mut *ledger.tx;
        let now = now(tx).await?;
        let moment = Moment::at(&now, &self.zone);
        let wanted = Wanted {
            limit: usize::try_from(self.limit).unwrap_or(1),
            due: &self.due,
            worker: self.worker.as_deref().unwrap_or(&terms.author.by),
            seconds: self.seconds,
            now: &now,
            moment: &moment,
        };
        let secret = |id| LeaseSecret::derive(self.asker.as_ref(), &self.salt, id);
        let ids = claim(tx, &wanted, secret).await?;
        let mut claimed = Vec::with_capacity(ids.len());
        for id in ids {
            claimed.push(Claimed {
                followup: followup(tx, id, &moment).await?,
                lease: secret(id),
            });
        }
        Ok(claimed)
    }

    fn keep(&self, claimed: &Vec<Claimed>) -> Kept {
        // The secrets follow from the salt, so they are not kept.
        let all: Vec<String> = claimed.iter().map(|one| one.followup.to_json()).collect();
        let all = all.join(",");
        Kept {
            text: format!("{{\"{SALT}\":\"{}\",\"{FOLLOWUPS}\":[{all}]}}", self.salt),
            ..Kept::word(CLAIMED)
        }
    }

    fn kept(&self, kept: &Kept) -> Result<Option<Vec<Claimed>>> {
        let of_server = || -> Option<Vec<Claimed>> {
            let all: Vec<&RawValue> = serde_json::from_str(&kept.text).ok()?;
            let all = all.into_iter().map(|raw| {
                let json: Json = serde_json::from_str(raw.get()).ok()?;
                Some(Claimed {
                    followup: Record::from_json(&FOLLOWUP, raw.get().as_bytes())?,
                    lease: LeaseSecret::parse(json.get("lease")?.as_str()?)?,
                })
            });
            all.collect()
        };
        let of_database = || -> Option<Vec<Claimed>> {
            let json: std::collections::BTreeMap<&str, &RawValue> =
                serde_json::from_str(&kept.text).ok()?;
            let salt: String = serde_json::from_str(json.get(SALT)?.get()).ok()?;
            let all: Vec<&RawValue> = serde_json::from_str(json.get(FOLLOWUPS)?.get()).ok()?;
            let all = all.into_iter().map(|raw| {
                let followup = Record::from_json(&FOLLOWUP, raw.get().as_bytes())?;
                let lease = LeaseSecret::derive(self.asker.as_ref(), &salt, followup.id());
                Some(Claimed { followup, lease })
            });
            all.collect()
        };
        Ok(match kept.word == CLAIMED {
            true => of_database().or_else(of_server),
            false => None,
        })
    }

    fn request(&self) -> HttpRequest {
        let due: Vec<&str> = self.due.iter().map(|due| due.word()).collect();
        let mut body = json!({
            "limit": self.limit,
            "lease": format!("{}s", self.seconds),
            "due": due,
        });
        if let Some(worker) = &self.worker {
            body["worker"] = worker.as_str().into();
        }
        let mut path = String::from(Self::ABOUT.path);
        if self.is_zone_named {
            let zone = self.zone.known_name();
            path += &format!("?tz={}", query::escape(&zone));
        }
        HttpRequest::of(Self::ABOUT.methods[0].0, path).with(body.to_string())
    }

    fn word(_status: u16) -> &'static str {
        CLAIMED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> Vec<String> {
        let error = Claim::of(body.as_bytes(), &Zone::UTC).unwrap_err();
        let told = error.problems.iter();
        told.map(|one| format!("{}: {}", one.field, one.expected))
            .collect()
    }

    #[test]
    fn a_body_may_be_left_out_and_all_that_is_wrong_is_told() {
        for body in ["", " \n", "{}", r#"{"limit": null}"#] {
            let claim = Claim::of(body.as_bytes(), &Zone::UTC).unwrap();
            assert_eq!((claim.limit, claim.seconds), (1, 600), "{body}");
            assert_eq!(claim.due, [Due::Overdue, Due::Today]);
        }
        let told =
            refused(r#"{"limit": 101, "lease": "2d", "due": ["late"], "worker": "", "who": 1}"#);
        assert_eq!(told.len(), 5, "{told:?}");
        assert!(told.contains(&"limit: expected a whole number from 1 to 100, got \"101\"".into()));
        for body in ["[]", "1", "null", "{"] {
            assert!(Claim::of(body.as_bytes(), &Zone::UTC).is_err(), "{body}");
        }
        assert_eq!(
            refused(r#"{"due": []}"#),
            ["due: expected at least one of them"]
        );
        assert_eq!(refused(r#"{"limit": 0}"#).len(), 1);
        assert_eq!(refused(r#"{"limit": "5"}"#).len(), 1);
    }
}
