//! Reads tokens from rows of a database.

use serde_json::Value as Json;

use crate::model::token::{Hash, Scope, Token};
use crate::model::value::Value;
use crate::store::contract::Listed;

/// The columns of a token, in the order of [`token()`].
pub(crate) const TOKENS: &str =
    "SELECT id, name, scope, start, created_at, expires_at, hash FROM crm_tokens ORDER BY name";

/// The token in a row of [`TOKENS`].
pub(crate) fn token(row: &[Value]) -> Option<(Hash, Token)> {
    let text = |at: usize| Some(row.get(at)?.text()?.to_string());
    let token = Token {
        id: row.first()?.int()?,
        name: text(1)?.into(),
        scope: Scope::parse(&text(2)?)?,
        start: text(3)?,
        created_at: text(4)?,
        expires_at: text(5),
    };
    Some((Hash::parse(&text(6)?)?, token))
}

impl Listed for Token {
    const PATH: &'static str = "/tokens";
    const PLURAL: &'static str = "tokens";
    const COLUMNS: &'static [&'static str] =
        &["name", "scope", "start", "created_at", "expires_at"];
    const NONE: &'static str = "no tokens: until there is one, a service over this database is open to everyone who can reach it";
    const SELECT: &'static str = TOKENS;

    fn from_row(row: &[Value]) -> Option<Token> {
        token(row).map(|(_, token)| token)
    }

    fn from_json(json: &Json) -> Option<Token> {
        Token::from_json(json)
    }

    fn to_json(&self) -> Json {
        self.to_json()
    }
}
