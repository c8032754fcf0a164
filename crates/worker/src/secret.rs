//! Secrets: where their values come from, and how a task gets them.
//!
//! A task that names the secret `erp-token` finds the path of a private file in `$ERP_TOKEN_FILE`. The value never
//! stands in an argument, in the environment, in the log or in an error.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Knows the values of secrets.
pub trait Secrets: Send + Sync {
    /// The value of a secret; `None` if there is none of this name.
    fn get(&self, name: &str) -> Option<String>;
}

/// A secret's name as part of a variable's: `erp-token` becomes `ERP_TOKEN`.
pub fn variable_name(name: &str) -> String {
    let upper = |character: char| {
        if character.is_ascii_alphanumeric() { character.to_ascii_uppercase() } else { '_' }
    };
    name.chars().map(upper).collect()
}

/// Variables of this prefix hold secrets; tasks do not inherit them.
pub(crate) const VARIABLE_PREFIX: &str = "PARTITUR_SECRET_";

/// Secrets from variables: `erp-token` is the value of `PARTITUR_SECRET_ERP_TOKEN`.
#[derive(Clone, Default)]
pub struct EnvSecrets(HashMap<String, String>);

impl EnvSecrets {
    /// From an environment.
    pub fn new<'a>(environment: impl IntoIterator<Item = &'a (OsString, OsString)>) -> EnvSecrets {
        let secret = |(name, value): &(OsString, OsString)| {
            let name = name.to_str()?.strip_prefix(VARIABLE_PREFIX)?;
            Some((name.to_owned(), value.to_str()?.to_owned()))
        };
        EnvSecrets(environment.into_iter().filter_map(secret).collect())
    }
}

impl Secrets for EnvSecrets {
    fn get(&self, name: &str) -> Option<String> {
        self.0.get(&variable_name(name)).cloned()
    }
}

/// Secrets from a directory: `erp-token` is the content of the file `erp-token`, without a line feed at its end.
#[derive(Clone, Debug)]
pub struct DirSecrets(PathBuf);

impl DirSecrets {
    /// From the files of a directory.
    pub fn new(dir: impl Into<PathBuf>) -> DirSecrets {
        DirSecrets(dir.into())
    }
}

impl Secrets for DirSecrets {
    fn get(&self, name: &str) -> Option<String> {
        // A name must not lead out of the directory.
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
            return None;
        }
        let text = std::fs::read_to_string(self.0.join(name)).ok()?;
        Some(
            text.strip_suffix('\n')
                .map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text))
                .to_owned(),
        )
    }
}

/// Several sources; the first that knows a secret counts.
impl Secrets for Vec<Box<dyn Secrets>> {
    fn get(&self, name: &str) -> Option<String> {
        self.iter().find_map(|source| source.get(name))
    }
}

/// Whether a variable holds a secret, so that tasks do not inherit it.
pub(crate) fn holds_secret(variable: &OsStr) -> bool {
    variable.as_encoded_bytes().starts_with(VARIABLE_PREFIX.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_come_from_variables_and_from_files_and_from_nowhere_else() {
        let environment =
            [("PARTITUR_SECRET_ERP_TOKEN", "abc"), ("HOME", "/")].map(|(n, v)| (n.into(), v.into()));
        let variables = EnvSecrets::new(&environment);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("db"), "line\n").unwrap();
        let both: Vec<Box<dyn Secrets>> =
            vec![Box::new(variables), Box::new(DirSecrets::new(dir.path().join(".")))];
        assert_eq!(both.get("erp-token").as_deref(), Some("abc"));
        assert_eq!(both.get("db").as_deref(), Some("line"));
        for stranger in ["HOME", "", "../db", ".", "a/../db"] {
            assert_eq!(both.get(stranger), None, "{stranger}");
        }
    }
}
