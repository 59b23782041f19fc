//! `GET /tokens`, `crm token list`: lists the tokens without their secrets.

use serde_json::json;

use super::create_token::{known, with_all};
use crate::model::token::Token;
use crate::operation::about::{
    ADMIN, About, Answer, Body, CommandExamples, Describe, Needs, Of, Words,
};
use crate::operation::asked::ListAll;
use crate::operation::describe::{Described, answer, failure, media};

/// Lists the tokens.
pub struct ListTokens;

impl ListTokens {
    /// The data of the operation.
    pub const ABOUT: &'static About = &About {
        of: Of::Tokens,
        methods: &[("GET", "listTokens")],
        path: "/tokens",
        access: ADMIN,
        conditional: false,
        parameters: &[],
        body: Body::None,
        answer: Answer::Records,
        needs: Needs::Database,
        summary: "List the tokens",
        describe: Describe::Plain(describe),
        words: Some(Words {
            verb: "list",
            about: "List the tokens, without their secrets",
            long: "",
            takes: &[],
            confirm: None,
            examples: CommandExamples::These(&[
                "crm token create ci --scope read > ci && crm token list",
                "crm token list -o json",
            ]),
        }),
    };
}

impl ListAll for ListTokens {
    type Item = Token;
}

fn describe() -> Described {
    let example = json!({
        "name": "ci",
        "scope": "write",
        "start": "crm_4f1d",
        "created_at": "2026-01-31 09:30:00",
        "expires_at": null,
    });
    let tokens = media(
        json!({"type": "array", "items": with_all(&known())}),
        json!({"tokens": {"value": [example]}}),
    );
    Described::new("All tokens, sorted by name, without their secrets.")
        .answers(200, answer("The tokens.", tokens))
        .answers(400, failure("A parameter was given.", &[]))
}
