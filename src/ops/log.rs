//! `POST /leads/{id}/log`, `crm log`: logs an action, and moves a follow-up of its lead in the same transaction.

mod values;

use serde_json::{Value as Json, json};

use crate::base::error::{Code, Error, Problem, Problems, Result};
use crate::base::time::{self, Zone};
use crate::model::action::ACTION;
use crate::model::draft::{Draft, Input, Purpose, ReadIn, entries};
use crate::model::lead::LEAD;
use crate::model::lease::{LeaseSecret, stale};
use crate::model::logged::{Followup, Logged};
use crate::model::noun::{Noun, parse_id};
use crate::model::process::PROCESS;
use crate::model::query;
use crate::model::record::Record;
use crate::model::rules;
use crate::model::terms::Terms;
use crate::operation::about::{
    About, Answer, Body, BodyField, CommandExamples, CommandPart, Describe, Needs, Of, Takes,
    WRITE, Words,
};
use crate::operation::asked::{Asked, Operation, Told};
use crate::operation::describe::{Described, answer, failure, media, reference};
use crate::operation::fields::{TIME_STORED, id_schema, record, taken};
use crate::store::contract::{HttpRequest, Kept, Write, WriteExtent};
use crate::store::sql::advance::{Wish, advance, choose, unnamed, within};
use crate::store::sql::leases::{forget, hold, process_of};
use crate::store::sql::ledger::Ledger;
use crate::store::transaction::Transaction;
use values::{OF_PROCESS, next, opened, wrong};

/// Logs an action, and moves a follow-up.
#[derive(Clone, Debug)]
pub struct Log {
    lead: i64,
    action: Draft,
    wish: Wish,
    /// The new status of the lead.
    status: Option<String>,
    /// The lease of the follow-up, which ends it.
    lease: Option<LeaseSecret>,
}

/// The word in the kept result.
pub const LOGGED: &str = "logged";

/// The fields of the body that are not those of the action.
const OWN: [&str; 6] = [
    "next",
    "process_id",
    "process",
    "done",
    "lead_status",
    "lease",
];

const fn field(name: &'static str, help: &'static str, takes: Takes) -> BodyField {
    BodyField {
        name,
        help,
        takes,
        required: false,
        positional: false,
    }
}

impl Operation for Log {
    const ABOUT: &'static About = &About {
        of: Of::Plain(&LEAD),
        methods: &[("POST", "logAction")],
        path: "/leads/{id}/log",
        access: WRITE,
        conditional: false,
        parameters: &[],
        body: Body::Object(&[
            field("next", "When the next follow-up is due", Takes::Time),
            field("process", "The process, by its id", Takes::Text("PROCESS")),
            field(
                "open",
                "The process that is opened if there is none",
                Takes::Text("NAME"),
            ),
            field("done", "End the process", Takes::Switch),
            field(
                "lead_status",
                "The new status of the lead",
                Takes::Text("STATUS"),
            ),
            field("lease", "The lease of the follow-up", Takes::Text("LEASE")),
        ]),
        answer: Answer::Other,
        needs: Needs::Database,
        summary: "Log an action and move the follow-up",
        describe: Describe::Plain(describe),
        words: Some(Words {
            verb: "log",
            about: "Log what was done with a lead, and move its follow-up",
            long: "Log what was done with a lead, and move its follow-up, in one step. The follow-up is that of the lead's open \
                   process; of several, the one whose channel is TYPE, or else the one that is due first. Its next date is \
                   that of --next, or else the time of the action plus the cadence of the process (7 days unless set \
                   otherwise). An action that is older than the last one of the process is logged and moves nothing.",
            takes: &[CommandPart::Log],
            confirm: None,
            examples: CommandExamples::These(&[
                "crm log 1 call 'Asked for a quote' --next +3d --lead-status contacted",
                "crm lead create --email grace@example.com -o id && crm log grace@example.com mail --open 'Spring'",
                "crm log 1 call 'Has signed' --done --lead-status won",
                "crm lead list --status won -o id | crm log - mail 'Newsletter' -o id",
            ]),
        }),
    };

    fn ask(asked: &Asked<'_>) -> Result<Log> {
        Ok(Log {
            lead: asked.id,
            action: Draft::new(&ACTION),
            wish: Wish {
                zone: asked.zone.clone(),
                ..Wish::default()
            },
            status: None,
            lease: None,
        })
    }

    fn body(&mut self, body: &[u8]) -> Result<()> {
        self.read(body)
    }

    fn told(_noun: Option<&'static Noun>, done: Logged) -> Told {
        Told::Logged(done)
    }
}

