//! `crm lead erase`: erases everything that is known of a lead. Over HTTP it is `DELETE /leads/{id}?erase=true`.

use super::delete::{Delete, Deleted};
use crate::base::error::Result;
use crate::model::lead::LEAD;
use crate::model::noun::Noun;
use crate::model::nouns::owned;
use crate::model::terms::Terms;
use crate::operation::about::{
    ADMIN, About, Answer, Body, CommandExamples, CommandPart, Describe, Needs, Of, Words,
};
use crate::operation::asked::{Asked, Operation, Told};
use crate::store::contract::{HttpRequest, Kept, Traces, Write};
use crate::store::sql::ledger::Ledger;
use crate::store::transaction::Transaction;

/// A [`Delete`] that erases.
#[derive(Clone, Debug)]
pub struct Erase(Delete);

impl Operation for Erase {
    const ABOUT: &'static About = &About {
        of: Of::Command(&LEAD),
        methods: Delete::ABOUT.methods,
        path: Delete::ABOUT.path,
        access: ADMIN,
        conditional: true,
        parameters: &[],
        body: Body::None,
        answer: Answer::Message,
        needs: Needs::Database,
        summary: "Erase {a} {name}",
        describe: Describe::Hidden,
        words: Some(Words {
            verb: "erase",
            about: "Erase all that is known of {plural}, for good",
            long: "Erase all that is known of {plural}: each is deleted with all of its {owned}, and their contents are removed \
                   from the changes and from the database's files. It cannot be taken back. A {name} that is deleted already \
                   is named by its id, or by the address that it had. With --url it needs a token with the scope admin. Backups and other copies are not \
                   reached: `crm help privacy`.",
            takes: &[CommandPart::Ids, CommandPart::Yes, CommandPart::IfMatch],
            confirm: Some(|noun, _| match owned(noun) {
                Some(owned) => format!(" with all {owned}, for good"),
                None => " for good".into(),
            }),
            examples: CommandExamples::These(&[
                "crm lead erase 1 --yes",
                "crm lead create --email ada@example.com -o id && crm lead erase ada@example.com --yes",
            ]),
        }),
    };

    fn ask(asked: &Asked<'_>) -> Result<Erase> {
        Ok(Erase(Delete::erasing(asked.noun()?, asked.id)))
    }

    fn told(noun: Option<&'static Noun>, done: Deleted) -> Told {
        Delete::told(noun, done)
    }
}

impl Write for Erase {
    type Done = Deleted;

    fn of(&self) -> Option<(&'static Noun, i64)> {
        self.0.of()
    }

    fn erases(&self) -> bool {
        self.0.erases()
    }

    fn cleaned(done: &mut Deleted, traces: Traces) {
        Delete::cleaned(done, traces);
    }

    async fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        terms: &Terms,
    ) -> Result<Deleted> {
        self.0.run(ledger, terms).await
    }

    fn keep(&self, done: &Deleted) -> Kept {
        self.0.keep(done)
    }

    fn kept(&self, kept: &Kept) -> Result<Option<Deleted>> {
        self.0.kept(kept)
    }

    fn request(&self) -> HttpRequest {
        self.0.request()
    }

    fn word(status: u16) -> &'static str {
        Delete::word(status)
    }
}
