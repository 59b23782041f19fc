//! `DELETE /webhooks/{name}`, `crm webhook delete`: deletes a webhook.

use super::create_webhook::{in_path, missing, request};
use crate::base::error::Result;
use crate::model::noun::Noun;
use crate::model::terms::Terms;
use crate::operation::about::{
    ADMIN, About, Answer, Body, CommandExamples, CommandPart, Describe, Needs, Of, Words,
};
use crate::operation::asked::{Asked, Operation, Told};
use crate::operation::describe::{Described, failure, message};
use crate::store::contract::{HttpRequest, Kept, Write, WriteExtent};
use crate::store::sql::ledger::Ledger;
use crate::store::sql::webhooks::locked;
use crate::store::transaction::Transaction;

/// Deletes a webhook with everything that waits for it.
#[derive(Clone, Debug)]
pub struct DeleteWebhook {
    name: String,
}

impl DeleteWebhook {
    /// Deletes the webhook with this name.
    pub fn new(name: String) -> DeleteWebhook {
        DeleteWebhook { name }
    }
}

impl Operation for DeleteWebhook {
    const ABOUT: &'static About = &About {
        of: Of::Webhooks,
        methods: &[("DELETE", "deleteWebhook")],
        path: "/webhooks/{name}",
        access: ADMIN,
        conditional: false,
        parameters: &[],
        body: Body::None,
        answer: Answer::Message,
        needs: Needs::Database,
        summary: "Delete a webhook",
        describe: Describe::Plain(describe),
        words: Some(Words {
            verb: "delete",
            about: "Delete webhooks, with everything that waits for them",
            long: "",
            takes: &[CommandPart::Key(
                "The names of the webhooks (won or won,lost); - reads them from standard input",
            )],
            confirm: None,
            examples: CommandExamples::These(&[
                "crm webhook create https://a.example --name won > secret && crm webhook delete won",
            ]),
        }),
    };

    fn ask(asked: &Asked<'_>) -> Result<DeleteWebhook> {
        Ok(DeleteWebhook::new(asked.key.into()))
    }

    fn told(_noun: Option<&'static Noun>, (): ()) -> Told {
        Told::Message("Webhook deleted".into())
    }
}

fn describe() -> Described {
    Described::new("Nothing more is sent, from a second after the answer at the latest.")
        .parameters(in_path())
        .answers(
            200,
            message("The webhook is deleted.", "deleted", "Webhook deleted"),
        )
        .answers(400, failure("A parameter was given.", &[]))
        .answers(404, missing())
}

impl Write for DeleteWebhook {
    type Done = ();

    fn extent(&self) -> WriteExtent {
        WriteExtent::Several
    }

    async fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        _terms: &Terms,
    ) -> Result<()> {
        let (id, _) = locked(ledger.tx, &self.name).await?;
        for sql in [
            "DELETE FROM crm_deliveries WHERE webhook = $1",
            "DELETE FROM crm_webhooks WHERE id = $1",
        ] {
            ledger.tx.execute(sql, &[id.into()]).await?;
        }
        Ok(())
    }

    fn keep(&self, (): &()) -> Kept {
        Kept::word("deleted")
    }

    fn kept(&self, kept: &Kept) -> Result<Option<()>> {
        Ok((kept.word == "deleted").then_some(()))
    }

    fn request(&self) -> HttpRequest {
        request(Self::ABOUT, &self.name)
    }

    fn word(_status: u16) -> &'static str {
        "deleted"
    }
}
