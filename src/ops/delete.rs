//! `DELETE /{plural}/{id}`, `crm NOUN delete`: deletes a record. With `erase=true`, everything that is known of it.

use crate::base::error::{Code, Error, Result};
use crate::model::field::Field;
use crate::model::kind::OnDelete;
use crate::model::noun::Noun;
use crate::model::nouns::{NOUNS, owned};
use crate::model::terms::Terms;
use crate::model::token::Scope;
use crate::operation::about::{
    About, Answer, Body, CommandExamples, CommandPart, Describe, Needs, Of, Parameter, Takes,
    WRITE, Words,
};
use crate::operation::asked::{Asked, Operation, Told};
use crate::operation::describe::{Described, failure, message};
use crate::store::contract::{HttpRequest, Kept, Traces, Write, WriteExtent};
use crate::store::sql::erase::erase;
use crate::store::sql::ledger::Ledger;
use crate::store::transaction::Transaction;

/// The end of the sentence for an erased record, and the word of its kept result.
const ERASED: &str = "erased";

/// Deletes a record. If other records refer to it, that is a conflict, unless `cascade` deletes them too.
#[derive(Clone, Debug)]
pub struct Delete {
    noun: &'static Noun,
    id: i64,
    cascade: bool,
    erase: bool,
}

/// The result of a delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The record is deleted.
    Deleted,
    /// The record is erased. The text is the sentence that says so, with what is left elsewhere.
    Erased(String),
}

impl Delete {
    /// Deletes this record.
    pub fn new(noun: &'static Noun, id: i64, cascade: bool) -> Delete {
        Delete {
            noun,
            id,
            cascade,
            erase: false,
        }
    }

    /// Deletes this record and those that belong to it, and erases their contents wherever the database keeps them.
    pub fn erasing(noun: &'static Noun, id: i64) -> Delete {
        Delete {
            erase: true,
            ..Delete::new(noun, id, true)
        }
    }
}

impl Operation for Delete {
    const ABOUT: &'static About = &About {
        of: Of::Records,
        methods: &[("DELETE", "delete{title}")],
        path: "/{plural}/{id}",
        access: WRITE,
        conditional: true,
        parameters: &[
            Parameter {
                name: "cascade",
                about: "Whether to delete the records that refer to it too, in one transaction. Without it, a record that others refer to is not deleted: 409.",
                help: "Also delete the {owned} of the {name}",
                takes: Takes::Switch,
                applies: |noun| owned(noun).is_some(),
            },
            Parameter {
                name: "erase",
                about: "Whether to erase everything that is known of the {name}: it is deleted with all {owned}, and their contents are removed from the changes and from kept answers, also if it is deleted already. It cannot be taken back.",
                help: "",
                takes: Takes::SwitchFor(Scope::Admin),
                applies: |noun| noun.email().is_some(),
            },
        ],
        body: Body::None,
        answer: Answer::Message,
        needs: Needs::Database,
        summary: "Delete {a} {name}",
        describe: Describe::Noun(describe),
        words: Some(Words {
            verb: "delete",
            about: "Delete {plural}",
            long: "",
            takes: &[
                CommandPart::Ids,
                CommandPart::Yes,
                CommandPart::IfMatch,
                CommandPart::Parameters,
            ],
            confirm: Some(|noun, parameters| match (owned(noun), parameters) {
                (Some(owned), [_, ..]) => format!(" with all {owned}"),
                _ => String::new(),
            }),
            examples: CommandExamples::Noun(|noun| noun.examples.delete),
        }),
    };

    fn ask(asked: &Asked<'_>) -> Result<Delete> {
        let (cascade, erase) = (asked.switch("cascade")?, asked.switch("erase")?);
        Ok(match erase {
            true => Delete::erasing(asked.noun()?, asked.id),
            false => Delete::new(asked.noun()?, asked.id, cascade),
        })
    }

    fn told(noun: Option<&'static Noun>, done: Deleted) -> Told {
        let title = noun.map_or("Record", |noun| noun.title);
        Told::Message(match done {
            Deleted::Deleted => format!("{title} deleted"),
            Deleted::Erased(told) if told.starts_with(title) => told,
            Deleted::Erased(told) => format!("{title} {told}"),
        })
    }
}

