//! `POST /tokens`, `crm token create`: creates a token.

use serde_json::{Value as Json, json};

use crate::base::error::{Code, Error, Problems, Result};
use crate::base::time::{self, Zone};
use crate::model::noun::Noun;
use crate::model::terms::Terms;
use crate::model::token::{self, NewToken, Scope, Secret, Token};
use crate::model::value::Value;
use crate::operation::about::{
    ADMIN, About, Answer, Body, BodyField, CommandExamples, CommandPart, Describe, Needs, Of,
    Takes, Words,
};
use crate::operation::asked::{Asked, Operation, ShownSecret, Told};
use crate::operation::describe::{Described, answer, failure, media};
use crate::operation::fields::TIME_STORED;
use crate::ops::calendar;
use crate::store::contract::{HttpRequest, Kept, Write, WriteExtent};
use crate::store::sql::ledger::Ledger;
use crate::store::transaction::Transaction;

/// Creates a token. A name that another token has is a conflict.
#[derive(Clone, Debug)]
pub struct CreateToken {
    new: NewToken,
    /// In the stored form of times.
    expires_at: Option<String>,
    /// See [`NewToken::secret`].
    salt: String,
    /// The zone of a time without an offset in a body that is still to come.
    zone: Zone,
}

/// The name of the path of the calendar in the answer.
pub const PATH: &str = "path";

/// The key of the secret's salt in the stored result.
const SALT: &str = "salt";

impl CreateToken {
    /// Creates this token.
    pub fn new(new: NewToken) -> CreateToken {
        CreateToken {
            new,
            expires_at: None,
            salt: String::new(),
            zone: Zone::UTC,
        }
    }
}

/// The names of the scopes.
const SCOPES: &[&str] = &[
    Scope::WORDS[0].0,
    Scope::WORDS[1].0,
    Scope::WORDS[2].0,
    Scope::WORDS[3].0,
];

impl Operation for CreateToken {
    const ABOUT: &'static About = &About {
        of: Of::Tokens,
        methods: &[("POST", "createToken")],
        path: "/tokens",
        access: ADMIN,
        conditional: false,
        parameters: &[],
        body: Body::Object(&[
            BodyField {
                name: "name",
                help: "The token's name",
                takes: Takes::Text("NAME"),
                required: true,
                positional: true,
            },
            BodyField {
                name: "scope",
                help: "What its holder may do: read; write, which includes read; admin, which includes both and manages tokens; calendar, to subscribe to the follow-ups and nothing else",
                takes: Takes::Word("SCOPE", SCOPES),
                required: true,
                positional: false,
            },
            BodyField {
                name: "expires",
                help: "When it expires: a duration from now like 90d, 12h or 2w, or a time [default: never]",
                takes: Takes::Time,
                required: false,
                positional: false,
            },
        ]),
        answer: Answer::Other,
        needs: Needs::Database,
        summary: "Create a token",
        describe: Describe::Plain(describe),
        words: Some(Words {
            verb: "create",
            about: "Create a token and print it; it is never shown again",
            long: "Create a token and print it. It is never shown again, because the database only stores its SHA-256 and \
                   its first letters. With the scope calendar, it prints the address that a calendar app subscribes to.",
            takes: &[CommandPart::Inputs],
            confirm: None,
            examples: CommandExamples::These(&[
                "crm token create ada --scope admin",
                "crm token create cron --scope read --expires 90d > token",
                "crm token create phone --scope calendar",
            ]),
        }),
    };

    fn ask(asked: &Asked<'_>) -> Result<CreateToken> {
        let new = NewToken {
            name: String::new(),
            scope: Scope::Read,
            expires: None,
            asker: asked.asker.clone(),
        };
        Ok(CreateToken {
            zone: asked.zone.clone(),
            ..CreateToken::new(new)
        })
    }

    fn body(&mut self, body: &[u8]) -> Result<()> {
        self.new = NewToken {
            asker: self.new.asker.take(),
            ..parse(body, &self.zone)?
        };
        Ok(())
    }

    fn told(_noun: Option<&'static Noun>, (token, secret): (Token, Secret)) -> Told {
        let mut json = token.to_json();
        json["token"] = secret.text().into();
        json[PATH] = Json::Null;
        if token.scope == Scope::Calendar {
            json[PATH] = calendar::path(secret.text()).into();
            return Told::Secret(ShownSecret {
                created: true,
                json,
                name: PATH,
                note: format!(
                    "subscribe to it in a calendar app; whoever has the address sees the follow-ups; the token {} is \
                     valid{{until}}, and the address is shown only this once",
                    token.name
                ),
                until: token.expires_at,
            });
        }
        Told::Secret(ShownSecret {
            created: true,
            json,
            name: "token",
            note: format!(
                "the token {} with the scope {} is valid{{until}}; it is shown only this once",
                token.name,
                token.scope.word()
            ),
            until: token.expires_at,
        })
    }
}

