//! `POST /webhooks/{name}/resume`, `crm webhook resume`: resumes a webhook.

use super::create_webhook::{in_path, missing, request};
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

/// Resumes a webhook that is paused, or that its receiver has ended.
#[derive(Clone, Debug)]
pub struct ResumeWebhook {
    name: String,
}

impl ResumeWebhook {
    /// Resumes the webhook with this name.
    pub fn new(name: String) -> ResumeWebhook {
        ResumeWebhook { name }
    }
}

impl Operation for ResumeWebhook {
    const ABOUT: &'static About = &About {
        of: Of::Webhooks,
        methods: &[("POST", "resumeWebhook")],
        path: "/webhooks/{name}/resume",
        access: ADMIN,
        conditional: false,
        parameters: &[],
        body: Body::None,
        answer: Answer::Message,
        needs: Needs::Database,
        summary: "Resume a webhook",
        describe: Describe::Plain(describe),
        words: Some(Words {
            verb: "resume",
            about: "Resume webhooks that are paused or gone",
            long: "Resume webhooks. One that was paused gets what has happened since. One that was gone, because its receiver has answered 410, gets what happens from now on; `crm webhook redeliver` sends older changes.",
            takes: &[CommandPart::Key(
                "The names of the webhooks (won or won,lost); - reads them from standard input",
            )],
            confirm: None,
            examples: CommandExamples::These(&[
                "crm webhook create https://a.example --name won > secret && crm webhook resume won",
            ]),
        }),
    };

    fn ask(asked: &Asked<'_>) -> Result<ResumeWebhook> {
        Ok(ResumeWebhook::new(asked.key.into()))
    }

    fn told(_noun: Option<&'static Noun>, (): ()) -> Told {
        Told::Message("Webhook resumed".into())
    }
}

fn describe() -> Described {
    Described::new("A webhook that was paused gets what has happened since. One that was gone gets what happens from now on.")
        .parameters(in_path())
        .answers(200, message("The webhook is active.", "resumed", "Webhook resumed"))
        .answers(400, failure("A parameter was given.", &[]))
        .answers(404, missing())
}

impl Write for ResumeWebhook {
    type Done = ();

    fn extent(&self) -> WriteExtent {
        WriteExtent::Several
    }

    async fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        _terms: &Terms,
    ) -> Result<()> {
        let (id, state) = locked(ledger.tx, &self.name).await?;
        let sql = "UPDATE crm_webhooks SET state = 'active', wait_until = NULL WHERE id = $1";
        ledger.tx.execute(sql, &[id.into()]).await?;
        if state == WebhookState::Gone {
            let place = ledger.tx.horizon().await?;
            // The 410 that has ended it says nothing of what it does from now on.
            let sql = "UPDATE crm_webhooks SET place = $1, turn = turn + 1, failing_since = NULL, answer = NULL, \
                       answered_at = NULL WHERE id = $2";
            ledger.tx.execute(sql, &[place.into(), id.into()]).await?;
        }
        Ok(())
    }

    fn keep(&self, (): &()) -> Kept {
        Kept::word("resumed")
    }

    fn kept(&self, kept: &Kept) -> Result<Option<()>> {
        Ok((kept.word == "resumed").then_some(()))
    }

    fn request(&self) -> HttpRequest {
        request(Self::ABOUT, &self.name)
    }

    fn word(_status: u16) -> &'static str {
        "resumed"
    }
}
