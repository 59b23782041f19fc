//! Webhooks in a database: their list, and what the deliverer reads and writes of them.
//!
//! Every change up to a webhook's place is delivered, given up, or has a row in `crm_deliveries`. The place and these rows
//! change in one transaction, so no change is lost whenever the process ends.
//!
//! One process delivers to a webhook at a time, its owner. It counts up `beat` every second. No clock is compared: a process
//! that has seen the same beat for some seconds takes the webhook over, if it is still the same in the database.

use serde_json::Value as Json;

use crate::base::error::{Code, Error, Result, quoted};
use crate::model::value::Value;
use crate::model::webhook::{ChangeTypes, SigningSecret, Webhook, WebhookState};
use crate::store::chore::Chore;
use crate::store::contract::Listed;
use crate::store::transaction::Transaction;

/// The webhooks as they are shown. The changes after the place are counted up to
/// [`MOST_COUNTED`](crate::model::webhook::MOST_COUNTED).
const LIST: &str = "SELECT w.name, w.url, w.types, w.state, w.created_at, w.answer, w.answered_at, w.failing_since, \
     (SELECT count(*) FROM crm_deliveries d WHERE d.webhook = w.id AND d.seq > 0) + (SELECT count(*) FROM (SELECT 1 FROM \
     crm_changes c WHERE c.seq > w.place AND w.state <> 'gone' AND (w.types = '*' OR (',' || w.types || ',') LIKE ('%,' || \
     c.type || ',%') OR (',' || w.types || ',') LIKE ('%,' || replace(replace(replace(replace(replace(c.type, '.created', \
     '.*'), '.updated', '.*'), '.deleted', '.*'), '.erased', '.*'), '.due', '.*') || ',%')) LIMIT 10000) AS waiting), w.given_up, w.old_until \
     FROM crm_webhooks w ORDER BY w.name";

impl Listed for Webhook {
    const PATH: &'static str = "/webhooks";
    const PLURAL: &'static str = "webhooks";
    const COLUMNS: &'static [&'static str] = &[
        "name",
        "url",
        "types",
        "state",
        "last_answer",
        "failing_since",
        "waiting",
    ];
    const NONE: &'static str = "no webhooks";
    const SELECT: &'static str = LIST;

    fn from_row(row: &[Value]) -> Option<Webhook> {
        let text = |at: usize| Some(row.get(at)?.text()?.to_string());
        Some(Webhook {
            name: text(0)?,
            url: text(1)?,
            types: ChangeTypes::stored(&text(2)?),
            state: WebhookState::parse(&text(3)?)?,
            created_at: text(4)?,
            last_answer: text(5),
            last_answer_at: text(6),
            failing_since: text(7),
            waiting: row.get(8)?.int()?,
            given_up: row.get(9)?.int()?,
            old_secret_until: text(10),
        })
    }

    fn from_json(json: &Json) -> Option<Webhook> {
        Webhook::from_json(json)
    }

    fn to_json(&self) -> Json {
        self.to_json()
    }
}

/// Locks the webhook with a name, and returns its id and its state.
pub(crate) async fn locked<T: Transaction>(tx: &mut T, name: &str) -> Result<(i64, WebhookState)> {
    let sql = format!(
        "SELECT id, state FROM crm_webhooks WHERE name = $1{}",
        T::LOCKING
    );
    let rows = tx.query(&sql, &[name.into()]).await?;
    let found = rows.first().and_then(|row| {
        let state = WebhookState::parse(row.get(1)?.text()?)?;
        Some((row.first()?.int()?, state))
    });
    found.ok_or_else(|| {
        Error::new(
            Code::NotFound,
            format!("no webhook has the name {}", quoted(name)),
        )
    })
}

/// The lowest number of a change that a webhook still needs. `None` if no webhook needs any. A webhook that is gone needs
/// none. The others need each change after their place, and those that wait for another try.
pub(crate) const LOWEST_NEEDED: &str = "SELECT min(seq) FROM (SELECT min(place) + 1 AS seq FROM crm_webhooks WHERE state <> 'gone' \
     UNION ALL SELECT min(seq) FROM crm_deliveries WHERE seq > 0) AS needed";

/// A webhook as its deliverer reads it.
#[derive(Clone, Debug)]
pub(crate) struct HookRow {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) target: Target,
    pub(crate) place: i64,
    pub(crate) failing_since: Option<String>,
    pub(crate) answer: Option<String>,
    pub(crate) answered_at: Option<String>,
    pub(crate) wait_until: Option<String>,
    pub(crate) owner: Option<String>,
    pub(crate) beat: i64,
    /// When the next waiting delivery is due. `None` if none waits.
    pub(crate) due: Option<String>,
    /// Whether a test was asked for.
    pub(crate) tests: bool,
}

/// The part of a webhook that people set. A deliverer starts again if it has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) types: ChangeTypes,
    pub(crate) secret: SigningSecret,
    /// The secret before the last rotation, and when it ends.
    pub(crate) old_secret: Option<(SigningSecret, String)>,
    pub(crate) state: WebhookState,
    pub(crate) turn: i64,
}