impl Log {
    /// Logs what a body says with a lead. Times without an offset are in the zone.
    pub fn new(lead: i64, body: &str, zone: Zone) -> Result<Log> {
        let mut log = Log {
            lead,
            action: Draft::new(&ACTION),
            wish: Wish {
                zone,
                ..Wish::default()
            },
            status: None,
            lease: None,
        };
        log.read(body.as_bytes())?;
        Ok(log)
    }

    /// Reads the body. The error names everything that is wrong with it.
    fn read(&mut self, body: &[u8]) -> Result<()> {
        let zone = self.wish.zone.clone();
        let times = ReadIn {
            zone: &zone,
            is_named: true,
        };
        let mut problems = Problems::default();
        for (key, raw) in entries(body)?.0 {
            let raw = raw.get();
            match &*key {
                // A field that may be left out may be null, except where null has a meaning.
                "process_id" | "process" | "done" | "lead_status" | "lease" if raw == "null" => {}
                "lead_id" if parse_id(raw) == Some(self.lead) => {}
                "next" => match next(raw, &zone) {
                    Ok(next) => self.wish.next = Some(next),
                    Err(expected) => problems.push("next", expected),
                },
                "process_id" => match parse_id(raw) {
                    Some(id) => self.wish.process = Some(id),
                    None => problems.push(
                        "process_id",
                        wrong(
                            "expected the id of a process, a whole number of 1 or more",
                            raw,
                        ),
                    ),
                },
                "process" => match opened(raw) {
                    Ok(draft) => self.wish.opens = Some(draft),
                    Err(error) => problems.extend(within("process", error)),
                },
                "done" => match raw {
                    "true" | "false" => self.wish.done = raw == "true",
                    _ => problems.push("done", wrong("expected true or false", raw)),
                },
                "lead_status" => match serde_json::from_str::<String>(raw) {
                    Ok(text) if text.trim().is_empty() => {
                        problems.push("lead_status", "must not be empty");
                    }
                    Ok(text) if text.contains('\0') => {
                        problems.push("lead_status", "must not contain a NUL character");
                    }
                    Ok(text) => self.status = Some(text),
                    Err(_) => problems.push("lead_status", wrong("expected text", raw)),
                },
                "lease" => match serde_json::from_str::<String>(raw) {
                    Ok(text) => match LeaseSecret::read(&text) {
                        Ok(lease) => self.lease = Some(lease),
                        Err(expected) => problems.push("lease", expected),
                    },
                    Err(_) => problems.push("lease", "expected text"),
                },
                "lead_id" => {
                    let expected =
                        format!("expected {}, the lead in the path, or nothing", self.lead);
                    problems.push("lead_id", wrong(&expected, raw));
                }
                key if is_given(key) => self.action.read(key, raw, Purpose::Create, times),
                key => problems.push_with(|| unknown(key)),
            }
        }
        self.contradictions(&mut problems);
        if let Err(found) = self.action.row() {
            problems.extend(Error::fields(found).problems);
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Error::fields(problems)),
        }
    }

    fn contradictions(&self, problems: &mut Problems) {
        let Wish {
            next,
            process,
            opens,
            done,
            ..
        } = &self.wish;
        if *done && matches!(next, Some(Some(_))) {
            problems.push(
                "next",
                "expected either next or done, got both; a process that has ended has no next follow-up",
            );
        }
        if *done && opens.is_some() {
            problems.push(
                "process",
                "expected either process or done, got both; a process that is opened has not ended",
            );
        }
        if self.lease.is_some() && opens.is_some() {
            problems.push(
                "process",
                "expected either process or lease, got both; a follow-up that was claimed has its process",
            );
        }
        if process.is_some() && opens.is_some() {
            problems.push(
                "process",
                "expected either process_id or process, got both; process opens one where there is none",
            );
        }
    }

    /// With a lease, the process is that of the lease.
    async fn name_leased<T: Transaction>(&mut self, tx: &mut T) -> Result<()> {
        let Some(lease) = &self.lease else {
            return Ok(());
        };
        let Some(id) = process_of(tx, lease).await? else {
            return Err(stale(
                "is none of any follow-up, or was released or has ended; claim the follow-up again",
            ));
        };
        match self.wish.process {
            Some(named) if named != id => Err(Error::field(
                "process_id",
                format!("expected {id}, whose lease is given, or nothing, got {named}"),
            )),
            _ => {
                self.wish.process = Some(id);
                Ok(())
            }
        }
    }

    /// The error for a process that the lease has named. A finished one has ended its lease.
    fn of_lease(&self, error: Error) -> Error {
        match (&self.lease, error.code, error.problems.first()) {
            (Some(_), Code::Conflict, _) => {
                stale("has ended, because the follow-up was finished meanwhile; nothing was logged")
            }
            (Some(_), Code::Invalid, Some(problem)) => {
                Error::field("lease", problem.expected.clone())
            }
            _ => error,
        }
    }

    /// The draft of the lead's change.
    fn status(&self) -> Draft {
        let mut draft = Draft::new(&LEAD);
        if let Some(status) = &self.status {
            draft.give("status", Input::Text(status.clone()));
        }
        draft
    }
}

