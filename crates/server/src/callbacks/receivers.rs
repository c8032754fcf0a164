//! Who may be told by name, and where secrets come from: what the settings file says.
//!
//! ```toml
//! [callbacks.erp]
//! url = "https://erp.example/hooks"
//! secret = "file:/run/secrets/erp-hook"
//! states = ["completed", "failed"]
//! workflows = "month-*"
//!
//! [callback_secrets]
//! reports = ["env:REPORTS_NEW", "env:REPORTS_OLD"]
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;

use partitur_model::callback::{Moments, NamedReceiver, Receiver};
use toml::{Table, Value};

use super::signature::Keys;

/// All of them. Secrets are named here, not held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receivers {
    named: BTreeMap<String, Named>,
    secrets: BTreeMap<String, Vec<Source>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    url: String,
    secret: Vec<Source>,
    moments: Option<Moments>,
    workflows: Option<String>,
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Variable(String),
    File(PathBuf),
}

/// Where something goes, and with what it is signed.
pub(crate) struct Address {
    pub url: String,
    pub keys: Keys,
}

impl Receivers {
    /// Takes over the table `callbacks`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn add(&mut self, table: Table) -> Result<(), String> {
        for (name, value) in table {
            let place = format!("callbacks.{name}");
            match Receiver::read(&name) {
                Ok(Receiver::Named(_)) => {}
                Ok(Receiver::Url(_)) | Err(_) => {
                    return Err(format!("`{place}`: a name has letters, digits, `-`, `_` and `.`"));
                }
            }
            let Value::Table(table) = value else { return Err(format!("`{place}` is a table with a `url`")) };
            self.named.insert(name, Named::read(table).map_err(|problem| format!("`{place}`: {problem}"))?);
        }
        Ok(())
    }

    /// Takes over the table `callback_secrets`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn add_secrets(&mut self, table: Table) -> Result<(), String> {
        for (name, value) in table {
            let sources =
                sources(&value).map_err(|problem| format!("`callback_secrets.{name}`: {problem}"))?;
            self.secrets.insert(name, sources);
        }
        Ok(())
    }

    /// As the engine knows them.
    pub(crate) fn named(&self) -> Vec<NamedReceiver> {
        let named = self.named.iter().map(|(name, named)| NamedReceiver {
            name: name.as_str().into(),
            moments: named.moments,
            workflows: named.workflows.clone(),
        });
        named.collect()
    }

    /// Where something goes now: secrets in files are read each time, so that they may change.
    ///
    /// # Errors
    /// Why it cannot go, for people.
    pub(crate) fn address(&self, to: &str, secret: Option<&str>) -> Result<Address, String> {
        let (url, own) = match Receiver::read(to)? {
            Receiver::Url(url) => (url.to_string(), &[][..]),
            Receiver::Named(name) => {
                let named = self.named.get(&*name);
                let named = named.ok_or_else(|| format!("the settings name no receiver `{name}`"))?;
                (named.url.clone(), &named.secret[..])
            }
        };
        let sources = match secret {
            Some(secret) => {
                let known = self.secrets.get(secret);
                known.ok_or_else(|| format!("the settings name no secret `{secret}`"))?
            }
            None => own,
        };
        let secrets = sources.iter().map(Source::read).collect::<Result<Vec<String>, String>>()?;
        let keys = Keys::new(secrets.iter().map(String::as_str));
        if keys.is_empty() && !sources.is_empty() {
            return Err("the secret is empty".to_owned());
        }
        Ok(Address { url, keys })
    }
}

impl Named {
    fn read(table: Table) -> Result<Named, String> {
        let (mut url, mut secret, mut moments, mut workflows) = (None, Vec::new(), None, None);
        for (key, value) in table {
            match key.as_str() {
                "url" => url = Some(text(&value, "url")?),
                "secret" => secret = sources(&value)?,
                "states" => moments = Some(states(&value)?),
                "workflows" => workflows = Some(text(&value, "workflows")?),
                other => {
                    return Err(format!("there is no `{other}`; there are url, secret, states, workflows"));
                }
            }
        }
        let url = url.ok_or("`url` is missing")?;
        match Receiver::read(&url) {
            Ok(Receiver::Url(_)) => Ok(Named { url, secret, moments, workflows }),
            Ok(Receiver::Named(_)) => Err("`url` is no URL of http or https".to_owned()),
            Err(problem) => Err(format!("`url`: {problem}")),
        }
    }
}

