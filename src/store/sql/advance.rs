//! Moves a follow-up with a new action: which process it belongs to, and what becomes of that process.
//!
//! The lead is locked before the process, as a delete does it, so that two who log at the same time wait for one another and
//! never for each other.

use super::ledger::Ledger;
use super::open::is_open;
use crate::base::error::{Code, Error, Problem, Result};
use crate::base::time::{self, Zone};
use crate::model::draft::{Draft, Input};
use crate::model::kind::Kind;
use crate::model::logged::{Followup, Moved};
use crate::model::process::PROCESS;
use crate::model::record::Record;
use crate::model::rules;
use crate::model::value::Value;
use crate::store::transaction::Transaction;

/// What is wished for the follow-up of a lead.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The next follow-up. The inner `None` stands for no date, the outer for that of the cadence.
    pub next: Option<Option<String>>,
    /// The process, by its id.
    pub process: Option<i64>,
    /// The process that is opened if there is none.
    pub opens: Option<Draft>,
    /// Whether the process is ended.
    pub done: bool,
    /// The zone in which the days of a cadence are counted.
    pub zone: Zone,
}

/// The name of a process that is opened without a wish.
const NAME: &str = "Follow-up";

/// A process with this name.
pub(crate) fn unnamed() -> Draft {
    let mut draft = Draft::new(&PROCESS);
    draft.give("name", Input::Text(NAME.into()));
    draft
}

/// The open process of a lead that an action of this type belongs to, locked: of several, the one whose channel is that
/// type, or else the one that is due first. Without a type, the one that is due first.
pub(crate) async fn open_process<T: Transaction>(
    ledger: &mut Ledger<'_, T>,
    lead: i64,
    channel: &str,
) -> Result<Option<Record>> {
    let open = is_open("processes.status");
    let sql = format!(
        "SELECT processes.id FROM processes WHERE processes.lead_id = $1 AND {open} \
         ORDER BY CASE WHEN processes.channel = $2 THEN 0 ELSE 1 END, \
         CASE WHEN processes.next_followup_datetime IS NULL THEN 1 ELSE 0 END, \
         processes.next_followup_datetime, processes.id LIMIT 1"
    );
    loop {
        let rows = ledger
            .tx
            .query(&sql, &[lead.into(), channel.into()])
            .await?;
        let Some(id) = rows.first().and_then(|row| row.first()?.int()) else {
            return Ok(None);
        };
        match ledger.read(&PROCESS, id).await {
            Ok(process) if is_of(&process, lead) && is_still_open(&process) => {
                return Ok(Some(process));
            }
            // Another request has changed it in between.
            Ok(_) => {}
            Err(error) if error.code == Code::NotFound => {}
            Err(error) => return Err(error),
        }
    }
}

fn is_of(process: &Record, lead: i64) -> bool {
    process.get("lead_id").int() == Some(lead)
}

/// Whether a process is open.
pub(crate) fn is_still_open(process: &Record) -> bool {
    let status = process.get("status").text();
    rules::get().is_open(status.unwrap_or_default())
}

/// The process that an action of this type with a lead moves, if there is one. Fails if the wish cannot be met.
pub(crate) async fn choose<T: Transaction>(
    ledger: &mut Ledger<'_, T>,
    lead: i64,
    channel: &str,
    wish: &Wish,
) -> Result<Option<Record>> {
    let Some(id) = wish.process else {
        let found = open_process(ledger, lead, channel).await?;
        if found.is_none() && wish.opens.is_none() {
            nothing_to_move(lead, wish)?;
        }
        return Ok(found);
    };
    let refuse = |expected: String| Err(Error::field("process_id", expected));
    let process = match ledger.read(&PROCESS, id).await {
        Ok(process) => process,
        Err(error) if error.code == Code::NotFound => {
            return refuse(format!("no process has the id {id}"));
        }
        Err(error) => return Err(error),
    };
    match process.get("lead_id").int() {
        Some(of) if of == lead => {}
        Some(of) => {
            return refuse(format!(
                "expected a process of lead {lead}, got {id}, which is one of lead {of}"
            ));
        }
        None => {
            return refuse(format!(
                "expected a process of lead {lead}, got {id}, which has no lead"
            ));
        }
    }
    if !is_still_open(&process) {
        let status = process.get("status").text().unwrap_or_default();
        let mut error = Error::field(
            "process_id",
            format!("process {id} is finished (its status is {status}); expected an open one"),
        );
        error.code = Code::Conflict;
        return Err(error);
    }
    Ok(Some(process))
}

/// Refuses a wish that nothing could meet, so that it is not dropped in silence.
fn nothing_to_move(lead: i64, wish: &Wish) -> Result<()> {
    let field = match wish {
        Wish { done: true, .. } => "done",
        Wish {
            next: Some(Some(_)),
            ..
        } => "next",
        _ => return Ok(()),
    };
    let mut error = Error::field(
        field,
        format!(
            "lead {lead} has no open process, and without one there is nothing to follow up; expected process with a name, \
             which opens one, or no {field}"
        ),
    );
    error.code = Code::Conflict;
    Err(error)
}

