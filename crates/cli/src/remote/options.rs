//! Where the server is, and who asks it: flags first, then the environment.

use std::path::PathBuf;
use std::time::Duration;

use partitur_model::unit::parse_duration;

use super::credentials::Credentials;
use crate::failure::Failure;

/// Where servers listen, unless somebody says otherwise.
const DEFAULT: &str = "http://127.0.0.1:8080";

/// For all commands that ask a server.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Server")]
pub struct Remote {
    /// The server [default: PARTITUR_SERVER, CONDUCTOR_SERVER_URL, http://127.0.0.1:8080]
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// A file with the id of the key [default: CONDUCTOR_AUTH_KEY holds it]
    #[arg(long, global = true, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// A file with the secret of the key [default: CONDUCTOR_AUTH_SECRET holds it]
    #[arg(long, global = true, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// How long an answer may take
    #[arg(long, global = true, value_name = "TIME", default_value = "30s", value_parser = span)]
    timeout: Duration,
    /// Print what the server said, as JSON
    #[arg(long, global = true)]
    pub json: bool,
}

impl Remote {
    /// The server, as it was given.
    pub fn server(&self) -> String {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let given = self.server.clone().or_else(|| variable("PARTITUR_SERVER"));
        given.or_else(|| variable("CONDUCTOR_SERVER_URL")).unwrap_or_else(|| DEFAULT.to_owned())
    }

    /// Who asks, if anybody says so.
    ///
    /// # Errors
    /// Half of a key, or a file that cannot be read.
    pub fn credentials(&self) -> Result<Option<Credentials>, Failure> {
        Credentials::find(self.key_file.as_deref(), self.secret_file.as_deref())
    }

    /// How long an answer may take.
    pub fn patience(&self) -> Duration {
        self.timeout
    }
}

/// `250ms`, `5s`, `2m`, `1h`.
pub fn span(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}