/// Whether a request may give this field of the action.
fn is_given(key: &str) -> bool {
    key != "id" && ACTION.writable().contains(&key)
}

fn unknown(key: &str) -> Problem {
    let mut known = ACTION.writable();
    known.retain(|name| *name != "lead_id");
    known.extend(OWN);
    let key: String = key.chars().take(60).collect();
    let expected = format!("no such field; expected {}", known.join(", "));
    Problem::new(key, expected)
}

/// A schema of a field that may be null, which is the same as to leave it out.
fn or_null(mut schema: Json) -> Json {
    schema["type"] = json!([schema["type"], "null"]);
    schema
}

fn describe() -> Described {
    let of = |noun: &'static Noun, name: &str| {
        let at = noun.position(name).unwrap_or_default();
        taken(&noun.fields[at], Purpose::Create)
    };
    let mut properties = json!({});
    for field in ACTION
        .fields
        .iter()
        .filter(|field| is_given(field.name) && field.name != "lead_id")
    {
        for name in [Some(field.name), field.old_name].into_iter().flatten() {
            properties[name] = taken(field, Purpose::Create);
        }
    }
    let mut next = of(&PROCESS, "next_followup_datetime");
    next["description"] = "When the next follow-up is due; null for no date. The time of the action plus the cadence of the process unless given.".into();
    properties["next"] = next;
    let mut number = or_null(id_schema());
    number["description"] = "The process that the action belongs to: an open one of this lead. Otherwise it is the lead's open one; of several, the one whose channel is the type of the action, or else the one that is due first.".into();
    properties["process_id"] = number;
    let mut members = json!({});
    for name in OF_PROCESS {
        members[name] = of(&PROCESS, name);
    }
    properties["process"] = json!({
        "type": ["object", "null"],
        "description": "Opens this process if the lead has no open one.",
        "properties": members,
        "required": ["name"],
        "additionalProperties": false,
    });
    properties["done"] = json!({
        "type": ["boolean", "null"],
        "description": "Whether the process has ended: its status becomes `completed`, and it has no next follow-up.",
    });
    let mut status = or_null(of(&LEAD, "status"));
    status["description"] = "The new status of the lead. Not blank.".into();
    properties["lead_status"] = status;
    properties["lease"] = json!({
        "type": ["string", "null"],
        "description": "The lease that a claim gave: the action belongs to its process, and the lease ends. A lease that does not count any more is refused, and nothing is logged.",
    });
    let body = json!({
        "type": "object",
        "properties": properties,
        "required": ["action_type"],
        "additionalProperties": false,
    });
    let examples = json!({
        "call": {"value": {"action_type": "call", "details": "Asked for a quote", "next": "2026-02-07 09:00:00", "lead_status": "contacted"}},
        "opens": {"summary": "Opens a process if there is none", "value": {"action_type": "mail", "process": {"name": "Spring campaign"}}},
        "done": {"summary": "Ends the process", "value": {"action_type": "call", "done": true}},
    });
    let time = json!({"type": ["string", "null"], "pattern": TIME_STORED});
    let words = Followup::WORDS.map(|known| known.0);
    let schema = json!({
        "type": "object",
        "required": ["action", "process", "lead", "followup", "moved"],
        "properties": {
            "action": reference("schemas", ACTION.title),
            "process": {"anyOf": [reference("schemas", PROCESS.title), {"type": "null"}], "description": "The process that the action belongs to, after it. Null if the lead has no open one."},
            "lead": reference("schemas", LEAD.title),
            "followup": {"type": "string", "enum": words, "description": "What happened to the process: `moved`, `opened`, `ended`; `older` if it stays as it was, because the action is older than its last one; `none` if there is none."},
            "moved": {
                "anyOf": [
                    {
                        "type": "object",
                        "required": ["from", "to"],
                        "properties": {"from": time, "to": time},
                    },
                    {"type": "null"},
                ],
                "description": "The next follow-up of the process before and after. Null if the process stays as it was.",
            },
        },
    });
    let example = json!({
        "action": record(&ACTION), "process": record(&PROCESS), "lead": record(&LEAD), "followup": "moved",
        "moved": {"from": "2026-01-31 09:00:00", "to": "2026-02-07 09:00:00"},
    });
    let mut logged = answer(
        "The action is logged: all that has happened.",
        media(schema, json!({"logged": {"value": example}})),
    );
    logged["headers"]["Location"] = json!({
        "description": "The URL of the action, relative to that of the request.",
        "required": true,
        "schema": {"type": "string"},
        "example": "../../actions/12",
    });
    let other = Error::field(
        "process_id",
        "expected a process of lead 1, got 4, which is one of lead 2",
    );
    let mut finished = Error::field(
        "process_id",
        "process 4 is finished (its status is done); expected an open one",
    );
    finished.code = Code::Conflict;
    Described::new(
        "Creates an action with the lead and moves the lead's follow-up, both or neither. The process gets the action as its \
         last one, its type as the channel, and the next date. An action that is older than the last one of the process is \
         logged and moves nothing. All changes are one group, so one undo takes them back. The days of a cadence keep the \
         time of day in the zone of `tz`.",
    )
    .answers(201, logged)
    .answers(
        400,
        failure(
            "The body, a field, the id or a parameter was refused; nothing was changed. The error names every refused field.",
            &[("other", other)],
        ),
    )
    .answers(
        409,
        failure(
            "The process is finished, the lease does not count any more, or there is no process that `next` or `done` could be about; nothing was changed.",
            &[
                ("finished", finished),
                ("lease", stale("has ended at 2026-02-07 09:10:00 (UTC); claim follow-up 1 again")),
            ],
        ),
    )
    .body(json!({
        "required": true,
        "description": "At most 1 MiB and 127 levels, unless the service has lower limits.",
        "content": media(body, examples),
    }))
}

