//! `partitur version`.

use crate::exit::Exit;
use crate::failure::Failure;

/// Print the version
#[derive(Debug, clap::Args)]
pub struct Version {
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Version {
    pub fn run(self) -> Result<Exit, Failure> {
        let version = env!("CARGO_PKG_VERSION");
        if self.json {
            println!("{}", serde_json::json!({"partitur": version}));
        } else {
            println!("partitur {version}");
        }
        Ok(Exit::Success)
    }
}
