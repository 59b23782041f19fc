//! `POST /webhooks`, `crm webhook create`: creates a webhook.

use reqwest::Url;
use serde_json::{Value as Json, json};

use super::create_token::{name, with_all};
use crate::base::error::{Code, Error, Problems, Result, quoted};
use crate::base::time;
use crate::base::url::has_empty_port;
use crate::model::noun::Noun;
use crate::model::query;
use crate::model::terms::Terms;
use crate::model::token;
use crate::model::value::Value;
use crate::model::webhook::{ChangeTypes, SigningSecret, Webhook, WebhookState};
use crate::operation::about::{
    ADMIN, About, Answer, Body, BodyField, CommandExamples, CommandPart, Describe, Needs, Of,
    Takes, Words,
};
use crate::operation::asked::{Asked, Operation, ShownSecret, Told};
use crate::operation::describe::{Described, answer, failure, media};
use crate::operation::fields::TIME_STORED;
use crate::store::contract::{HttpRequest, Kept, Write, WriteExtent};
use crate::store::sql::ledger::Ledger;
use crate::store::transaction::Transaction;

/// Creates a webhook. A name that another webhook has is a conflict.
#[derive(Clone, Debug)]
pub struct CreateWebhook {
    url: String,
    types: ChangeTypes,
    /// `None` makes a name from the host of the URL.
    name: Option<String>,
    secret: Option<SigningSecret>,
}

/// The key of the secret in the JSON.
pub(super) const SECRET: &str = "secret";

/// The longest URL, in bytes.
const LONGEST_URL: usize = 2_000;

/// How many names are tried that are made from a host.
const MOST_OF_A_HOST: usize = 1_000;

impl CreateWebhook {
    /// Creates a webhook for changes of these types.
    pub fn new(url: String, types: ChangeTypes, name: Option<String>) -> CreateWebhook {
        CreateWebhook {
            url,
            types,
            name,
            secret: None,
        }
    }
}

impl Operation for CreateWebhook {
    const ABOUT: &'static About = &About {
        of: Of::Webhooks,
        methods: &[("POST", "createWebhook")],
        path: "/webhooks",
        access: ADMIN,
        conditional: false,
        parameters: &[],
        body: Body::Object(&[
            BodyField {
                name: "url",
                help: "The URL that the changes are sent to",
                takes: Takes::Text("URL"),
                required: true,
                positional: true,
            },
            BodyField {
                name: "types",
                help: "Which changes are sent, comma-separated: lead.*, process.updated [default: *, which is all]",
                takes: Takes::List("TYPES"),
                required: false,
                positional: false,
            },
            BodyField {
                name: "name",
                help: "The webhook's name [default: made from the host of the URL]",
                takes: Takes::Text("NAME"),
                required: false,
                positional: false,
            },
        ]),
        answer: Answer::Other,
        needs: Needs::Database,
        summary: "Create a webhook",
        describe: Describe::Plain(describe),
        words: Some(Words {
            verb: "create",
            about: "Create a webhook and print its secret; it is never shown again",
            long: "Create a webhook: a running `crm serve` sends it every change from now on. Prints the secret, with which the \
                   receiver checks the signatures. It is never shown again.",
            takes: &[CommandPart::Inputs],
            confirm: None,
            examples: CommandExamples::These(&[
                "crm webhook create https://hooks.example.com/crm > secret",
                "crm webhook create https://hooks.example.com/crm --name won --type 'lead.*,process.updated'",
            ]),
        }),
    };

    fn ask(_asked: &Asked<'_>) -> Result<CreateWebhook> {
        Ok(CreateWebhook::new(String::new(), ChangeTypes::all(), None))
    }

    fn body(&mut self, body: &[u8]) -> Result<()> {
        *self = parse(body)?;
        Ok(())
    }

    fn told(_noun: Option<&'static Noun>, (webhook, secret): (Webhook, SigningSecret)) -> Told {
        let note = format!(
            "the secret of the webhook {}; it is shown only this once",
            webhook.name
        );
        Told::Secret(shown(&webhook, &secret, note, true))
    }
}

/// A webhook with its secret.
pub(super) fn shown(
    webhook: &Webhook,
    secret: &SigningSecret,
    note: String,
    created: bool,
) -> ShownSecret {
    let mut json = webhook.to_json();
    json[SECRET] = secret.text().into();
    ShownSecret {
        created,
        json,
        name: SECRET,
        note,
        until: webhook.old_secret_until.clone(),
    }
}

