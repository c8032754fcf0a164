//! The commands, a file each.

mod check;
mod explain;
mod run;
mod schema;
mod version;

use clap::{Parser, Subcommand};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::Global;

/// Runs graphs of tasks in parallel, crash-safe.
#[derive(Debug, Parser)]
#[command(
    name = "partitur",
    version,
    about = "Runs graphs of tasks in parallel, crash-safe",
    after_help = Exit::table(),
    disable_help_subcommand = true,
    max_term_width = 100,
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// For all commands.
    #[command(flatten)]
    pub global: Global,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a document, or what its targets need
    Run(run::Run),
    /// Say everything that is wrong with a document
    Check(check::Check),
    /// Print the JSON Schema of documents, for editors
    Schema(schema::Schema),
    /// Explain an error code
    Explain(explain::Explain),
    /// Print the version
    Version(version::Version),
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// Why it could not.
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        match self {
            Command::Run(run) => run.run(global),
            Command::Check(check) => check.run(global),
            Command::Schema(schema) => schema.run(),
            Command::Explain(explain) => explain.run(),
            Command::Version(version) => version.run(),
        }
    }
}