/// All webhooks for the deliverer, in the order of [`HookRow::from_row`].
pub(crate) const HOOKS: &str = "SELECT id, name, url, types, secret, old_secret, old_until, state, turn, place, \
     failing_since, answer, answered_at, wait_until, owner, beat, \
     (SELECT min(due) FROM crm_deliveries d WHERE d.webhook = w.id AND d.seq > 0), \
     (SELECT count(*) FROM crm_deliveries d WHERE d.webhook = w.id AND d.seq = 0) FROM crm_webhooks w ORDER BY id";

impl HookRow {
    /// Reads a row of [`HOOKS`].
    pub(crate) fn from_row(row: &[Value]) -> Option<HookRow> {
        let text = |at: usize| Some(row.get(at)?.text()?.to_string());
        let int = |at: usize| row.get(at)?.int();
        let old = text(5).and_then(|secret| SigningSecret::parse(&secret));
        Some(HookRow {
            id: int(0)?,
            name: text(1)?,
            target: Target {
                url: text(2)?,
                types: ChangeTypes::stored(&text(3)?),
                secret: SigningSecret::parse(&text(4)?)?,
                old_secret: old.zip(text(6)),
                state: WebhookState::parse(&text(7)?)?,
                turn: int(8)?,
            },
            place: int(9)?,
            failing_since: text(10),
            answer: text(11),
            answered_at: text(12),
            wait_until: text(13),
            owner: text(14),
            beat: int(15)?,
            due: text(16),
            tests: int(17)? > 0,
        })
    }
}

/// Takes, keeps and releases webhooks for a process.
pub(crate) struct Leases {
    /// The process.
    pub(crate) owner: String,
    /// The webhooks to take, each with its owner and beat as they were read.
    pub(crate) take: Vec<(i64, Option<String>, i64)>,
    /// The webhooks to release.
    pub(crate) release: Vec<i64>,
    /// Whether the others are kept.
    pub(crate) keep: bool,
}

impl Chore for Leases {
    type Done = ();

    async fn run<T: Transaction>(self, tx: &mut T) -> Result<()> {
        let me = Value::from(self.owner.as_str());
        for id in self.release {
            let sql = "UPDATE crm_webhooks SET owner = NULL WHERE id = $1 AND owner = $2";
            tx.execute(sql, &[id.into(), me.clone()]).await?;
        }
        if self.keep {
            let sql = "UPDATE crm_webhooks SET beat = beat + 1 WHERE owner = $1";
            tx.execute(sql, std::slice::from_ref(&me)).await?;
        }
        for (id, owner, beat) in self.take {
            let sql =
                "UPDATE crm_webhooks SET owner = $1, beat = beat + 1 WHERE id = $2 AND beat = $3";
            let mut params = vec![me.clone(), id.into(), beat.into()];
            match owner {
                None => {
                    tx.execute(&format!("{sql} AND owner IS NULL"), &params)
                        .await?
                }
                Some(owner) => {
                    params.push(owner.as_str().into());
                    tx.execute(&format!("{sql} AND owner = $4"), &params)
                        .await?
                }
            };
        }
        Ok(())
    }
}

/// A delivery that has failed and waits for another try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WaitingDelivery {
    pub(crate) seq: i64,
    /// How many tries have failed.
    pub(crate) tries: i64,
    pub(crate) due: String,
    pub(crate) since: String,
}

/// The deliveries of a webhook that are due by a time, of changes up to a number. The last parameter is how many.
pub(crate) const DUE: &str = "SELECT seq, tries, due, since FROM crm_deliveries WHERE webhook = $1 AND due <= $2 AND seq <= $3 \
     ORDER BY due, seq LIMIT $4";

/// How many deliveries wait, and since when the oldest does.
pub(crate) const WAITING: &str = "SELECT count(*), min(since) FROM crm_deliveries WHERE seq > 0";

/// When the first change after a number was made.
pub(crate) const MADE_AFTER: &str =
    "SELECT at FROM crm_changes WHERE seq > $1 ORDER BY seq LIMIT 1";

/// The name of the sequence of changes.
pub(crate) const EPOCH: &str = "SELECT epoch FROM crm_epoch";

impl WaitingDelivery {
    /// Reads a row of [`DUE`].
    pub(crate) fn from_row(row: &[Value]) -> Option<WaitingDelivery> {
        Some(WaitingDelivery {
            seq: row.first()?.int()?,
            tries: row.get(1)?.int()?,
            due: row.get(2)?.text()?.into(),
            since: row.get(3)?.text()?.into(),
        })
    }
}

