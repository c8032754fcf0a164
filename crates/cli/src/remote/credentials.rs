//! A key: its id and its secret. Neither is ever printed.

use std::fmt;
use std::path::Path;

use partitur_model::Payload;

use crate::failure::Failure;

/// Who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A key, for which the server gives a token.
    Key { id: String, secret: String },
    /// A token that somebody else was given.
    Token(String),
}

impl Credentials {
    /// Those of the files, else those of the environment.
    ///
    /// # Errors
    /// Half of a key, or a file that cannot be read.
    pub fn find(key: Option<&Path>, secret: Option<&Path>) -> Result<Option<Credentials>, Failure> {
        let id = part(key, "CONDUCTOR_AUTH_KEY")?;
        let secret = part(secret, "CONDUCTOR_AUTH_SECRET")?;
        let token = part(None, "CONDUCTOR_AUTH_TOKEN")?;
        match (id, secret, token) {
            (Some(id), Some(secret), _) => Ok(Some(Credentials::Key { id, secret })),
            (None, None, token) => Ok(token.map(Credentials::Token)),
            (Some(_), None, _) => Err(half("id", "secret", "CONDUCTOR_AUTH_SECRET", "--secret-file")),
            (None, Some(_), _) => Err(half("secret", "id", "CONDUCTOR_AUTH_KEY", "--key-file")),
        }
    }

    /// What is exchanged for a token.
    pub fn request(&self) -> Option<String> {
        match self {
            Credentials::Key { id, secret } => {
                let parts = [("keyId", Payload::string(id)), ("keySecret", Payload::string(secret))];
                Some(Payload::object(parts).render())
            }
            Credentials::Token(_) => None,
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credentials::Key { .. } => "Key { .. }",
            Credentials::Token(_) => "Token(..)",
        })
    }
}

fn part(file: Option<&Path>, variable: &str) -> Result<Option<String>, Failure> {
    let text = match file {
        Some(path) => Some(
            std::fs::read_to_string(path)
                .map_err(|error| Failure::Io { what: format!("{} cannot be read", path.display()), error })?,
        ),
        None => std::env::var(variable).ok(),
    };
    Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
}

fn half(there: &str, missing: &str, variable: &str, flag: &str) -> Failure {
    Failure::usage(
        format!("the {there} of a key is given, and its {missing} is not"),
        format!("set {variable}, or name a file that holds it with {flag}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_shown_to_whoever_prints_it() {
        let key = Credentials::Key { id: "ada".to_owned(), secret: "s3cret".to_owned() };
        assert_eq!(format!("{key:?} {:?}", Credentials::Token("t0ken".to_owned())), "Key { .. } Token(..)");
        assert_eq!(key.request().unwrap(), r#"{"keyId":"ada","keySecret":"s3cret"}"#);
    }
}
