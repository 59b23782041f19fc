//! `POST /changes/undo`, `crm undo`: takes back a group of changes.

use serde_json::{Value as Json, json};

use crate::base::error::{Code, Error, Problems, Result, quoted};
use crate::model::noun::Noun;
use crate::model::terms::Terms;
use crate::model::undone::{Fate, Undone};
use crate::operation::about::{
    About, Answer, Body, BodyField, CommandExamples, CommandPart, Describe, Needs, Of, Parameter,
    Takes, WRITE, Words,
};
use crate::operation::asked::{Asked, Operation, Told};
use crate::operation::describe::{Described, answer, failure, media};
use crate::operation::fields::TIME_STORED;
use crate::store::contract::{HttpRequest, Kept, Write, WriteExtent};
use crate::store::sql::ledger::Ledger;
use crate::store::sql::undo::{PORTION, Wanted, take_back};
use crate::store::transaction::Transaction;

/// Takes back a group of changes. Either all of its records are as they were before it, or nothing is changed.
#[derive(Clone, Debug)]
pub struct Undo {
    /// A change of the group. `None` stands for the last group of who asks.
    change: Option<i64>,
    /// Whether to say only what would be done.
    dry_run: bool,
}

impl Undo {
    /// Takes back the group of this change. Without one, it takes back the newest group of who asks.
    pub fn new(change: Option<i64>, dry_run: bool) -> Undo {
        Undo { change, dry_run }
    }
}

/// The word in the kept result.
const UNDONE: &str = "undone";

impl Operation for Undo {
    const ABOUT: &'static About = &About {
        of: Of::Changes,
        methods: &[("POST", "undoChanges")],
        path: "/changes/undo",
        access: WRITE,
        conditional: false,
        parameters: &[Parameter {
            name: "dry_run",
            about: "Whether to answer only what would be done. Nothing is changed, and `change` is null.",
            help: "Only show what would be taken back",
            takes: Takes::Switch,
            applies: |_| true,
        }],
        body: Body::Object(&[
            BodyField {
                name: "change",
                help: "The number of a change",
                takes: Takes::Text("CHANGE"),
                required: false,
                positional: true,
            },
            BodyField {
                name: "last",
                help: "The last group of your own",
                takes: Takes::Switch,
                required: false,
                positional: false,
            },
        ]),
        answer: Answer::Other,
        needs: Needs::Database,
        summary: "Take back a group of changes",
        describe: Describe::Plain(describe),
        words: Some(Words {
            verb: "undo",
            about: "Take back your last changes, or those of a group",
            long: "Take back the newest group of changes that you made and that is not taken back yet, or the group of CHANGE, \
                   whoever made it. All changes of one request or command are a group. It shows what will be taken back, and \
                   asks. All of the group is taken back, or nothing: if a record has changed since, that is an error. The undo \
                   is a group of its own, and can be taken back by its number.",
            takes: &[
                CommandPart::Change,
                CommandPart::Yes,
                CommandPart::Parameters,
            ],
            confirm: None,
            examples: CommandExamples::These(&[
                "crm undo --dry-run",
                "crm undo --yes",
                "crm undo 2 --dry-run -o json",
            ]),
        }),
    };

    fn ask(asked: &Asked<'_>) -> Result<Undo> {
        Ok(Undo::new(None, asked.switch("dry_run")?))
    }

    fn body(&mut self, body: &[u8]) -> Result<()> {
        self.change = parse(body)?;
        Ok(())
    }

    fn told(_noun: Option<&'static Noun>, done: Undone) -> Told {
        Told::Undone(done)
    }
}

/// Reads the body of a request: the number of a change, or `None` for the last group.
fn parse(body: &[u8]) -> Result<Option<i64>> {
    let body = match serde_json::from_slice(body) {
        Ok(Json::Object(body)) => body,
        _ => {
            return Err(Error::invalid(
                "body: expected a JSON object like {\"change\": 812} or {\"last\": true}",
            ));
        }
    };
    let mut problems = Problems::default();
    for key in body.keys() {
        if !["change", "last"].contains(&key.as_str()) {
            let key: String = key.chars().take(60).collect();
            problems.push(key, "no such field; expected change or last");
        }
    }
    let change = body.get("change").map(|given| {
        let number = given.as_i64().filter(|number| *number >= 1);
        if number.is_none() {
            let got = match given {
                Json::String(text) => quoted(text),
                other => quoted(&other.to_string()),
            };
            problems.push(
                "change",
                format!("expected the number of a change, a whole number of 1 or more, got {got}"),
            );
        }
        number.unwrap_or_default()
    });
    match body.get("last") {
        None | Some(Json::Bool(true)) => {}
        Some(_) => problems.push("last", "expected true"),
    }
    if !problems.is_empty() {
        return Err(Error::fields(problems));
    }
    match (change, body.contains_key("last")) {
        (Some(change), false) => Ok(Some(change)),
        (None, true) => Ok(None),
        (Some(_), true) => Err(Error::field(
            "last",
            "expected either change or last, got both",
        )),
        (None, false) => Err(Error::field(
            "change",
            "expected the number of a change, or else last: true",
        )),
    }
}