fn describe(noun: &'static Noun) -> Described {
    let deleted = message(
        "The record is deleted. Its id is never reused.",
        "deleted",
        &format!("{} deleted", noun.title),
    );
    let mut described = Described::default().answers(200, deleted);
    if noun.email().is_some() {
        described.answers["200"]["content"]["application/json"]["examples"]["erased"] = serde_json::json!({"value": {"message": format!("{} erased; no trace is left in the database and its log", noun.title)}});
    }
    if let Some(owned) = owned(noun) {
        let owned = owned.replace(" and ", " or ");
        described.description = format!(
            "{} {} that has {owned} is only deleted with `cascade=true`.",
            noun.article().to_uppercase(),
            noun.name
        );
        let example = format!(
            "{} 1 has 2 actions and 1 process; delete them first, or all together (?cascade=true)",
            noun.title
        );
        let conflict = failure(
            &format!("The {} has {owned}; nothing was deleted.", noun.name),
            &[("in_use", Error::new(Code::Conflict, example))],
        );
        described = described.answers(409, conflict);
    }
    for (referrer, field) in referrers(noun, OnDelete::SetNull) {
        described.description.push_str(&format!(
            "If a {} has its id in `{}`, that becomes null.",
            referrer.name, field.name
        ));
    }
    described
}

fn referrers(
    noun: &'static Noun,
    wanted: OnDelete,
) -> impl Iterator<Item = (&'static Noun, &'static Field)> {
    let all = noun.referrers(&NOUNS);
    all.filter(move |one| one.2 == wanted)
        .map(|one| (one.0, one.1))
}

impl Write for Delete {
    type Done = Deleted;

    fn of(&self) -> Option<(&'static Noun, i64)> {
        Some((self.noun, self.id))
    }

    fn erases(&self) -> bool {
        self.erase
    }

    fn cleaned(done: &mut Deleted, traces: Traces) {
        if let Deleted::Erased(told) = done {
            *told = match traces {
                Traces::Gone(others) => {
                    format!("{ERASED}; no trace is left in the database and its log{others}")
                }
                Traces::Left(why) => {
                    format!("{ERASED}; the files of the database still have traces of it: {why}")
                }
                Traces::Vacuumed(how) => format!("{ERASED}; {how}"),
            };
        }
    }

    fn extent(&self) -> WriteExtent {
        WriteExtent::Several
    }

    async fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        terms: &Terms,
    ) -> Result<Deleted> {
        if self.erase {
            erase(ledger, self.noun, self.id, terms).await?;
            return Ok(Deleted::Erased(ERASED.into()));
        }
        ledger
            .delete(self.noun, self.id, self.cascade, terms)
            .await?;
        Ok(Deleted::Deleted)
    }

    fn keep(&self, done: &Deleted) -> Kept {
        Kept::word(match done {
            Deleted::Deleted => "deleted",
            Deleted::Erased(_) => ERASED,
        })
    }

    fn kept(&self, kept: &Kept) -> Result<Option<Deleted>> {
        if kept.word == ERASED {
            return Ok(Some(Deleted::Erased(ERASED.into())));
        }
        if kept.word != "deleted" {
            return Ok(None);
        }
        // The sentence of a server says what is left of an erased record.
        let told: serde_json::Value = serde_json::from_str(&kept.text).unwrap_or_default();
        Ok(Some(match (self.erase, told["message"].as_str()) {
            (true, told) => Deleted::Erased(told.unwrap_or(ERASED).into()),
            (false, _) => Deleted::Deleted,
        }))
    }

    fn request(&self) -> HttpRequest {
        let path = Self::ABOUT.at(Some(self.noun), &self.id.to_string());
        let parameter = match (self.erase, self.cascade) {
            (true, _) => "?erase=true",
            (false, true) => "?cascade=true",
            (false, false) => "",
        };
        HttpRequest::of(Self::ABOUT.methods[0].0, path + parameter)
    }

    fn word(_status: u16) -> &'static str {
        "deleted"
    }
}
