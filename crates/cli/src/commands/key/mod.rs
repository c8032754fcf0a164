//! `partitur key`: who may ask a server that wants keys.
//!
//! Whoever may write the directory of a server's state decides who has keys. While the server runs, it is asked on the
//! address that it has noted there, with the key that it has made for its owner; otherwise the directory is changed.

mod ask;

use std::path::{Path, PathBuf};

use partitur_model::Timestamp;
use partitur_model::unit::parse_duration;
use partitur_server::auth::offline::{OfflineError, with_keys};
use partitur_server::auth::{Bearer, Key as Kept, KeysError, NewKey, Role, Roles, Secret};
use partitur_store::StateDir;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::failure::Failure;
use ask::Server;

/// Make, list or revoke the keys of a server
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur key create ci --role operator --expires 90d
  partitur key create anna --role admin --person
  partitur key list
  partitur key rotate ptk_0123456789abcdef --overlap 1h
  partitur key revoke ptk_0123456789abcdef

Keys hold for servers with the setting `auth = keys`. While the server runs it is asked, with $PARTITUR_API_KEY or the key
that it has written to `admin.key` in its directory.")]
pub struct Key {
    #[command(subcommand)]
    what: What,
    /// The directory of the server's state
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "PARTITUR_DATA",
        hide_env_values = true,
        default_value = "./partitur-data"
    )]
    data: PathBuf,
    /// As JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Make a key, and print it: nobody can print it again
    Create {
        /// For people
        name: String,
        /// admin, developer, operator, worker or viewer; may be given often
        #[arg(long, required = true)]
        role: Vec<Role>,
        /// It is for a person, not for a program
        #[arg(long)]
        person: bool,
        /// So long it holds, as 90d
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
    },
    /// All keys
    List,
    /// Give a key another secret, and print it
    Rotate {
        /// Its id
        id: String,
        /// So long the old secret holds
        #[arg(long, value_name = "TIME", default_value = "0s")]
        overlap: String,
    },
    /// Revoke a key, at once
    Revoke {
        /// Its id
        id: String,
    },
}

impl Key {
    pub fn run(self) -> Result<Exit, Failure> {
        if !self.data.join("partitur.db").exists() && !matches!(self.what, What::Create { .. }) {
            let message = format!("there is no state in {}", self.data.display());
            return Err(Failure::refused(message, "name the directory of the server with `--data`"));
        }
        let told = match self.offline() {
            Err(OfflineError::Occupied(_)) => self.online()?,
            offline => offline.map_err(failure)?,
        };
        self.print(&told);
        Ok(Exit::Success)
    }

    /// What is told of the keys, as the server tells it.
    fn offline(&self) -> Result<Value, OfflineError> {
        let state = StateDir::open(&self.data)?;
        let wish = |what: &str, error: &dyn std::fmt::Display| KeysError::Wish(format!("{what}: {error}"));
        with_keys(&state, Timestamp::from_millis(crate::progress::now()), |keys, now| match &self.what {
            What::Create { name, role, person, expires } => {
                let span = expires.as_deref().map(parse_duration).transpose();
                let span = span.map_err(|error| wish("--expires", &error))?;
                let wanted = NewKey {
                    name: name.clone(),
                    bearer: if *person { Bearer::Person } else { Bearer::Machine },
                    roles: Roles::new(role.iter().copied()),
                    expires: span.map(|span| (now + span).millis()),
                };
                let (entry, key, secret) = keys.create(wanted, now)?;
                Ok((vec![entry], with_secret(&key, &secret, now)))
            }
            What::List => {
                let all = keys.all();
                Ok((Vec::new(), all.iter().map(|key| key.told(now.millis())).collect()))
            }
            What::Rotate { id, overlap } => {
                let overlap = parse_duration(overlap).map_err(|error| wish("--overlap", &error))?;
                let (entry, key, secret) = keys.rotate(id, now, overlap.as_millis() as u64)?;
                Ok((vec![entry], with_secret(&key, &secret, now)))
            }
            What::Revoke { id } => Ok((vec![keys.revoke(id, now)?], Value::Null)),
        })
    }

    fn online(&self) -> Result<Value, Failure> {
        let mut server = Server::of(&self.data)?;
        match &self.what {
            What::Create { name, role, person, expires } => {
                let roles: Vec<&str> = role.iter().map(|role| role.name()).collect();
                let wanted = json!({"name": name, "roles": roles, "person": person, "expires": expires});
                server.ask("POST", "/v1/keys", &wanted)
            }
            What::List => server.ask("GET", "/v1/keys", &Value::Null),
            What::Rotate { id, overlap } => {
                let overlap = overlap.replace(' ', "+");
                server.ask("POST", &format!("/v1/keys/{}/rotate?overlap={overlap}", named(id)?), &Value::Null)
            }
            What::Revoke { id } => server.ask("DELETE", &format!("/v1/keys/{}", named(id)?), &Value::Null),
        }
    }

    fn print(&self, told: &Value) {
        if self.json {
            println!("{told}");
            return;
        }
        match &self.what {
            What::Create { .. } | What::Rotate { .. } => {
                for part in ["id", "secret", "key"] {
                    println!("{part:<7} {}", told[part].as_str().unwrap_or_default());
                }
                eprintln!("nobody can print this secret again: keep it where secrets are kept");
            }
            What::List => told.as_array().into_iter().flatten().for_each(|key| println!("{}", line(key))),
            What::Revoke { id } => eprintln!("{id} is revoked"),
        }
    }
}

fn with_secret(key: &Kept, secret: &Secret, now: Timestamp) -> Value {
    key.told_with(secret, now.millis())
}

/// An id as it stands in a path.
fn named(id: &str) -> Result<&str, Failure> {
    let sound = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if sound && !id.is_empty() {
        return Ok(id);
    }
    Err(Failure::usage(format!("`{id}` is not the id of a key"), "`partitur key list` shows them"))
}

/// `ptk_0123456789abcdef  live     worker            ci`.
fn line(key: &Value) -> String {
    let text = |name: &str| key[name].as_str().unwrap_or_default();
    let roles: Vec<&str> = key["roles"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    format!("{}  {:<7}  {:<18}  {}", text("id"), text("state"), roles.join(","), text("name"))
}

fn failure(error: OfflineError) -> Failure {
    match error {
        OfflineError::Store(error) => Failure::Store(error),
        OfflineError::Keys(error) => {
            Failure::refused(error.to_string(), "`partitur key list` shows which there are")
        }
        OfflineError::Occupied(_) => Failure::refused(error.to_string(), "stop it"),
    }
}

/// The directory in a message.
fn shown(data: &Path) -> String {
    data.display().to_string()
}
