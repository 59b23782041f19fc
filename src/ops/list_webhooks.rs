//! `GET /webhooks`, `crm webhook list`: lists the webhooks without their secrets.

use serde_json::json;

use super::create_token::with_all;
use super::create_webhook::{example, known};
use crate::model::webhook::Webhook;
use crate::operation::about::{
    ADMIN, About, Answer, Body, CommandExamples, Describe, Needs, Of, Words,
};
use crate::operation::asked::ListAll;
use crate::operation::describe::{Described, answer, failure, media};

/// Lists the webhooks.
pub struct ListWebhooks;

impl ListWebhooks {
    /// The data of the operation.
    pub const ABOUT: &'static About = &About {
        of: Of::Webhooks,
        methods: &[("GET", "listWebhooks")],
        path: "/webhooks",
        access: ADMIN,
        conditional: false,
        parameters: &[],
        body: Body::None,
        answer: Answer::Records,
        needs: Needs::Database,
        summary: "List the webhooks",
        describe: Describe::Plain(describe),
        words: Some(Words {
            verb: "list",
            about: "List the webhooks: what each does, its last answer, since when it fails, how much waits",
            long: "",
            takes: &[],
            confirm: None,
            examples: CommandExamples::These(&[
                "crm webhook create https://hooks.example.com/crm > secret && crm webhook list",
                "crm webhook list -o json",
            ]),
        }),
    };
}

impl ListAll for ListWebhooks {
    type Item = Webhook;
}

fn describe() -> Described {
    let webhooks = media(
        json!({"type": "array", "items": with_all(&known())}),
        json!({"webhooks": {"value": [example()]}}),
    );
    Described::new("All webhooks, sorted by name, without their secrets.")
        .answers(200, answer("The webhooks.", webhooks))
        .answers(400, failure("A parameter was given.", &[]))
}
