//! `POST /tokens`, `crm token create`: a new token.

use serde_json::json;

use crate::base::error::{Code, Error, Problems, Result};
use crate::base::time;
use crate::model::record::Value;
use crate::model::terms::Terms;
use crate::model::token::{self, NewToken, Secret, Token};
use crate::store::contract::{Extent, Kept, Request, Write};
use crate::store::transaction::Transaction;

/// A new token. A second one of the same name is a conflict.
#[derive(Clone, Debug)]
pub struct CreateToken {
    new: NewToken,
    /// As times are stored.
    expires_at: Option<String>,
    /// See [`NewToken::secret`].
    salt: String,
}

/// The salt of a token's secret in the result that is kept.
const SALT: &str = "salt";

impl CreateToken {
    /// A write of this token.
    pub fn new(new: NewToken) -> CreateToken {
        CreateToken {
            new,
            expires_at: None,
            salt: String::new(),
        }
    }
}

impl Write for CreateToken {
    type Done = (Token, Secret);

    const CHANGES_TOKENS: bool = true;

    fn check(&mut self) -> Result<()> {
        let mut problems = Problems::default();
        if let Err(expected) = token::check_name(&self.new.name) {
            problems.push("name", expected);
        }
        let expires = self.new.expires.as_deref().map(token::expiry).transpose();
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

    fn extent(&self) -> Extent {
        Extent::One
    }

    async fn run<T: Transaction>(&mut self, tx: &mut T, _terms: &Terms) -> Result<(Token, Secret)> {
        let name = self.new.name.as_str();
        tx.alone_with(&format!("token {name}")).await?;
        let taken = "SELECT id FROM crm_tokens WHERE name = $1";
        if !tx.query(taken, &[name.into()]).await?.is_empty() {
            let mut error = Error::field("name", format!("a token is called {name} already"));
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
        token.id = tx.insert(sql, &params).await?;
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
        // Another server's answer has the secret. What is kept has only its salt, which is of use to the one who asks.
        let secret = match (json["token"].as_str(), json[SALT].as_str()) {
            (Some(secret), _) => Secret::parse(secret),
            (None, Some(salt)) if self.new.asker.is_some() => Some(self.new.secret(salt)?),
            _ => None,
        };
        Ok(Token::from_json(&json).zip(secret))
    }

    fn request(&self) -> Request {
        let mut body = json!({"name": self.new.name, "scope": self.new.scope.word()});
        if let Some(expires) = &self.new.expires {
            body["expires"] = expires.as_str().into();
        }
        Request {
            method: "POST",
            path: "/tokens".into(),
            body: Some(body.to_string()),
        }
    }

    fn word(_status: u16) -> &'static str {
        "token"
    }
}
