//! The gate: decides whether a request may proceed. Every request passes through it, and it refuses everything that it
//! does not know.
//!
//! By default a service is open until its database has a first token, so that it can be tried out without a token. From
//! then on every request needs a token with the scope of its operation.

use std::sync::Arc;

use warp::http::HeaderMap;
use warp::http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use warp::reply::Response;

use super::reply;
use crate::base::error::{Code, Error, Result};
use crate::base::time;
use crate::model::token::{Keyring, PREFIX, Scope, Secret, Token};
use crate::operation::about::Access;
use crate::ops::calendar;
use crate::store::any::AnyStore;
use crate::store::contract::Store;

/// When a token is required.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// As soon as the database has a token.
    #[default]
    FromFirstToken,
    /// Never.
    Open,
    /// Always.
    Required,
}

/// Why a request was refused.
pub(super) struct Refusal {
    error: Error,
    /// The header `WWW-Authenticate` (RFC 6750, section 3).
    challenge: &'static str,
    /// The token, if it is one of this service, so that the log can name who was refused.
    pub(super) who: Option<Arc<Token>>,
}

impl Refusal {
    /// Names the parameter that needs more than the rest of the request.
    pub(super) fn names(&mut self, parameter: &str) {
        self.error.message = format!("{parameter}: {}", self.error.message);
    }

    /// Makes the response.
    pub(super) fn respond(&self, request_id: &str) -> Response {
        let mut response = reply::error(&self.error, request_id);
        if !self.challenge.is_empty() {
            let challenge = HeaderValue::from_static(self.challenge);
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal {
            error,
            challenge: "",
            who: None,
        }
    }
}

fn unauthenticated(message: impl Into<String>, challenge: &'static str) -> Refusal {
    Refusal {
        error: Error::new(Code::Unauthenticated, message),
        challenge,
        who: None,
    }
}

const NOBODY: &str = r#"Bearer realm="crm""#;
const INVALID: &str = r#"Bearer realm="crm", error="invalid_token""#;

/// The credentials of a request.
enum Credentials {
    Nothing,
    Secret(Secret),
    /// Starts like a token of crm, but is not one.
    Broken,
    /// A `Bearer` token that is not from crm, or another scheme.
    Other,
}

fn credentials(headers: &HeaderMap) -> Credentials {
    let given: Vec<&HeaderValue> = headers.get_all(AUTHORIZATION).iter().collect();
    let is_ours = |value: &&HeaderValue| {
        bearer(value).is_some_and(|token| token.starts_with(PREFIX.as_bytes()))
    };
    if !given.iter().any(is_ours) {
        return match given.is_empty() {
            true => Credentials::Nothing,
            false => Credentials::Other,
        };
    }
    let secret = match given[..] {
        [value] => bearer(value).and_then(|token| Secret::parse(std::str::from_utf8(token).ok()?)),
        _ => None,
    };
    secret.map_or(Credentials::Broken, Credentials::Secret)
}

/// The token after the scheme `Bearer`.
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let text = value.as_bytes();
    let (scheme, token) = text.split_at_checked(6)?;
    let is_apart = token
        .first()
        .is_some_and(|byte| matches!(byte, b' ' | b'\t'));
    (scheme.eq_ignore_ascii_case(b"bearer") && is_apart).then(|| token.trim_ascii())
}

/// The secret that a request carries.
pub(super) fn presented(headers: &HeaderMap) -> Option<Secret> {
    match credentials(headers) {
        Credentials::Secret(secret) => Some(secret),
        Credentials::Nothing | Credentials::Broken | Credentials::Other => None,
    }
}

/// Whether a service with this policy and these tokens is open to everyone.
pub(super) fn is_open(policy: Policy, keyring: &Keyring) -> bool {
    match policy {
        Policy::FromFirstToken => keyring.is_empty(),
        Policy::Open => true,
        Policy::Required => false,
    }
}