/// The state of a webhook after some deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HookUpdate {
    pub(crate) turn: i64,
    pub(crate) place: i64,
    pub(crate) failing_since: Option<String>,
    pub(crate) answer: Option<String>,
    pub(crate) answered_at: Option<String>,
    pub(crate) wait_until: Option<String>,
    /// How many changes were given up since the last update.
    pub(crate) given_up: i64,
    /// Whether its receiver has ended it.
    pub(crate) gone: bool,
    /// The deliveries by their changes: they wait, or they are done.
    pub(crate) deliveries: std::collections::BTreeMap<i64, Option<WaitingDelivery>>,
}

/// Saves the states of webhooks that a process still owns.
pub(crate) struct SaveHooks {
    pub(crate) owner: String,
    pub(crate) updates: std::collections::BTreeMap<i64, HookUpdate>,
}

impl Chore for SaveHooks {
    type Done = ();

    async fn run<T: Transaction>(self, tx: &mut T) -> Result<()> {
        let text = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::from);
        for (id, update) in self.updates {
            // If the place was set by hand, or another process has taken over, all of this is outdated.
            let sql = "UPDATE crm_webhooks SET place = $1, failing_since = $2, answer = $3, answered_at = $4, wait_until = $5, \
                       given_up = given_up + $6 WHERE id = $7 AND owner = $8 AND turn = $9";
            let params = [
                update.place.into(),
                text(&update.failing_since),
                text(&update.answer),
                text(&update.answered_at),
                text(&update.wait_until),
                update.given_up.into(),
                id.into(),
                self.owner.as_str().into(),
                update.turn.into(),
            ];
            if tx.execute(sql, &params).await? == 0 {
                continue;
            }
            for (seq, delivery) in update.deliveries {
                let Some(delivery) = delivery else {
                    let sql = "DELETE FROM crm_deliveries WHERE webhook = $1 AND seq = $2";
                    tx.execute(sql, &[id.into(), seq.into()]).await?;
                    continue;
                };
                let sql = "INSERT INTO crm_deliveries (webhook, seq, tries, due, since) VALUES ($1, $2, $3, $4, $5) \
                           ON CONFLICT (webhook, seq) DO UPDATE SET tries = excluded.tries, due = excluded.due";
                let params = [
                    id.into(),
                    seq.into(),
                    delivery.tries.into(),
                    delivery.due.as_str().into(),
                    delivery.since.as_str().into(),
                ];
                tx.execute(sql, &params).await?;
            }
            if update.gone {
                let sql =
                    "UPDATE crm_webhooks SET state = 'gone' WHERE id = $1 AND state = 'active'";
                tx.execute(sql, &[id.into()]).await?;
                let sql = "DELETE FROM crm_deliveries WHERE webhook = $1";
                tx.execute(sql, &[id.into()]).await?;
            }
        }
        Ok(())
    }
}

/// The most bytes of a record, or of its earlier values, that are read for a delivery.
macro_rules! most_shown {
    () => {
        "20480"
    };
}

/// The columns of [`ChangeRow`].
macro_rules! change_columns {
    () => {
        concat!(
            "SELECT seq, record_id, at, author, on_behalf_of, request_id, first, operation, type, version, \
             CASE WHEN octet_length(record) <= ",
            most_shown!(),
            " THEN record END, CASE WHEN octet_length(previous) <= ",
            most_shown!(),
            " THEN previous END, CAST(CASE WHEN previous IS NULL THEN 0 ELSE 1 END AS bigint) FROM crm_changes "
        )
    };
}

/// The changes after one and up to another one, in order. The last parameter is how many.
pub(crate) const CHANGES: &str = concat!(
    change_columns!(),
    "WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3"
);

/// One change.
pub(crate) const CHANGE: &str = concat!(change_columns!(), "WHERE seq = $1");

/// A change as it is sent. A large record is left out.
#[derive(Clone, Debug)]
pub(crate) struct ChangeRow {
    pub(crate) seq: i64,
    pub(crate) record_id: i64,
    pub(crate) at: String,
    pub(crate) author: String,
    pub(crate) on_behalf_of: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) first: Option<i64>,
    pub(crate) operation: String,
    pub(crate) kind: String,
    pub(crate) version: i64,
    pub(crate) record: Option<String>,
    pub(crate) previous: Option<String>,
    /// Whether there are earlier values that were left out.
    pub(crate) is_previous_large: bool,
}

impl ChangeRow {
    /// Reads a row of [`CHANGES`] or [`CHANGE`].
    pub(crate) fn from_row(row: &[Value]) -> Option<ChangeRow> {
        let text = |at: usize| Some(row.get(at)?.text()?.to_string());
        let int = |at: usize| row.get(at)?.int();
        Some(ChangeRow {
            seq: int(0)?,
            record_id: int(1)?,
            at: text(2)?,
            author: text(3)?,
            on_behalf_of: text(4),
            request_id: text(5),
            first: int(6),
            operation: text(7)?,
            kind: text(8)?,
            version: int(9)?,
            record: text(10),
            is_previous_large: text(11).is_none() && int(12) == Some(1),
            previous: text(11),
        })
    }
}
