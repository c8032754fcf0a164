//! `partitur plan`: how a document would run, and what would make it faster.

use std::path::PathBuf;

use partitur_model::Payload;
use partitur_model::definition::Definition;

use crate::document;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::host::AT_ONCE;
use crate::plan::{Paper, Wanted, show_study};
use crate::settings::Global;

/// Say how a document would run, how long that takes, and what would make it faster
///
/// Durations are those of earlier runs, else what the document expects, else one second. What a dependency, a lock or a
/// limit costs is found by planning again without it. Nothing is executed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur plan flow.yaml
  partitur plan flow.yaml --workers 16          # how much would more at once help?
  partitur plan flow.yaml --partition 3         # split among three machines
  partitur plan flow.yaml --json | jq '.advice[0]'")]
pub struct Plan {
    /// The document: native YAML or JSON, nodes and edges, or a definition of Conductor's
    file: PathBuf,
    /// Only these tasks and what they need
    targets: Vec<String>,
    /// So many tasks at once [default: 10, or what the document says]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    workers: Option<u32>,
    /// Split the tasks among so many machines, by levels and by chains
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    partition: Option<u32>,
    /// An input; JSON unless the document declares it a string
    #[arg(short, long = "input", value_name = "NAME=VALUE")]
    inputs: Vec<String>,
    /// A file with a JSON object of inputs (`-` is standard input)
    #[arg(long, value_name = "FILE")]
    input_file: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Plan {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let loaded = Paper::open(&self.file, global.color)?;
        let definition = loaded.definition.clone();
        let declared = definition.concurrency.map(|concurrency| concurrency.max);
        let wanted = Wanted {
            definition: &definition,
            targets: &self.targets,
            input: &self.input(&definition)?,
            state: &global.state_for(&loaded.dir),
            at_once: self.workers.or(declared).unwrap_or(AT_ONCE),
            as_json: self.json,
        };
        show_study(&wanted, self.partition)
    }

    /// Inputs that nobody gives need not be there: what they decide is shown as open.
    fn input(&self, definition: &Definition) -> Result<Payload, Failure> {
        let given = document::inputs(definition, self.input_file.as_deref(), &self.inputs, &self.targets);
        match given {
            Ok(input) => Ok(input),
            Err(Failure::Inputs { .. })
                if self.inputs.is_empty() && self.input_file.is_none() && self.targets.is_empty() =>
            {
                Ok(Payload::object(Vec::<(String, Payload)>::new()))
            }
            Err(failure) => Err(failure),
        }
    }
}
