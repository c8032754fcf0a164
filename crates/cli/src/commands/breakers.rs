//! `partitur breakers`.

use partitur::host::{Session, Settings};
use partitur_api::Breaker;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::host::settings;
use crate::settings::Global;

/// List or reset circuit breakers
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:
  partitur breakers
  partitur breakers reset erp",
    args_conflicts_with_subcommands = true
)]
pub struct Breakers {
    #[command(subcommand)]
    what: Option<What>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Close a breaker by hand
    Reset {
        /// Its name
        name: String,
    },
}

impl Breakers {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let state = global.state()?;
        match self.what {
            Some(What::Reset { name }) => {
                let mut session = Session::enter(settings(&state, None, Vec::new()), &[])?;
                session.reset_breaker(&name)?;
                eprintln!("breaker {name}: closed");
            }
            None => {
                let breakers = match Session::join(&Settings::new(&state))? {
                    Some(mut session) => session.status()?.breakers,
                    None => Session::enter(settings(&state, None, Vec::new()), &[])?.status()?.breakers,
                };
                if self.json {
                    println!("{}", serde_json::json!(breakers));
                } else if breakers.is_empty() {
                    println!("every breaker is closed");
                } else {
                    breakers.iter().for_each(|breaker| println!("{}", line(breaker)));
                }
            }
        }
        Ok(Exit::Success)
    }
}

/// `erp  open for another 42s`.
pub fn line(breaker: &Breaker) -> String {
    let left = breaker.until.map(|until| until.saturating_sub(crate::progress::now()).div_ceil(1_000));
    let left = left.map_or_else(String::new, |seconds| format!(" for another {seconds}s"));
    format!("{}  {}{left}", breaker.name, breaker.state)
}
