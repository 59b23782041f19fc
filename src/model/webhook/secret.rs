//! The secret of a webhook, and the signature that it makes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::base::error::{Error, Result};

/// The beginning of every secret of a webhook.
pub const SECRET_PREFIX: &str = "whsec_";

/// How many random bytes a secret has. Standard Webhooks asks for 24 to 64.
const LENGTH: usize = 32;

/// A secret of a webhook: `whsec_` and random bytes in Base64. `{:?}` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(String);

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningSecret({SECRET_PREFIX}…)")
    }
}

impl SigningSecret {
    /// A new random secret.
    pub fn new() -> Result<SigningSecret> {
        let mut random = [0; LENGTH];
        getrandom::fill(&mut random).map_err(|error| {
            Error::failed(format!("the system provides no random numbers: {error}"))
        })?;
        Ok(SigningSecret(format!(
            "{SECRET_PREFIX}{}",
            STANDARD.encode(random)
        )))
    }

    /// Reads a secret. `None` if the text is not one.
    pub fn parse(text: &str) -> Option<SigningSecret> {
        let key = STANDARD.decode(text.strip_prefix(SECRET_PREFIX)?).ok()?;
        (24..=64)
            .contains(&key.len())
            .then(|| SigningSecret(text.into()))
    }

    /// The whole secret, for its holder.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The signature over a message.
    fn sign(&self, id: &str, seconds: u64, body: &[u8]) -> Option<String> {
        let key = STANDARD.decode(self.0.strip_prefix(SECRET_PREFIX)?).ok()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        Some(format!(
            "v1,{}",
            STANDARD.encode(mac.finalize().into_bytes())
        ))
    }
}

/// The value of `webhook-signature`: a signature with each secret, separated by spaces.
pub fn signature<'a>(
    secrets: impl IntoIterator<Item = &'a SigningSecret>,
    id: &str,
    seconds: u64,
    body: &[u8],
) -> String {
    let signed = secrets.into_iter();
    let signed: Vec<String> = signed
        .filter_map(|secret| secret.sign(id, seconds, body))
        .collect();
    signed.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_standard() {
        // The example of the reference libraries.
        let secret = SigningSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        assert_eq!(
            signature([&secret], id, 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        let other = SigningSecret::new().unwrap();
        let both = signature([&secret, &other], id, 1_614_265_330, body);
        assert_eq!(both.split(' ').count(), 2);
    }

    #[test]
    fn a_secret_reads_what_it_wrote_and_hides_itself() {
        let secret = SigningSecret::new().unwrap();
        assert_eq!(SigningSecret::parse(secret.text()), Some(secret.clone()));
        assert!(!format!("{secret:?}").contains(&secret.text()[10..]));
        for wrong in ["", "whsec_", "whsec_abc", "whsec_AAAA", &secret.text()[1..]] {
            assert_eq!(SigningSecret::parse(wrong), None, "{wrong}");
        }
    }
}
