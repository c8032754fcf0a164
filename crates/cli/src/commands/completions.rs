//! `partitur completions`.

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use super::Cli;
use crate::exit::Exit;
use crate::failure::Failure;

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur completions bash > ~/.local/share/bash-completion/completions/partitur
  partitur completions zsh > ~/.zfunc/_partitur
  partitur completions fish > ~/.config/fish/completions/partitur.fish")]
pub struct Completions {
    /// Which
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> Result<Exit, Failure> {
        generate(self.shell, &mut Cli::command(), "partitur", &mut std::io::stdout());
        Ok(Exit::Success)
    }
}
