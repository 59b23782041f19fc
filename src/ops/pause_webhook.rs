//! `POST /webhooks/{name}/pause`, `crm webhook pause`: pauses a webhook.

use super::create_webhook::{conflict, in_path, missing, request};
use crate::base::error::Result;
use crate::model::noun::Noun;
use crate::model::terms::Terms;
use crate::model::webhook::WebhookState;
use crate::operation::about::{
    ADMIN, About, Answer, Body, CommandExamples, CommandPart, Describe, Needs, Of, Words,
};
use crate::operation::asked::{Asked, Operation, Told};
use crate::operation::describe::{Described, failure, message};
use crate::store::contract::{HttpRequest, Kept, Write, WriteExtent};
use crate::store::sql::ledger::Ledger;
use crate::store::sql::webhooks::locked;
use crate::store::transaction::Transaction;

/// Pauses a webhook. Its changes wait until it is resumed.
#[derive(Clone, Debug)]
pub struct PauseWebhook {
    name: String,
}

impl PauseWebhook {
    /// Pauses the webhook with this name.
    pub fn new(name: String) -> PauseWebhook {
        PauseWebhook { name }
    }
}

impl Operation for PauseWebhook {
    const ABOUT: &'static About = &About {
        of: Of::Webhooks,
        methods: &[("POST", "pauseWebhook")],
        path: "/webhooks/{name}/pause",
        access: ADMIN,
        conditional: false,
        parameters: &[],
        body: Body::None,
        answer: Answer::Message,
        needs: Needs::Database,
        summary: "Pause a webhook",
        describe: Describe::Plain(describe),
        words: Some(Words {
            verb: "pause",
            about: "Pause webhooks; what happens meanwhile waits until they are resumed",
            long: "",
            takes: &[CommandPart::Key(
                "The names of the webhooks (won or won,lost); - reads them from standard input",
            )],
            confirm: None,
            examples: CommandExamples::These(&[
                "crm webhook create https://a.example --name won > secret && crm webhook pause won",
            ]),
        }),
    };

    fn ask(asked: &Asked<'_>) -> Result<PauseWebhook> {
        Ok(PauseWebhook::new(asked.key.into()))
    }

    fn told(_noun: Option<&'static Noun>, (): ()) -> Told {
        Told::Message("Webhook paused".into())
    }
}

fn describe() -> Described {
    Described::new("Nothing is sent, from a second after the answer at the latest. What happens meanwhile waits until the webhook is resumed.")
        .parameters(in_path())
        .answers(200, message("The webhook is paused.", "paused", "Webhook paused"))
        .answers(400, failure("A parameter was given.", &[]))
        .answers(404, missing())
        .answers(
            409,
            failure("The webhook is gone.", &[("gone", conflict("won", "is gone; nothing is sent to it"))]),
        )
}

impl Write for PauseWebhook {
    type Done = ();

    fn extent(&self) -> WriteExtent {
        WriteExtent::One
    }

    async fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        _terms: &Terms,
    ) -> Result<()> {
        let (id, state) = locked(ledger.tx, &self.name).await?;
        if state == WebhookState::Gone {
            return Err(conflict(&self.name, "is gone; nothing is sent to it"));
        }
        let sql = "UPDATE crm_webhooks SET state = 'paused' WHERE id = $1";
        ledger.tx.execute(sql, &[id.into()]).await?;
        Ok(())
    }

    fn keep(&self, (): &()) -> Kept {
        Kept::word("paused")
    }

    fn kept(&self, kept: &Kept) -> Result<Option<()>> {
        Ok((kept.word == "paused").then_some(()))
    }

    fn request(&self) -> HttpRequest {
        request(Self::ABOUT, &self.name)
    }

    fn word(_status: u16) -> &'static str {
        "paused"
    }
}
