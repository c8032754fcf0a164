//! `partitur trace`: a run for the tools that draw timelines.

use std::path::PathBuf;

use partitur_report::{Timeline, trace};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::host::Target;
use crate::output;
use crate::progress::moment;
use crate::records::Records;
use crate::settings::Global;

/// Write a run as a trace, which ui.perfetto.dev and chrome://tracing open
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur trace last -o trace.json
  partitur trace 12 | gzip > trace.json.gz")]
pub struct Trace {
    /// Which run
    run: String,
    /// Into this file instead of standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

impl Trace {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let target = Target::find(global, &self.run)?;
        let records = Records::read(&target.reader, target.run.id, None)?;
        let title = format!("{}, run {}", records.run.name, records.run.id.number());
        let trace = trace(&title, &Timeline::of(&records.story(moment())));
        output::write(&self.output, &format!("{trace}\n"))?;
        Ok(Exit::Success)
    }
}
