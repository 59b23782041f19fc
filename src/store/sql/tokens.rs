//! Reads tokens from rows of a database.

use crate::model::token::{Hash, Scope, Token};
use crate::model::value::Value;

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