impl Source {
    /// The value is not part of any text that is written anywhere.
    fn of(text: &str) -> Result<Source, String> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Source::Variable(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Source::File(path.into())),
            Some(_) | None => {
                Err("a secret is named, as `env:NAME` or `file:PATH`, not written here".to_owned())
            }
        }
    }

    fn read(&self) -> Result<String, String> {
        match self {
            Source::Variable(name) => std::env::var(name)
                .map_err(|_| format!("the variable {name}, which holds the secret, is not set")),
            Source::File(path) => std::fs::read_to_string(path)
                .map_err(|error| format!("the secret in {} cannot be read: {error}", path.display())),
        }
    }
}

fn text(value: &Value, key: &str) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("`{key}` is a text"))
}

fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(values) => values.iter().map(Value::as_str).collect(),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Table(_) => {
            None
        }
    }
}

fn sources(value: &Value) -> Result<Vec<Source>, String> {
    let texts = texts(value).ok_or("a secret is `env:NAME`, `file:PATH`, or a list of them")?;
    texts.into_iter().map(Source::of).collect()
}

fn states(value: &Value) -> Result<Moments, String> {
    let words = texts(value).ok_or("`states` is a list of words")?;
    Moments::read(words).map_err(|word| format!("there is no state `{word}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Receivers, String> {
        let mut receivers = Receivers::default();
        let mut table: Table = text.parse().unwrap();
        let mut take = |name: &str| match table.remove(name) {
            Some(Value::Table(table)) => table,
            _ => Table::new(),
        };
        receivers.add(take("callbacks"))?;
        receivers.add_secrets(take("callback_secrets"))?;
        Ok(receivers)
    }

    #[test]
    fn a_receiver_has_a_url_states_workflows_and_names_its_secret() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        std::fs::write(&file, "s3cret\n").unwrap();
        let text = format!(
            "[callbacks.erp]\nurl = \"https://erp.example/h\"\nsecret = \"file:{0}\"\nstates = [\"failed\"]\n\
             workflows = \"m-*\"\n[callback_secrets]\nother = [\"file:{0}\", \"env:PARTITUR_TEST_NOT_SET\"]\n",
            file.display()
        );
        let receivers = read(&text).unwrap();
        let named = receivers.named().remove(0);
        assert!(named.hears_of("m-end") && !named.hears_of("x"));
        let address = receivers.address("erp", None).ok().unwrap();
        assert_eq!(address.keys.sign("i", 1, "b"), Keys::new(["s3cret"]).sign("i", 1, "b"));
        let problem =
            |to: &str, secret: Option<&str>| receivers.address(to, secret).err().unwrap_or_default();
        assert_eq!(
            problem("erp", Some("other")),
            "the variable PARTITUR_TEST_NOT_SET, which holds the secret, is not set"
        );
        assert_eq!(problem("https://x/", Some("nobody")), "the settings name no secret `nobody`");
        assert_eq!(problem("nobody", None), "the settings name no receiver `nobody`");
        assert_eq!(problem("https://x/", None), "");
        assert!(!format!("{receivers:?}").contains("s3cret"));
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_a_secret_is_never_shown() {
        for (text, wrong) in [
            ("[callbacks]\nerp = 1", "is a table"),
            ("[callbacks.erp]\nsecret = \"env:X\"", "`url` is missing"),
            ("[callbacks.erp]\nurl = \"erp\"", "is no URL"),
            ("[callbacks.erp]\nurl = \"https://u:p@x/\"", "password"),
            ("[callbacks.erp]\nurl = \"https://x/\"\nstates = [\"over\"]", "no state `over`"),
            ("[callbacks.erp]\nurl = \"https://x/\"\nsecrets = \"env:X\"", "no `secrets`"),
            ("[callbacks.\"a b\"]\nurl = \"https://x/\"", "a name has letters"),
            ("[callback_secrets]\na = \"hunter2\"", "is named"),
        ] {
            let problem = read(text).unwrap_err();
            assert!(problem.contains(wrong), "{text}: {problem}");
            assert!(!problem.contains("hunter2"));
        }
    }
}
