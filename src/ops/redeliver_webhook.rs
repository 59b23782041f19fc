//! `POST /webhooks/{name}/redeliver`, `crm webhook redeliver`: sends changes again.

use serde_json::{Value as Json, json};

use super::create_webhook::{conflict, in_path, missing, request};
use crate::base::error::{Code, Error, Problems, Result, quoted};
use crate::model::noun::{Noun, parse_id};
use crate::model::query::FeedPlace;
use crate::model::terms::Terms;
use crate::model::token;
use crate::model::webhook::WebhookState;
use crate::operation::about::{
    ADMIN, About, Answer, Body, BodyField, CommandExamples, CommandPart, Describe, Needs, Of,
    Takes, Words,
};
use crate::operation::asked::{Asked, Operation, Told};
use crate::operation::describe::{Described, failure, media, message};
use crate::store::contract::{HttpRequest, Kept, Write, WriteExtent};
use crate::store::sql::ledger::Ledger;
use crate::store::sql::webhooks::locked;
use crate::store::transaction::Transaction;

/// Sends a webhook all changes after one again.
#[derive(Clone, Debug)]
pub struct RedeliverWebhook {
    name: String,
    after: After,
}

impl RedeliverWebhook {
    /// Sends the webhook with this name all changes after this one again.
    pub fn new(name: String, after: After) -> RedeliverWebhook {
        RedeliverWebhook { name, after }
    }
}

impl Operation for RedeliverWebhook {
    const ABOUT: &'static About = &About {
        of: Of::Webhooks,
        methods: &[("POST", "redeliverWebhook")],
        path: "/webhooks/{name}/redeliver",
        access: ADMIN,
        conditional: false,
        parameters: &[],
        body: Body::Object(&[BodyField {
            name: "after",
            help: "The number of a change, or a cursor as `crm changes` prints it, after which everything is sent again; 0 for all changes that are kept",
            takes: Takes::Text("CURSOR"),
            required: true,
            positional: false,
        }]),
        answer: Answer::Message,
        needs: Needs::Database,
        summary: "Send changes again",
        describe: Describe::Plain(describe),
        words: Some(Words {
            verb: "redeliver",
            about: "Send a webhook all changes after one again",
            long: "",
            takes: &[
                CommandPart::Key(
                    "The names of the webhooks (won or won,lost); - reads them from standard input",
                ),
                CommandPart::Inputs,
            ],
            confirm: None,
            examples: CommandExamples::These(&[
                "crm webhook create https://a.example --name won > secret && crm webhook redeliver won --after 0",
            ]),
        }),
    };

    fn ask(asked: &Asked<'_>) -> Result<RedeliverWebhook> {
        Ok(RedeliverWebhook::new(asked.key.into(), After::Beginning))
    }

    fn body(&mut self, body: &[u8]) -> Result<()> {
        self.after = parse(body)?;
        Ok(())
    }

    fn told(_noun: Option<&'static Noun>, (): ()) -> Told {
        Told::Message("Changes will be sent again".into())
    }
}

/// After which change everything is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// All changes that are kept.
    Beginning,
    /// The change with this number.
    Change(i64),
    /// The change of a cursor: the name of the sequence, and the number.
    Cursor(String, i64),
}

impl After {
    fn parse(given: &str) -> Result<After> {
        let number = || parse_id(given).map(After::Change);
        let cursor = FeedPlace::decode(given).map(|(epoch, seq)| After::Cursor(epoch, seq));
        let beginning = (given == "0").then_some(After::Beginning);
        let place = beginning.or_else(number).or(cursor);
        place.ok_or_else(|| {
            let expected = format!(
                "expected the number of a change, a cursor as GET /changes or `crm changes` gives it, or 0, got {}",
                quoted(given)
            );
            Error::field("after", expected)
        })
    }
}

/// Reads the body of a request.
fn parse(body: &[u8]) -> Result<After> {
    let Ok(Json::Object(body)) = serde_json::from_slice(body) else {
        return Err(Error::invalid("body: expected a JSON object"));
    };
    let mut problems = Problems::default();
    for key in body.keys().filter(|key| *key != "after") {
        let key: String = key.chars().take(60).collect();
        problems.push(token::redacted(&key), "no such field; there is after");
    }
    if !problems.is_empty() {
        return Err(Error::fields(problems));
    }
    match body.get("after") {
        Some(Json::String(given)) => After::parse(given),
        Some(Json::Number(number)) => After::parse(&number.to_string()),
        _ => Err(Error::field(
            "after",
            "expected the number of a change, or the text of a cursor",
        )),
    }
}