/// Decides about a request with its token in the path, the end of which is `file`. All refusals are the same, so that they do
/// not tell whether there is such a token. A token of another scope is refused too: it is not for addresses, which are
/// shown and kept in many places.
pub(super) async fn admit_path(
    store: &AnyStore,
    scope: Scope,
    file: &str,
) -> Result<Arc<Token>, Refusal> {
    let refused = |who| Refusal {
        error: calendar::unknown(),
        challenge: "",
        who,
    };
    let secret = file.strip_suffix(calendar::END).and_then(Secret::parse);
    let secret = secret.ok_or_else(|| refused(None))?;
    let mut found = store.keyring().await?.find(&secret).cloned();
    if found.is_none() {
        found = store.keyring_anew().await?.find(&secret).cloned();
    }
    let token = found.ok_or_else(|| refused(None))?;
    let has_expired = token.expires_at.is_some() && token.has_expired(&time::now());
    match token.scope == scope && !has_expired {
        true => Ok(token),
        false => Err(refused(Some(token))),
    }
}

/// Decides about a request. Returns its token, if the operation needs one and the request has one.
pub(super) async fn admit(
    store: &AnyStore,
    policy: Policy,
    access: Access,
    headers: &HeaderMap,
) -> Result<Option<Arc<Token>>, Refusal> {
    let Access::Token(needed) = access else {
        return Ok(None);
    };
    let keyring = store.keyring().await?;
    let is_open = is_open(policy, &keyring);
    let secret = match credentials(headers) {
        Credentials::Secret(secret) => secret,
        // A proxy in front of the service may use the header for itself.
        Credentials::Nothing | Credentials::Other if is_open && needed < Scope::Admin => {
            return Ok(None);
        }
        Credentials::Nothing if keyring.is_empty() => {
            let message = "authentication required; no token exists yet. Create one on the server's machine: \
                           crm token create NAME --scope admin";
            return Err(unauthenticated(message, NOBODY));
        }
        Credentials::Nothing => {
            let message = "authentication required; send a token as Authorization: Bearer crm_…; commands take it from \
                           CRM_TOKEN or --token-file";
            return Err(unauthenticated(message, NOBODY));
        }
        Credentials::Broken => {
            let message = "Authorization: expected one header with Bearer and a token, crm_ and 32 letters and digits, got \
                           a malformed token";
            return Err(unauthenticated(message, INVALID));
        }
        Credentials::Other => {
            let message =
                "Authorization: expected one header with Bearer and a token that begins with crm_";
            return Err(unauthenticated(message, INVALID));
        }
    };
    let mut found = keyring.find(&secret).cloned();
    if found.is_none() {
        found = store.keyring_anew().await?.find(&secret).cloned();
    }
    let Some(token) = found else {
        let message =
            "Authorization: expected a token of this service; this one is unknown or was revoked";
        return Err(unauthenticated(message, INVALID));
    };
    if token.expires_at.is_some() && token.has_expired(&time::now()) {
        let message = format!(
            "Authorization: the token {} expired at {} UTC",
            token.name,
            token.expires_at.as_deref().unwrap_or_default()
        );
        let refusal = unauthenticated(message, INVALID);
        return Err(Refusal {
            who: Some(token),
            ..refusal
        });
    }
    if token.scope < needed {
        return Err(Refusal {
            error: Error::new(
                Code::Denied,
                format!(
                    "access denied: the token {} has the scope {}; expected a token with the scope {}",
                    token.name,
                    token.scope.word(),
                    needed.word()
                ),
            ),
            challenge: match needed {
                Scope::Calendar => {
                    r#"Bearer realm="crm", error="insufficient_scope", scope="calendar""#
                }
                Scope::Read => r#"Bearer realm="crm", error="insufficient_scope", scope="read""#,
                Scope::Write => r#"Bearer realm="crm", error="insufficient_scope", scope="write""#,
                Scope::Admin => r#"Bearer realm="crm", error="insufficient_scope", scope="admin""#,
            },
            who: Some(token),
        });
    }
    Ok(Some(token))
}
