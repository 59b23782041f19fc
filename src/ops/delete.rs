//! `DELETE /{plural}/{id}`, `crm NOUN delete`: deletes a record.

use crate::base::error::{Code, Error, Result};
use crate::model::field::Field;
use crate::model::kind::OnDelete;
use crate::model::noun::Noun;
use crate::model::nouns::{NOUNS, owned};
use crate::model::terms::Terms;
use crate::operation::about::{
    About, Answer, Body, CommandExamples, CommandPart, Describe, Needs, Of, Parameter, Takes,
    WRITE, Words,
};
use crate::operation::asked::{Asked, Operation, Told};
use crate::operation::describe::{Described, failure, message};
use crate::store::contract::{HttpRequest, Kept, Write, WriteExtent};
use crate::store::sql::ledger::Ledger;
use crate::store::transaction::Transaction;

/// Deletes a record. If other records refer to it, that is a conflict, unless `cascade` deletes them too.
#[derive(Clone, Debug)]
pub struct Delete {
    noun: &'static Noun,
    id: i64,
    cascade: bool,
}

impl Delete {
    /// Deletes this record.
    pub fn new(noun: &'static Noun, id: i64, cascade: bool) -> Delete {
        Delete { noun, id, cascade }
    }
}

impl Operation for Delete {
    const ABOUT: &'static About = &About {
        of: Of::Records,
        methods: &[("DELETE", "delete{title}")],
        path: "/{plural}/{id}",
        access: WRITE,
        conditional: true,
        parameters: &[Parameter {
            name: "cascade",
            about: "Whether to delete the records that refer to it too, in one transaction. Without it, a record that others refer to is not deleted: 409.",
            help: "Also delete the {owned} of the {name}",
            takes: Takes::Switch,
            applies: |noun| owned(noun).is_some(),
        }],
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
        let cascade = asked.switch("cascade")?;
        Ok(Delete::new(asked.noun()?, asked.id, cascade))
    }

    fn told(noun: Option<&'static Noun>, (): ()) -> Told {
        let title = noun.map_or("Record", |noun| noun.title);
        Told::Message(format!("{title} deleted"))
    }
}

fn describe(noun: &'static Noun) -> Described {
    let deleted = message(
        "The record is deleted. Its id is never reused.",
        "deleted",
        &format!("{} deleted", noun.title),
    );
    let mut described = Described::default().answers(200, deleted);
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
    type Done = ();

    fn extent(&self) -> WriteExtent {
        WriteExtent::Several
    }

    async fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        terms: &Terms,
    ) -> Result<()> {
        ledger.delete(self.noun, self.id, self.cascade, terms).await
    }

    fn keep(&self, (): &()) -> Kept {
        Kept::word("deleted")
    }

    fn kept(&self, kept: &Kept) -> Result<Option<()>> {
        Ok((kept.word == "deleted").then_some(()))
    }

    fn request(&self) -> HttpRequest {
        let path = Self::ABOUT.at(Some(self.noun), &self.id.to_string());
        let cascade = if self.cascade { "?cascade=true" } else { "" };
        HttpRequest::of(Self::ABOUT.methods[0].0, path + cascade)
    }

    fn word(_status: u16) -> &'static str {
        "deleted"
    }
}
