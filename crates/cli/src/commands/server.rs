//! `partitur server`: runs of many people and workers, over HTTP.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use partitur_server::settings::{KNOWN, Row, Settings, SettingsError};
use partitur_server::{Server as Serving, ServerError};

use crate::exit::Exit;
use crate::failure::Failure;

/// Serves Conductor's protocol and the native one.
#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub struct Server {
    /// Address and port
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The directory of the state
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// A file of settings, in TOML
    #[arg(long, value_name = "FILE", env = "PARTITUR_SETTINGS", hide_env_values = true)]
    settings: Option<PathBuf>,
    /// A setting, over all others; may be given often
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Listen beyond this machine although there are no keys
    #[arg(long)]
    insecure: bool,
    /// Print each setting and where it came from, and start nothing
    #[arg(long)]
    check_config: bool,
}

fn after_help() -> String {
    let rows = KNOWN.iter().map(|known| format!("  {:<16} {} [{}]", known.name, known.about, known.default));
    format!(
        "Examples:
  partitur server                                  listen on 127.0.0.1:8080, state in ./partitur-data
  partitur server --data /var/lib/partitur --listen 127.0.0.1:9000
  partitur server --settings server.toml --check-config

Settings, in the file as they stand here, in the environment as PARTITUR_LISTEN, here as --set listen=…:
{}

SIGTERM ends it: polls are answered, requests in flight finished, everything is on the disk. SIGHUP reads the settings
again; `--check-config` marks those that it takes over.",
        rows.collect::<Vec<_>>().join("\n")
    )
}

impl Server {
    /// Serves until a signal comes.
    ///
    /// # Errors
    /// Why it cannot, or can no longer.
    pub fn run(self) -> Result<Exit, Failure> {
        let settings = self.read_settings()?;
        if self.check_config {
            let mut out = std::io::stdout().lock();
            for row in settings.table() {
                // Whoever has closed the other end does not want to read it.
                let _ = writeln!(out, "{} = {:?}  # {}{}", row.name, row.value, row.origin, live(&row));
            }
            return Ok(Exit::Success);
        }
        let server = Serving::open(settings).map_err(failure)?;
        let metrics = server.metrics_address().map(|address| format!(", metrics: {address}"));
        let ready = |address| {
            let (version, metrics) = (env!("CARGO_PKG_VERSION"), metrics.unwrap_or_default());
            eprintln!("partitur {version} listens on http://{address} (routes: /docs{metrics})");
        };
        server.run(ready).map_err(failure)?;
        Ok(Exit::Success)
    }

    fn read_settings(&self) -> Result<Settings, Failure> {
        let mut flags = Vec::new();
        for setting in &self.set {
            let (name, value) = setting.split_once('=').ok_or_else(|| {
                Failure::usage(
                    format!("`--set {setting}` has no `=`"),
                    "write it as `--set listen=127.0.0.1:9000`",
                )
            })?;
            flags.push((name.to_owned(), value.to_owned()));
        }
        let own = [("listen", self.listen.clone()), ("data", self.data.clone())];
        flags.extend(own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        flags.extend(self.insecure.then(|| ("insecure".to_owned(), "true".to_owned())));
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Settings::read(self.settings.as_deref(), environment, flags).map_err(|error| {
            let hint = match &error {
                SettingsError::Open(_) => "listen on 127.0.0.1, or say `--set auth=keys`",
                SettingsError::File { .. } | SettingsError::Unknown { .. } | SettingsError::Value { .. } => {
                    "`partitur server --help` lists all settings"
                }
            };
            Failure::usage(error.to_string(), hint)
        })
    }
}

/// What SIGHUP takes over is marked.
fn live(row: &Row) -> &'static str {
    if row.live { ", reloaded by SIGHUP" } else { "" }
}

fn failure(error: ServerError) -> Failure {
    match error {
        ServerError::Store(error) | ServerError::Open(partitur_server::OpenError::Store(error)) => {
            Failure::Store(error)
        }
        ServerError::Shard(error) => Failure::Store(error.cause().clone()),
        ServerError::Occupied(_) => {
            Failure::refused(error.to_string(), "stop that process, or name another directory with `--data`")
        }
        ServerError::Listen(..) => {
            Failure::refused(error.to_string(), "name another address with `--listen`")
        }
        ServerError::Open(partitur_server::OpenError::Thread(error)) | ServerError::Io(error) => {
            Failure::Io { what: "the server".to_owned(), error }
        }
        ServerError::Signature(_) => {
            Failure::refused(error.to_string(), "remove the file: clients get new tokens by themselves")
        }
    }
}