/// Moves the process that was [chosen](choose) for a new action, or opens one.
pub(crate) async fn advance<T: Transaction>(
    ledger: &mut Ledger<'_, T>,
    action: &Record,
    process: Option<Record>,
    wish: &Wish,
) -> Result<(Option<Record>, Followup, Option<Moved>)> {
    let Some(process) = process else {
        return match &wish.opens {
            Some(draft) => open(ledger, action, draft, wish).await,
            None => Ok((None, Followup::None, None)),
        };
    };
    if is_older(ledger.tx, action, &process).await? {
        return Ok((Some(process), Followup::Older, None));
    }
    let next = next(action, process.get("cadence_days"), wish)?;
    let from = process.get("next_followup_datetime").text();
    let moved = Moved {
        from: from.map(str::to_string),
        to: next.text().map(str::to_string),
    };
    let mut wanted = vec![
        ("channel", action.get("action_type").clone()),
        ("last_action_id", action.id().into()),
        ("next_followup_datetime", next),
    ];
    if wish.done {
        wanted.push(("status", rules::get().ended().into()));
    }
    let wanted = wanted.into_iter().filter_map(|(name, value)| {
        let at = PROCESS.position(name)?;
        (process.values[at] != value).then_some((at, value))
    });
    let wanted = wanted.collect();
    let process = ledger
        .change(&Draft::new(&PROCESS), process, wanted)
        .await?;
    let did = match wish.done {
        true => Followup::Ended,
        false => Followup::Moved,
    };
    Ok((Some(process), did, Some(moved)))
}

/// Whether an action is older than the last one of a process. A last one whose time is still to come, such as a meeting that was
/// entered beforehand, does not stop those that happen until then.
async fn is_older<T: Transaction>(tx: &mut T, action: &Record, process: &Record) -> Result<bool> {
    let Some(last) = process.get("last_action_id").int() else {
        return Ok(false);
    };
    let sql = "SELECT timestamp FROM actions WHERE id = $1";
    let rows = tx.query(sql, &[last.into()]).await?;
    let Some(last) = rows.first().and_then(|row| row.first()?.text()) else {
        return Ok(false);
    };
    Ok(action.get("timestamp").text() < Some(last.min(time::now().as_str())))
}

/// The next follow-up after an action of a process with this cadence.
fn next(action: &Record, cadence: &Value, wish: &Wish) -> Result<Value> {
    match &wish.next {
        Some(Some(next)) => return Ok(next.as_str().into()),
        Some(None) => return Ok(Value::Null),
        None if wish.done => return Ok(Value::Null),
        None => {}
    }
    let kind = PROCESS.position("cadence_days");
    let kind = kind.map_or(Kind::Id, |at| PROCESS.fields[at].kind);
    // Another program may have stored any number.
    let cadence = cadence.int().filter(|days| kind.allows(*days));
    let days = cadence.unwrap_or(rules::get().cadence);
    let at = action.get("timestamp").text().unwrap_or_default();
    match time::days_after(at, days, &wish.zone) {
        Some(next) => Ok(next.as_str().into()),
        None => Err(Error::field(
            "timestamp",
            format!("expected a time that has a follow-up {days} days later, got {at}"),
        )),
    }
}

/// Opens a process with a new action.
async fn open<T: Transaction>(
    ledger: &mut Ledger<'_, T>,
    action: &Record,
    draft: &Draft,
    wish: &Wish,
) -> Result<(Option<Record>, Followup, Option<Moved>)> {
    let row = draft.row().map_err(Error::fields)?;
    let mut process = Record::new(&PROCESS, i64::MAX, row, &time::now());
    let next = next(action, process.get("cadence_days"), wish)?;
    let moved = Moved {
        from: None,
        to: next.text().map(str::to_string),
    };
    for (name, value) in [
        ("lead_id", action.get("lead_id").clone()),
        ("channel", action.get("action_type").clone()),
        ("last_action_id", action.id().into()),
        ("next_followup_datetime", next),
    ] {
        if let Some(at) = PROCESS.position(name) {
            process.values[at] = value;
        }
    }
    process.fits()?;
    ledger.insert(draft, &mut process).await?;
    Ok((Some(process), Followup::Opened, Some(moved)))
}

/// The problems of a value, each under the name of the field that the value was given in.
pub(crate) fn within(field: &str, error: Error) -> Vec<Problem> {
    match error.problems.is_empty() {
        true => vec![Problem::new(field, error.message)],
        false => {
            let problems = error.problems.into_iter();
            problems
                .map(|one| Problem::new(format!("{field}.{}", one.field), one.expected))
                .collect()
        }
    }
}