/// The URL in its normal form. The error says what was expected; it does not repeat a URL that may hold a secret.
fn check_url(text: &str) -> Result<String, String> {
    let expected = |why: &str| {
        format!(
            "expected a URL like https://hooks.example.com/crm, of at most {LONGEST_URL} bytes, {why}"
        )
    };
    if text.len() > LONGEST_URL {
        return Err(expected("got a longer one"));
    }
    let Ok(url) = Url::parse(text.trim()) else {
        return Err(expected("got something else"));
    };
    if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none_or(str::is_empty) {
        return Err(expected("which begins with https:// or http://"));
    }
    if has_empty_port(text) {
        return Err(expected(
            "with a number after the colon of the port, or without the colon",
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(expected("without a user and a password in it"));
    }
    if url.fragment().is_some() {
        return Err(expected("without a # in it"));
    }
    Ok(url.into())
}

/// Reads the body of a request.
fn parse(body: &[u8]) -> Result<CreateWebhook> {
    let body = match serde_json::from_slice(body) {
        Ok(Json::Object(body)) => body,
        _ => return Err(Error::invalid("body: expected a JSON object")),
    };
    let mut problems = Problems::default();
    for key in body.keys() {
        if !["url", "types", "name"].contains(&key.as_str()) {
            let key: String = key.chars().take(60).collect();
            problems.push(
                token::redacted(&key),
                "no such field; a webhook has url, types, name",
            );
        }
    }
    let mut made = CreateWebhook::new(String::new(), ChangeTypes::all(), None);
    match body.get("url").and_then(Json::as_str).map(check_url) {
        Some(Ok(url)) => made.url = url,
        Some(Err(expected)) => problems.push("url", expected),
        None => problems.push("url", "expected text"),
    }
    let types = match body.get("types") {
        None | Some(Json::Null) => Ok(ChangeTypes::all()),
        Some(Json::String(text)) => ChangeTypes::parse(text),
        Some(Json::Array(words)) => {
            let words: Option<Vec<&str>> = words.iter().map(Json::as_str).collect();
            let words = words.filter(|words| !words.is_empty());
            words.map_or_else(
                || Err("expected at least one text like lead.*".into()),
                ChangeTypes::new,
            )
        }
        Some(_) => Err("expected an array of texts like lead.*".into()),
    };
    match types {
        Ok(types) => made.types = types,
        Err(expected) => problems.push("types", expected),
    }
    match body.get("name") {
        None | Some(Json::Null) => {}
        Some(Json::String(name)) => match token::check_name(name) {
            Ok(()) => made.name = Some(name.clone()),
            Err(expected) => problems.push("name", expected),
        },
        Some(_) => problems.push("name", "expected text"),
    }
    match problems.is_empty() {
        true => Ok(made),
        false => Err(Error::fields(problems)),
    }
}

/// A name made from the host of a URL.
fn of_host(url: &str) -> String {
    let host = Url::parse(url).ok();
    let host = host.as_ref().and_then(Url::host_str).unwrap_or_default();
    let plain = host
        .chars()
        .map(|c| match c.is_ascii_alphanumeric() || c == '.' {
            true => c,
            false => '-',
        });
    let name: String = plain.take(58).collect();
    match token::check_name(&name) {
        Ok(()) => name,
        Err(_) => "webhook".into(),
    }
}

/// The schemas of a webhook's properties in the OpenAPI document.
pub(super) fn known() -> Json {
    let states = WebhookState::WORDS.map(|known| known.0);
    json!({
        "name": {"type": "string", "description": "Chosen by people and unique."},
        "url": {"type": "string", "description": "Where the changes are sent."},
        "types": {"type": "array", "items": {"type": "string"}, "description": "Which changes: `*`, `lead.*`, `process.updated`."},
        "state": {"type": "string", "enum": states, "description": "`gone` means that the receiver has answered 410, which ends the webhook."},
        "created_at": {"type": "string", "pattern": TIME_STORED},
        "last_answer": {"type": ["string", "null"], "description": "The status of the last answer, or why there was none."},
        "last_answer_at": {"type": ["string", "null"], "pattern": TIME_STORED},
        "failing_since": {"type": ["string", "null"], "pattern": TIME_STORED, "description": "Since when nothing was delivered; null if the last try succeeded."},
        "waiting": {"type": "integer", "description": "How many changes wait: those that have failed and are tried again, and at most 10,000 that were not tried yet."},
        "given_up": {"type": "integer", "description": "How many changes were given up."},
        "old_secret_until": {"type": ["string", "null"], "pattern": TIME_STORED, "description": "When the secret before the last rotation ends."},
    })
}

/// An example of a webhook.
pub(super) fn example() -> Json {
    json!({
        "name": "won",
        "url": "https://hooks.example.com/crm",
        "types": ["lead.*", "process.updated"],
        "state": "active",
        "created_at": "2026-01-31 09:30:00",
        "last_answer": "204",
        "last_answer_at": "2026-01-31 09:31:00",
        "failing_since": null,
        "waiting": 0,
        "given_up": 0,
        "old_secret_until": null,
    })
}

/// The schema of a webhook with its secret.
pub(super) fn with_secret() -> Json {
    let mut made = known();
    made[SECRET] = json!({"type": "string", "pattern": "^whsec_[0-9A-Za-z+/]+=*$", "description": "It signs what is sent. It is shown only once."});
    with_all(&made)
}

/// The parameter in the path of the operations on one webhook.
pub(super) fn in_path() -> Vec<Json> {
    vec![json!({"name": "name", "in": "path", "required": true, "schema": name()})]
}

/// The 404 of the operations on one webhook.
pub(super) fn missing() -> Json {
    let error = Error::new(Code::NotFound, "no webhook has the name \"won\"");
    failure("No webhook has this name.", &[("missing", error)])
}

/// The path of an operation on the webhook with this name.
pub(super) fn request(about: &About, name: &str) -> HttpRequest {
    let path = about.at(None, &query::escape(name).to_string());
    HttpRequest::of(about.methods[0].0, path)
}

fn describe() -> Described {
    let new = json!({
        "type": "object",
        "required": ["url"],
        "properties": {
            "url": {"type": "string", "description": "`https://` or `http://`, without a user and a password."},
            "types": {
                "type": ["array", "null"],
                "items": {"type": "string"},
                "minItems": 1,
                "description": "Which changes are sent: `*` (all, the default), all of a kind of record (`lead.*`), or one type (`process.updated`).",
            },
            "name": {
                "type": ["string", "null"],
                "pattern": "^[a-zA-Z0-9_.@-]{1,64}$",
                "description": "It is made from the host of the URL if this is left out.",
            },
        },
        "additionalProperties": false,
    });
    let body = json!({"won": {"value": {"url": "https://hooks.example.com/crm", "types": ["lead.*", "process.updated"], "name": "won"}}});
    let taken = Error::new(Code::Conflict, "name: another webhook is called won");
    let about = "Every change from now on is sent to the URL, signed as Standard Webhooks says. The answer has the secret, which is never shown again.";
    Described::new(about)
        .answers(201, answer("The webhook.", media(with_secret(), json!({}))))
        .answers(
            400,
            failure("The body or a field was refused; nothing was changed.", &[]),
        )
        .answers(
            409,
            failure("Another webhook has this name.", &[("taken", taken)]),
        )
        .body(json!({"required": true, "content": media(new, body)}))
}

impl Write for CreateWebhook {
    type Done = (Webhook, SigningSecret);

    fn check(&mut self) -> Result<()> {
        if let Err(expected) = check_url(&self.url) {
            return Err(Error::field("url", expected));
        }
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
        ledger.tx.alone_with("webhooks").await?;
        let taken = "SELECT id FROM crm_webhooks WHERE name = $1";
        let mut name = match &self.name {
            Some(name) => name.clone(),
            None => of_host(&self.url),
        };
        let base = name.clone();
        let mut number = 1;
        while !ledger
            .tx
            .query(taken, &[name.as_str().into()])
            .await?
            .is_empty()
        {
            number += 1;
            if self.name.is_some() || number > MOST_OF_A_HOST {
                let mut error = Error::field("name", format!("another webhook is called {name}"));
                error.code = Code::Conflict;
                return Err(error);
            }
            name = format!("{base}-{number}");
        }
        let secret = self.secret.clone();
        let secret = secret.ok_or_else(|| Error::internal("a webhook has no secret"))?;
        let webhook = Webhook {
            name,
            url: self.url.clone(),
            types: self.types.clone(),
            state: WebhookState::Active,
            created_at: time::now(),
            last_answer: None,
            last_answer_at: None,
            failing_since: None,
            waiting: 0,
            given_up: 0,
            old_secret_until: None,
        };
        let place = ledger.tx.horizon().await?;
        let sql = "INSERT INTO crm_webhooks (name, url, types, secret, state, place, created_at, given_up, turn, beat) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, 0)";
        let params: [Value; 7] = [
            webhook.name.as_str().into(),
            webhook.url.as_str().into(),
            webhook.types.to_string().as_str().into(),
            secret.text().into(),
            webhook.state.word().into(),
            place.into(),
            webhook.created_at.as_str().into(),
        ];
        ledger.tx.insert(sql, &params).await?;
        Ok((webhook, secret))
    }

    fn keep(&self, (webhook, secret): &(Webhook, SigningSecret)) -> Kept {
        keep("webhook", webhook, secret)
    }

    fn kept(&self, kept: &Kept) -> Result<Option<(Webhook, SigningSecret)>> {
        Ok(read(kept))
    }

    fn request(&self) -> HttpRequest {
        let mut body = json!({"url": self.url, "types": self.types.words()});
        if let Some(name) = &self.name {
            body["name"] = name.as_str().into();
        }
        HttpRequest::of(Self::ABOUT.methods[0].0, Self::ABOUT.path.into()).with(body.to_string())
    }

    fn word(_status: u16) -> &'static str {
        "webhook"
    }
}

/// Keeps a webhook with its secret, which the same database has anyway.
pub(super) fn keep(word: &'static str, webhook: &Webhook, secret: &SigningSecret) -> Kept {
    let mut json = webhook.to_json();
    json[SECRET] = secret.text().into();
    Kept {
        text: json.to_string(),
        ..Kept::word(word)
    }
}

/// Reads what [`keep`] kept, or another server's answer.
pub(super) fn read(kept: &Kept) -> Option<(Webhook, SigningSecret)> {
    let json: Json = serde_json::from_str(&kept.text).ok()?;
    let secret = SigningSecret::parse(json.get(SECRET)?.as_str()?)?;
    Some((Webhook::from_json(&json)?, secret))
}

/// The conflict of an operation on a webhook that is in another state.
pub(super) fn conflict(name: &str, why: &str) -> Error {
    Error::new(
        Code::Conflict,
        format!("the webhook {} {why}", quoted(name)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_plain() {
        for (url, normal) in [
            ("https://a.example/x?y=1", "https://a.example/x?y=1"),
            ("http://a.example", "http://a.example/"),
            ("http://a.example/x:", "http://a.example/x:"),
            ("HTTP://[2001:DB8::1]:8080/", "http://[2001:db8::1]:8080/"),
        ] {
            assert_eq!(check_url(url).as_deref(), Ok(normal));
        }
        let secret = "https://ada:s3cret@a.example/";
        for url in [
            "",
            "a.example",
            "ftp://a.example/",
            secret,
            "https://u@a.example/",
            "https://a.example/#x",
            "https://",
            "http://a.example:/x",
            "http:a.example:?y",
            "https://[2001:db8::1]:",
        ] {
            let why = check_url(url).unwrap_err();
            assert!(why.contains("https://") && !why.contains("s3cret"), "{why}");
        }
        assert!(check_url(&format!("https://a.example/{}", "x".repeat(2_000))).is_err());
        assert_eq!(
            of_host("https://hooks.example.com:8443/x"),
            "hooks.example.com"
        );
        assert_eq!(of_host("https://[::1]/x"), "---1-");
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let body = br#"{"url": "ftp://x", "types": ["leads"], "name": "a b", "x": 1}"#;
        let error = parse(body).unwrap_err();
        let fields = error.problems.iter().map(|problem| problem.field.as_str());
        assert_eq!(fields.collect::<Vec<_>>(), ["x", "url", "types", "name"]);
        for body in [
            "[]",
            "",
            "{",
            "{}",
            r#"{"url": 1}"#,
            r#"{"url": "http://a", "types": []}"#,
        ] {
            assert!(parse(body.as_bytes()).is_err(), "{body}");
        }
        let made = parse(br#"{"url": "http://a", "types": "lead.*", "name": null}"#).unwrap();
        assert_eq!(
            (made.types.to_string().as_str(), made.name),
            ("lead.*", None)
        );
    }
}
