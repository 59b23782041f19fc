//! `POST /webhooks/{name}/rotate`, `crm webhook rotate`: gives a webhook a new secret.

use std::time::{Duration, SystemTime};

use serde_json::json;

use super::create_webhook::{in_path, keep, missing, read, request, shown, with_secret};
use crate::base::error::{Error, Result};
use crate::base::time;
use crate::model::noun::Noun;
use crate::model::terms::Terms;
use crate::model::webhook::{SigningSecret, Webhook};
use crate::operation::about::{
    ADMIN, About, Answer, Body, CommandExamples, CommandPart, Describe, Needs, Of, Words,
};
use crate::operation::asked::{Asked, Operation, Told};
use crate::operation::describe::{Described, answer, failure, media};
use crate::store::contract::{HttpRequest, Kept, Listed, Write, WriteExtent};
use crate::store::sql::ledger::Ledger;
use crate::store::sql::webhooks::locked;
use crate::store::transaction::Transaction;

/// Gives a webhook a new secret. The one before it also signs for a day.
#[derive(Clone, Debug)]
pub struct RotateWebhook {
    name: String,
    secret: Option<SigningSecret>,
}

/// How long the secret before it also signs.
const OVERLAP: Duration = Duration::from_secs(24 * 3_600);

impl RotateWebhook {
    /// Gives the webhook with this name a new secret.
    pub fn new(name: String) -> RotateWebhook {
        RotateWebhook { name, secret: None }
    }
}

impl Operation for RotateWebhook {
    const ABOUT: &'static About = &About {
        of: Of::Webhooks,
        methods: &[("POST", "rotateWebhook")],
        path: "/webhooks/{name}/rotate",
        access: ADMIN,
        conditional: false,
        parameters: &[],
        body: Body::None,
        answer: Answer::Other,
        needs: Needs::Database,
        summary: "Give a webhook a new secret",
        describe: Describe::Plain(describe),
        words: Some(Words {
            verb: "rotate",
            about: "Give webhooks a new secret and print it; the one before it also signs for 24 hours",
            long: "",
            takes: &[CommandPart::Key(
                "The names of the webhooks (won or won,lost); - reads them from standard input",
            )],
            confirm: None,
            examples: CommandExamples::These(&[
                "crm webhook create https://a.example --name won > secret && crm webhook rotate won",
            ]),
        }),
    };

    fn ask(asked: &Asked<'_>) -> Result<RotateWebhook> {
        Ok(RotateWebhook::new(asked.key.into()))
    }

    fn told(_noun: Option<&'static Noun>, (webhook, secret): (Webhook, SigningSecret)) -> Told {
        let note = format!(
            "the new secret of the webhook {}; it is shown only this once; the one before it also signs{{until}}",
            webhook.name
        );
        Told::Secret(shown(&webhook, &secret, note, false))
    }
}

fn describe() -> Described {
    let about = "For 24 hours every request has two signatures, one with the new secret and one with the one before it. The answer has the new one, which is never shown again.";
    Described::new(about)
        .parameters(in_path())
        .answers(200, answer("The webhook.", media(with_secret(), json!({}))))
        .answers(400, failure("A parameter was given.", &[]))
        .answers(404, missing())
}

impl Write for RotateWebhook {
    type Done = (Webhook, SigningSecret);

    fn check(&mut self) -> Result<()> {
        self.secret = Some(SigningSecret::new()?);
        Ok(())
    }

    fn extent(&self) -> WriteExtent {
        WriteExtent::One
    }

    async fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        _terms: &Terms,
    ) -> Result<(Webhook, SigningSecret)> {
        let (id, _) = locked(ledger.tx, &self.name).await?;
        let secret = self.secret.clone();
        let secret = secret.ok_or_else(|| Error::internal("a webhook has no secret"))?;
        let until = time::nearest(SystemTime::now() + OVERLAP);
        let sql = "UPDATE crm_webhooks SET old_secret = secret, secret = $1, old_until = $2 WHERE id = $3";
        let params = [secret.text().into(), until.as_str().into(), id.into()];
        ledger.tx.execute(sql, &params).await?;
        let rows = ledger.tx.query(Webhook::SELECT, &[]).await?;
        let mut all = rows.iter().filter_map(|row| Webhook::from_row(row));
        let webhook = all.find(|webhook| webhook.name == self.name);
        let webhook = webhook.ok_or_else(|| Error::internal("a webhook cannot be read"))?;
        Ok((webhook, secret))
    }

    fn keep(&self, (webhook, secret): &(Webhook, SigningSecret)) -> Kept {
        keep("rotated", webhook, secret)
    }

    fn kept(&self, kept: &Kept) -> Result<Option<(Webhook, SigningSecret)>> {
        Ok(read(kept))
    }

    fn request(&self) -> HttpRequest {
        request(Self::ABOUT, &self.name)
    }

    fn word(_status: u16) -> &'static str {
        "rotated"
    }
}
