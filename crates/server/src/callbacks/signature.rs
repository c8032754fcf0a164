//! How a receiver knows that it is us: the convention of Standard Webhooks, HMAC-SHA256 over id, time and body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// What is signed with: several at once while a secret changes.
pub(crate) struct Keys(Vec<hmac::Key>);

/// Secrets of this form are keys in Base64; all others are keys as they are.
const PREFIX: &str = "whsec_";

impl Keys {
    /// From secrets; one without content is none.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Keys {
        let secrets = secrets.into_iter().map(str::trim).filter(|secret| !secret.is_empty());
        let key = |secret: &str| {
            let decoded = secret.strip_prefix(PREFIX).and_then(|coded| STANDARD.decode(coded).ok());
            let bytes = decoded.unwrap_or_else(|| secret.as_bytes().to_vec());
            hmac::Key::new(hmac::HMAC_SHA256, &bytes)
        };
        Keys(secrets.map(key).collect())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The signatures by all of them, as the header has them.
    pub fn sign(&self, id: &str, seconds: u64, body: &str) -> String {
        let signed = format!("{id}.{seconds}.{body}");
        let signature = |key| format!("v1,{}", STANDARD.encode(hmac::sign(key, signed.as_bytes())));
        self.0.iter().map(signature).collect::<Vec<String>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the convention's own libraries.
    #[test]
    fn the_signature_is_that_of_the_convention() {
        let keys = Keys::new(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]);
        let signature = keys.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn two_secrets_sign_at_once_and_an_empty_one_does_not() {
        let keys = Keys::new(["old", " new\n", ""]);
        let signatures = keys.sign("i", 1, "{}");
        assert_eq!(
            signatures.split(' ').collect::<Vec<&str>>(),
            [Keys::new(["old"]).sign("i", 1, "{}"), Keys::new(["new"]).sign("i", 1, "{}")]
        );
        assert!(Keys::new([" \n"]).is_empty());
    }
}