impl Write for Log {
    type Done = Logged;

    fn of(&self) -> Option<(&'static Noun, i64)> {
        Some((&LEAD, self.lead))
    }

    fn size(&self) -> usize {
        2 * self.action.size()
    }

    fn extent(&self) -> WriteExtent {
        WriteExtent::Several
    }

    async fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        _terms: &Terms,
    ) -> Result<Logged> {
        let mut lead = ledger.read(&LEAD, self.lead).await?;
        if rules::get().auto_process && self.wish.opens.is_none() && !self.wish.done {
            self.wish.opens = Some(unnamed());
        }
        self.name_leased(ledger.tx).await?;
        let channel = self.action.text("action_type").unwrap_or_default();
        let process = choose(ledger, self.lead, channel, &self.wish).await;
        let process = process.map_err(|error| self.of_lease(error))?;
        if let (Some(lease), Some(process)) = (&self.lease, &process) {
            hold(ledger.tx, process, lease).await?;
            forget(ledger.tx, process.id()).await?;
        }
        let row = self.action.row().map_err(Error::fields)?;
        let mut action = Record::new(&ACTION, i64::MAX, row, &time::now());
        if let Some(at) = ACTION.position("lead_id") {
            action.values[at] = self.lead.into();
        }
        action.fits()?;
        ledger.insert(&self.action, &mut action).await?;
        if let Some(at) = LEAD.derived()
            && lead.values[at].text() < action.get("timestamp").text()
        {
            // The action has raised it.
            lead.values[at] = action.get("timestamp").clone();
        }
        let (process, followup, moved) = advance(ledger, &action, process, &self.wish).await?;
        let draft = self.status();
        let changes = draft.changes(&lead).map_err(Error::fields)?;
        let lead = match changes.is_empty() {
            true => lead,
            false => ledger.change(&draft, lead, changes).await?,
        };
        Ok(Logged {
            action,
            process,
            lead,
            followup,
            moved,
        })
    }

    fn keep(&self, done: &Logged) -> Kept {
        Kept {
            text: String::from_utf8_lossy(&done.to_json()).into_owned(),
            ..Kept::word(LOGGED)
        }
    }

    fn kept(&self, kept: &Kept) -> Result<Option<Logged>> {
        let is_it = kept.word == LOGGED;
        Ok(is_it
            .then(|| Logged::from_json(kept.text.as_bytes()))
            .flatten())
    }

    fn request(&self) -> HttpRequest {
        let mut action = self.action.clone();
        action.pin_times();
        let mut body = action.to_json();
        let mut add = |name: &str, json: String| {
            body.pop();
            let comma = if body.len() > 1 { "," } else { "" };
            body.push_str(&format!("{comma}\"{name}\":{json}}}"));
        };
        let wish = &self.wish;
        match &wish.next {
            Some(Some(next)) => add("next", format!("\"{next}Z\"")),
            Some(None) => add("next", "null".into()),
            None => {}
        }
        if let Some(id) = wish.process {
            add("process_id", id.to_string());
        }
        if let Some(draft) = &wish.opens {
            add("process", draft.to_json());
        }
        if wish.done {
            add("done", "true".into());
        }
        if let Some(lease) = &self.lease {
            add("lease", format!("\"{}\"", lease.text()));
        }
        if let Some(status) = &self.status {
            add("lead_status", Json::from(status.as_str()).to_string());
        }
        let mut path = Self::ABOUT.at(Some(&LEAD), &self.lead.to_string());
        // The server counts the days of a cadence in the zone of this machine.
        path.push_str(&format!("?tz={}", query::escape(&wish.zone.known_name())));
        HttpRequest::of(Self::ABOUT.methods[0].0, path).with(body)
    }

    fn word(_status: u16) -> &'static str {
        LOGGED
    }
}