/// Reads the body of a request. A time without an offset is in the zone.
fn parse(body: &[u8], zone: &Zone) -> Result<NewToken> {
    let body = match serde_json::from_slice(body) {
        Ok(Json::Object(body)) => body,
        _ => return Err(Error::invalid("body: expected a JSON object")),
    };
    let mut problems = Problems::default();
    for key in body.keys() {
        if !["name", "scope", "expires"].contains(&key.as_str()) {
            let key: String = key.chars().take(60).collect();
            problems.push(
                token::redacted(&key),
                "no such field; a token has name, scope, expires",
            );
        }
    }
    let name = body.get("name").and_then(Json::as_str);
    match name.map(token::check_name) {
        Some(Ok(())) => {}
        Some(Err(expected)) => problems.push("name", expected),
        None => problems.push("name", "expected text"),
    }
    let scope = body
        .get("scope")
        .and_then(Json::as_str)
        .and_then(Scope::parse);
    if scope.is_none() {
        let words = Scope::WORDS.map(|known| known.0).join(", ");
        problems.push("scope", format!("expected one of {words}"));
    }
    let expires = match body.get("expires") {
        None | Some(Json::Null) => None,
        Some(Json::String(text)) => {
            if let Err(expected) = token::expiry(text, zone) {
                problems.push("expires", expected);
            }
            // A point in time means the same in every zone from here on. A duration begins when the token is made.
            let point = time::parse_in(text, zone).map(|utc| format!("{utc}Z"));
            Some(point.unwrap_or_else(|| text.clone()))
        }
        Some(_) => {
            problems.push("expires", "expected text like 90d, or null");
            None
        }
    };
    match (name, scope) {
        (Some(name), Some(scope)) if problems.is_empty() => Ok(NewToken {
            asker: None,
            name: name.into(),
            scope,
            expires,
        }),
        _ => Err(Error::fields(problems)),
    }
}

/// The schema of a token's name in the OpenAPI document.
pub(super) fn name() -> Json {
    json!({"type": "string", "pattern": "^[a-zA-Z0-9_.@-]{1,64}$"})
}

/// The schemas of a token's properties in the OpenAPI document.
pub(super) fn known() -> Json {
    json!({
        "name": {"type": "string", "description": "Chosen by people and unique."},
        "scope": {"type": "string", "enum": SCOPES},
        "start": {"type": "string", "description": "The first letters of the secret."},
        "created_at": {"type": "string", "pattern": TIME_STORED},
        "expires_at": {"type": ["string", "null"], "pattern": TIME_STORED},
    })
}

/// The schema of an answer with all of these properties.
pub(super) fn with_all(properties: &Json) -> Json {
    let names: Vec<&String> = properties
        .as_object()
        .into_iter()
        .flatten()
        .map(|one| one.0)
        .collect();
    json!({"type": "object", "required": names, "properties": properties})
}

fn describe() -> Described {
    let mut made = known();
    made["token"] = json!({"type": "string", "pattern": "^crm_[0-9A-Za-z]{32}$", "description": "The secret. It is shown only once."});
    made[PATH] = json!({"type": ["string", "null"], "description": "Of a token with the scope `calendar`: the path of the calendar, after the address of the service. It is shown only once."});
    let new = json!({
        "type": "object",
        "required": ["name", "scope"],
        "properties": {
            "name": name(),
            "scope": {"type": "string", "enum": SCOPES},
            "expires": {
                "type": ["string", "null"],
                "description": "When it expires: a duration from now like `90d`, `12h` or `2w`, or a time. It never expires if this is left out.",
            },
        },
        "additionalProperties": false,
    });
    let examples = json!({"ci": {"value": {"name": "ci", "scope": "write", "expires": "90d"}}});
    let taken = Error::new(Code::Conflict, "name: another token is called ci");
    let about = "The answer has the secret, which is never shown again. Create the first token on the server's machine: `crm token create NAME --scope admin`.";
    Described::new(about)
        .answers(201, answer("The token.", media(with_all(&made), json!({}))))
        .answers(
            400,
            failure("The body or a field was refused; nothing was changed.", &[]),
        )
        .answers(
            409,
            failure("Another token has this name.", &[("taken", taken)]),
        )
        .body(json!({"required": true, "content": media(new, examples)}))
}