fn describe() -> Described {
    let new = json!({
        "type": "object",
        "required": ["after"],
        "properties": {
            "after": {"type": ["string", "integer"], "description": "The cursor of a change, or its number. `0` stands for the beginning."},
        },
        "additionalProperties": false,
    });
    let examples = json!({"all": {"value": {"after": "0"}}, "number": {"value": {"after": 812}}});
    let about = "All changes after this one are sent again, in order, with the same `webhook-id` as before. Those that wait for another try are among them.";
    let removed = Error::new(Code::Gone, REMOVED);
    Described::new(about)
        .parameters(in_path())
        .body(json!({"required": true, "content": media(new, examples)}))
        .answers(
            200,
            message(
                "The changes will be sent.",
                "asked",
                "Changes will be sent again",
            ),
        )
        .answers(
            400,
            failure("The body or a field was refused; nothing was changed.", &[]),
        )
        .answers(404, missing())
        .answers(
            409,
            failure(
                "The change was not sent yet, or the webhook is gone.",
                &[("gone", conflict("won", GONE))],
            ),
        )
        .answers(
            410,
            failure(
                "The cursor comes from another database, or changes after it are no longer kept.",
                &[("removed", removed)],
            ),
        )
}

/// Why nothing is sent to a webhook that is gone.
const GONE: &str = "is gone; resume it first";

/// Why a cursor of another sequence is refused.
const OTHER: &str = "after: the cursor comes from another database, or from before a restore or a copy of this one; expected one of this database, or 0 for all changes that are kept";

/// Why changes that were removed are not sent.
const REMOVED: &str = "after: changes after this one are no longer kept; expected a later one, or 0 for all that are kept";

impl Write for RedeliverWebhook {
    type Done = ();

    fn extent(&self) -> WriteExtent {
        WriteExtent::Several
    }

    async fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        _terms: &Terms,
    ) -> Result<()> {
        let (id, state) = locked(ledger.tx, &self.name).await?;
        if state == WebhookState::Gone {
            return Err(conflict(&self.name, GONE));
        }
        let sql = "SELECT place, (SELECT removed FROM crm_epoch), (SELECT epoch FROM crm_epoch) FROM crm_webhooks \
                   WHERE id = $1";
        let rows = ledger.tx.query(sql, &[id.into()]).await?;
        let row = rows.first();
        let int = |at: usize| row.and_then(|row| row.get(at)?.int());
        let (place, removed) = (int(0).unwrap_or_default(), int(1).unwrap_or_default());
        let after = match &self.after {
            After::Beginning => 0,
            After::Cursor(epoch, _) if row.and_then(|row| row.get(2)?.text()) != Some(epoch) => {
                return Err(Error::new(Code::Gone, OTHER));
            }
            After::Change(seq) | After::Cursor(_, seq) if *seq < removed => {
                return Err(Error::new(Code::Gone, REMOVED));
            }
            After::Change(seq) | After::Cursor(_, seq) => *seq,
        };
        if after > place {
            let expected =
                "expected a change that was sent already; what comes after this one is sent anyway";
            let mut error = Error::field("after", expected);
            error.code = Code::Conflict;
            return Err(error);
        }
        let sql = "DELETE FROM crm_deliveries WHERE webhook = $1 AND seq > $2";
        ledger.tx.execute(sql, &[id.into(), after.into()]).await?;
        let sql =
            "UPDATE crm_webhooks SET place = $1, turn = turn + 1, wait_until = NULL WHERE id = $2";
        ledger.tx.execute(sql, &[after.into(), id.into()]).await?;
        Ok(())
    }

    fn keep(&self, (): &()) -> Kept {
        Kept::word("asked")
    }

    fn kept(&self, kept: &Kept) -> Result<Option<()>> {
        Ok((kept.word == "asked").then_some(()))
    }

    fn request(&self) -> HttpRequest {
        let after = match &self.after {
            After::Beginning => "0".into(),
            After::Change(seq) => seq.to_string(),
            After::Cursor(epoch, seq) => {
                let place = FeedPlace {
                    epoch: Some(epoch.clone()),
                    from_end: false,
                };
                place.encode(*seq)
            }
        };
        let body = json!({"after": after});
        request(Self::ABOUT, &self.name).with(body.to_string())
    }

    fn word(_status: u16) -> &'static str {
        "asked"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_again_begins_after_a_number_or_a_cursor() {
        for (body, after) in [
            (r#"{"after": "0"}"#, After::Beginning),
            (r#"{"after": 0}"#, After::Beginning),
            (r#"{"after": "812"}"#, After::Change(812)),
            (r#"{"after": 812}"#, After::Change(812)),
        ] {
            assert_eq!(parse(body.as_bytes()), Ok(after), "{body}");
        }
        for wrong in [
            "-1",
            "1.5",
            r#""""#,
            r#""x""#,
            r#""9223372036854775808""#,
            "null",
        ] {
            let error = parse(format!(r#"{{"after": {wrong}}}"#).as_bytes()).unwrap_err();
            assert_eq!(error.problems[0].field, "after", "{wrong}");
            assert!(error.message.contains("the number of a change"), "{error}");
        }
    }
}
