//! The requests that manage tokens: what they take.

use serde_json::Value;

use crate::base::error::{Error, Problems, Result};
use crate::model::token::{self, Scope};

/// A token that is asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) scope: Scope,
    pub(super) expires: Option<String>,
}

impl Wanted {
    /// Reads the body of a request.
    pub(super) fn parse(body: &[u8]) -> Result<Wanted> {
        let body = match serde_json::from_slice(body) {
            Ok(Value::Object(body)) => body,
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
        let name = body.get("name").and_then(Value::as_str);
        match name.map(token::check_name) {
            Some(Ok(())) => {}
            Some(Err(expected)) => problems.push("name", expected),
            None => problems.push("name", "expected text"),
        }
        let scope = body
            .get("scope")
            .and_then(Value::as_str)
            .and_then(Scope::parse);
        if scope.is_none() {
            let words = Scope::WORDS.map(|known| known.0).join(", ");
            problems.push("scope", format!("expected one of {words}"));
        }
        let expires = match body.get("expires") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => {
                if let Err(expected) = token::expiry(text) {
                    problems.push("expires", expected);
                }
                Some(text.clone())
            }
            Some(_) => {
                problems.push("expires", "expected text like 90d, or null");
                None
            }
        };
        match (name, scope) {
            (Some(name), Some(scope)) if problems.is_empty() => Ok(Wanted {
                name: name.into(),
                scope,
                expires,
            }),
            _ => Err(Error::fields(problems)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let body = br#"{"name": "a b", "scope": "all", "expires": "soon", "crm_abcdefgh": 1}"#;
        let error = Wanted::parse(body).unwrap_err();
        let fields: Vec<&str> = error
            .problems
            .iter()
            .map(|problem| problem.field.as_str())
            .collect();
        assert_eq!(fields, ["crm_abcd…", "name", "scope", "expires"]);
        for body in ["[]", "", "null", "{"] {
            assert!(Wanted::parse(body.as_bytes()).is_err(), "{body}");
        }
        assert!(Wanted::parse(br#"{"name": "a", "scope": "read", "expires": null}"#).is_ok());
    }
}
