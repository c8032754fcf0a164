//! `partitur diff`: what is different between two runs.

use partitur_report::Difference;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::host::Target;
use crate::progress::moment;
use crate::records::Records;
use crate::settings::Global;

/// Say what is different between two runs: graph, inputs, outcomes, durations
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur diff 11 12
  partitur diff 11 last --json | jq .durations")]
pub struct Diff {
    /// The earlier run
    first: String,
    /// The later one
    second: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Diff {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let (first, second) = (records(global, &self.first)?, records(global, &self.second)?);
        let difference = Difference::of(&first.story(moment()), &second.story(moment()));
        if self.json {
            println!("{}", difference.json());
        } else {
            print!("{}", difference.text());
        }
        Ok(Exit::Success)
    }
}

fn records(global: &Global, run: &str) -> Result<Records, Failure> {
    let target = Target::find(global, run)?;
    Records::read(&target.reader, target.run.id, None)
}