fn describe() -> Described {
    let fates = Fate::WORDS.map(|known| known.0);
    let record = json!({
        "type": "object",
        "required": ["type", "id", "done", "fields"],
        "properties": {
            "type": {"type": "string", "description": "What it is: `lead`, `action` or `process`."},
            "id": {"type": "integer"},
            "done": {"type": "string", "enum": fates, "description": "What happens to the record."},
            "fields": {"type": "array", "items": {"type": "string"}, "description": "The fields that are changed back."},
        },
    });
    let number = |about: &str| json!({"type": "integer", "description": about});
    let properties = json!({
        "undoes": number("The group that is taken back: the number of its first change."),
        "by": {"type": "string", "description": "Who made that group."},
        "at": {"type": "string", "pattern": TIME_STORED, "description": "When it was begun."},
        "operation": {"type": "string", "description": "The operation that made its first change."},
        "change": {"type": ["integer", "null"], "description": "The new group: the number of its first change. Take that back to undo the undo. Null in a dry run."},
        "changes": number("How many changes this request takes back."),
        "left": number("How many changes of the group are left. Repeat the request with the number of the group until it is 0."),
        "records": {"type": "array", "items": record},
    });
    let example = json!({
        "undoes": 812, "by": "ada", "at": "2026-02-07 09:30:00", "operation": "updateLead", "change": 815, "changes": 1,
        "left": 0, "records": [{"type": "lead", "id": 5, "done": "changed back", "fields": ["status"]}],
    });
    let schema = super::create_token::with_all(&properties);
    let body = json!({
        "type": "object",
        "properties": {
            "change": {"type": "integer", "minimum": 1, "description": "A change of the group."},
            "last": {"type": "boolean", "description": "`true`: the newest group of the token that asks that takes nothing back and is not taken back."},
        },
        "oneOf": [{"required": ["change"]}, {"required": ["last"]}],
        "additionalProperties": false,
    });
    let examples = json!({"change": {"value": {"change": 812}}, "last": {"value": {"last": true}}});
    let conflict = |message: &str| Error::new(Code::Conflict, message);
    let changed = "the group of change 812 cannot be taken back; nothing was changed: lead 5: was changed since, by bob (change 820)";
    let taken = "the group of change 812 is taken back already, by change 815";
    let missing = Error::new(Code::NotFound, "no change has the number 812");
    let removed = "change 812 is no longer kept, and a group can only be taken back as a whole; changes are kept from number \
                   2040 on; read the records themselves, and correct them by hand";
    let removed = Error::new(Code::Gone, removed);
    Described::new(format!(
        "All changes of the group are taken back, or none. A deleted record is restored with its id, a created one is \
         deleted, and the fields of a changed one get their earlier values. Each record gets a new version. A group may also \
         be that of another token. A group of more than {PORTION} changes is taken back in portions."
    ))
    .answers(
        200,
        answer(
            "What was done, or would be done.",
            media(schema, json!({"undone": {"value": example}})),
        ),
    )
    .answers(
        400,
        failure("The body or a parameter was refused; nothing was changed.", &[]),
    )
    .answers(
        404,
        failure("There is no such change.", &[("missing", missing)]),
    )
    .answers(
        409,
        failure(
            "The group is taken back already, or a record has changed since; nothing was changed.",
            &[("changed", conflict(changed)), ("taken", conflict(taken))],
        ),
    )
    .answers(
        410,
        failure(
            "The change, or the first changes of its group, are no longer kept; nothing was changed.",
            &[("removed", removed)],
        ),
    )
    .body(json!({"required": true, "content": media(body, examples)}))
}

impl Write for Undo {
    type Done = Undone;

    fn extent(&self) -> WriteExtent {
        WriteExtent::Several
    }

    fn is_long(&self) -> bool {
        true
    }

    async fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        terms: &Terms,
    ) -> Result<Undone> {
        if terms.author.group.is_some() {
            return Err(Error::invalid(
                "Change-Group: an undo is a group of its own; expected no such header",
            ));
        }
        let wanted = match self.change {
            Some(change) => Wanted::Of(change),
            None => Wanted::Last(&terms.author.by),
        };
        take_back(ledger, wanted, self.dry_run).await
    }

    fn keep(&self, done: &Undone) -> Kept {
        Kept {
            text: done.to_json().to_string(),
            ..Kept::word(UNDONE)
        }
    }

    fn kept(&self, kept: &Kept) -> Result<Option<Undone>> {
        let is_it = kept.word == UNDONE;
        Ok(is_it
            .then(|| Undone::from_json(kept.text.as_bytes()))
            .flatten())
    }

    fn request(&self) -> HttpRequest {
        let body = match self.change {
            Some(change) => json!({"change": change}),
            None => json!({"last": true}),
        };
        let dry_run = if self.dry_run { "?dry_run=true" } else { "" };
        let path = format!("{}{dry_run}", Self::ABOUT.path);
        HttpRequest::of(Self::ABOUT.methods[0].0, path).with(body.to_string())
    }

    fn word(_status: u16) -> &'static str {
        UNDONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_names_a_change_or_the_last_group() {
        assert_eq!(parse(br#"{"change": 812}"#), Ok(Some(812)));
        assert_eq!(parse(br#"{"last": true}"#), Ok(None));
        for (wrong, field) in [
            (r#"{}"#, "change"),
            (r#"{"change": 0}"#, "change"),
            (r#"{"change": "812"}"#, "change"),
            (r#"{"change": 1.5}"#, "change"),
            (r#"{"change": null}"#, "change"),
            (r#"{"last": false}"#, "last"),
            (r#"{"last": true, "change": 1}"#, "last"),
            (r#"{"last": true, "group": 1}"#, "group"),
        ] {
            let error = parse(wrong.as_bytes()).unwrap_err();
            assert_eq!(error.problems[0].field, field, "{wrong}");
        }
        for wrong in ["", "[]", "812", "null"] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