impl Write for CreateToken {
    type Done = (Token, Secret);

    const CHANGES_TOKENS: bool = true;

    fn check(&mut self) -> Result<()> {
        let mut problems = Problems::default();
        if let Err(expected) = token::check_name(&self.new.name) {
            problems.push("name", expected);
        }
        let expires = self.new.expires.as_deref();
        let expires = expires
            .map(|text| token::expiry(text, &Zone::UTC))
            .transpose();
        self.expires_at = expires.unwrap_or_else(|expected| {
            problems.push("expires", expected);
            None
        });
        if !problems.is_empty() {
            return Err(Error::fields(problems));
        }
        self.salt = token::nonce()?;
        Ok(())
    }

    fn extent(&self) -> WriteExtent {
        WriteExtent::One
    }

    async fn run<T: Transaction>(
        &mut self,
        ledger: &mut Ledger<'_, T>,
        _terms: &Terms,
    ) -> Result<(Token, Secret)> {
        let name = self.new.name.as_str();
        ledger.tx.alone_with(&format!("token {name}")).await?;
        let taken = "SELECT id FROM crm_tokens WHERE name = $1";
        if !ledger.tx.query(taken, &[name.into()]).await?.is_empty() {
            let mut error = Error::field("name", format!("another token is called {name}"));
            error.code = Code::Conflict;
            return Err(error);
        }
        let secret = self.new.secret(&self.salt)?;
        let mut token = Token {
            id: 0,
            name: name.into(),
            scope: self.new.scope,
            start: secret.start().into(),
            created_at: time::now(),
            expires_at: self.expires_at.clone(),
        };
        let sql = "INSERT INTO crm_tokens (name, scope, start, created_at, expires_at, hash) VALUES ($1, $2, $3, $4, $5, $6)";
        let params = [
            name.into(),
            token.scope.word().into(),
            token.start.as_str().into(),
            token.created_at.as_str().into(),
            token.expires_at.as_deref().map_or(Value::Null, Value::from),
            secret.hash().hex().as_str().into(),
        ];
        token.id = ledger.tx.insert(sql, &params).await?;
        Ok((token, secret))
    }

    fn keep(&self, (token, _): &(Token, Secret)) -> Kept {
        let mut json = token.to_json();
        json[SALT] = self.salt.as_str().into();
        Kept {
            text: json.to_string(),
            ..Kept::word("token")
        }
    }

    fn kept(&self, kept: &Kept) -> Result<Option<(Token, Secret)>> {
        let json: serde_json::Value = serde_json::from_str(&kept.text).unwrap_or_default();
        // The answer of another server has the secret. The stored result only has its salt, with which the client that asks
        // again can compute the secret.
        let secret = match (json["token"].as_str(), json[SALT].as_str()) {
            (Some(secret), _) => Secret::parse(secret),
            (None, Some(salt)) if self.new.asker.is_some() => Some(self.new.secret(salt)?),
            _ => None,
        };
        Ok(Token::from_json(&json).zip(secret))
    }

    fn request(&self) -> HttpRequest {
        let mut body = json!({"name": self.new.name, "scope": self.new.scope.word()});
        if let Some(expires) = &self.new.expires {
            body["expires"] = expires.as_str().into();
        }
        HttpRequest::of(Self::ABOUT.methods[0].0, Self::ABOUT.path.into()).with(body.to_string())
    }

    fn word(_status: u16) -> &'static str {
        "token"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let body = br#"{"name": "a b", "scope": "all", "expires": "soon", "crm_abcdefgh": 1}"#;
        let error = parse(body, &Zone::UTC).unwrap_err();
        let fields: Vec<&str> = error
            .problems
            .iter()
            .map(|problem| problem.field.as_str())
            .collect();
        assert_eq!(fields, ["crm_abcd…", "name", "scope", "expires"]);
        for body in ["[]", "", "null", "{"] {
            assert!(parse(body.as_bytes(), &Zone::UTC).is_err(), "{body}");
        }
        assert!(
            parse(
                br#"{"name": "a", "scope": "read", "expires": null}"#,
                &Zone::UTC
            )
            .is_ok()
        );
    }
}
