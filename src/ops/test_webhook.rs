//! `POST /webhooks/{name}/test`, `crm webhook test`: asks for a test delivery.

use super::create_webhook::{conflict, in_path, missing, request};
use crate::base::error::Result;
use crate::base::time;
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

/// Asks for a test delivery. The server that delivers to the webhook sends it, once.
#[derive(Clone, Debug)]
pub struct TestWebhook {
    name: String,
}

impl TestWebhook {
    /// Tests the webhook with this name.
    pub fn new(name: String) -> TestWebhook {
        TestWebhook { name }
    }
}

impl Operation for TestWebhook {
    const ABOUT: &'static About = &About {
        of: Of::Webhooks,
        methods: &[("POST", "testWebhook")],
        path: "/webhooks/{name}/test",
        access: ADMIN,
        conditional: false,
        parameters: &[],
        body: Body::None,
        answer: Answer::Message,
        needs: Needs::Database,
        summary: "Test a webhook",
        describe: Describe::Plain(describe),
        words: Some(Words {
            verb: "test",
            about: "Ask the service to send a webhook a test, whose result `webhook list` shows",
            long: "Ask the service to send a webhook a test: a request of the type webhook.test without a change, signed like all others. It is sent once, within seconds, also to a webhook that is paused. `crm webhook list` shows the result.",
            takes: &[CommandPart::Key(
                "The names of the webhooks (won or won,lost); - reads them from standard input",
            )],
            confirm: None,
            examples: CommandExamples::These(&[
                "crm webhook create https://a.example --name won > secret && crm webhook test won",
            ]),
        }),
    };

    fn ask(asked: &Asked<'_>) -> Result<TestWebhook> {
        Ok(TestWebhook::new(asked.key.into()))
    }

    fn told(_noun: Option<&'static Noun>, (): ()) -> Told {
        Told::Message("Test asked for; the list of webhooks shows its result".into())
    }
}

fn describe() -> Described {
    Described::new("Sends a request of the type `webhook.test`, signed like all others, once and within seconds, also if the webhook is paused. The list of webhooks shows the result.")
        .parameters(in_path())
        .answers(200, message("The test will be sent.", "asked", "Test asked for; the list of webhooks shows its result"))
        .answers(400, failure("A parameter was given.", &[]))
        .answers(404, missing())
        .answers(
            409,
            failure("The webhook is gone.", &[("gone", conflict("won", "is gone; resume it first"))]),
        )
}

impl Write for TestWebhook {
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
            return Err(conflict(&self.name, "is gone; resume it first"));
        }
        let now = time::now();
        let sql = "INSERT INTO crm_deliveries (webhook, seq, tries, due, since) VALUES ($1, 0, 0, $2, $2) \
                   ON CONFLICT (webhook, seq) DO NOTHING";
        ledger
            .tx
            .execute(sql, &[id.into(), now.as_str().into()])
            .await?;
        Ok(())
    }

    fn keep(&self, (): &()) -> Kept {
        Kept::word("asked")
    }

    fn kept(&self, kept: &Kept) -> Result<Option<()>> {
        Ok((kept.word == "asked").then_some(()))
    }

    fn request(&self) -> HttpRequest {
        request(Self::ABOUT, &self.name)
    }

    fn word(_status: u16) -> &'static str {
        "asked"
    }
}
