//! `partitur report`: why a run took as long as it did, and what would make it shorter.

use std::path::PathBuf;

use partitur_report::{Review, Surroundings};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::host::{AT_ONCE, Target};
use crate::output;
use crate::progress::moment;
use crate::records::Records;
use crate::settings::Global;

/// Say why a run took as long as it did, and what would help
///
/// Time saved against one task after the other and why not more, how many ran at once, what was waited for, what
/// determined the end, tasks slower than in earlier runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur report last
  partitur report 12 --html report.html     one file with pictures, for a browser
  partitur report 12 --json | jq .advice")]
pub struct Report {
    /// Which run
    run: String,
    /// As JSON; times in milliseconds since the run was accepted
    #[arg(long, conflicts_with = "html")]
    json: bool,
    /// As a page, into this file; `-` for standard output
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Report {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let target = Target::find(global, &self.run)?;
        let records = Records::read(&target.reader, target.run.id, None)?;
        let asked = records.run.options.concurrency;
        let declared = records.definition.concurrency.map(|concurrency| concurrency.max);
        let surroundings = Surroundings {
            slots: Some(asked.or(declared).unwrap_or(AT_ONCE)),
            processors: std::thread::available_parallelism().map_or(1, |count| count.get() as u32),
            usual: target.reader.durations(&records.definition.name)?,
        };
        let review = Review::of(&records.story(moment()), &surroundings);
        match self.html {
            Some(path) => output::write(&path, &review.html())?,
            None if self.json => println!("{}", review.json()),
            None => print!("{}", review.text()),
        }
        Ok(Exit::Success)
    }
}
