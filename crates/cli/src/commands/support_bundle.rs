//! `partitur support-bundle`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use partitur_model::Payload;
use partitur_model::record::RunRecord;
use partitur_store::{Reader, RunFilter, Search};
use serde_json::{Value, json};

use crate::examination::{Check, examine, is_current};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::place::Place;
use crate::settings::Global;

/// Runs that are told of.
const RUNS: usize = 200;

/// Gather what somebody who helps needs, without secrets
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur support-bundle --data /var/lib/partitur support.json
  partitur support-bundle --with-payloads -

In it: what `doctor` finds, how many runs there are of each name and state, and the newest ones in short. Not in it: the
environment, keys, definitions and the output of commands; inputs, outputs, names of people, and the sentences of errors only
with --with-payloads.")]
pub struct SupportBundle {
    /// The file to write; `-` is the terminal
    #[arg(value_name = "FILE", default_value = "-")]
    to: PathBuf,
    /// Inputs, outputs, correlations and the sentences of errors, too
    #[arg(long)]
    with_payloads: bool,
    /// Where the server listens, or is to
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: String,
    #[command(flatten)]
    place: Place,
}

impl SupportBundle {
    /// Writes it.
    ///
    /// # Errors
    /// There is no state directory; the file cannot be written.
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let dir = self.place.dir(global)?;
        let checks: Vec<Value> = examine(&dir, &self.listen, false).iter().map(Check::json).collect();
        // A database that cannot be read is told of by the checks.
        let rows = is_current(&dir)
            .then(|| Reader::open(dir.join("partitur.db")).and_then(|reader| self.rows(&reader)).ok())
            .flatten();
        let bundle = json!({
            "partitur": env!("CARGO_PKG_VERSION"),
            "system": system(),
            "checks": checks,
            "files": files(&dir),
            "rows": rows,
        });
        let text = serde_json::to_string_pretty(&bundle).expect("it is made of text and numbers");
        output::write(&self.to, &format!("{text}\n"))?;
        Ok(Exit::Success)
    }

    fn rows(&self, reader: &Reader) -> Result<Value, partitur_store::StoreError> {
        let mut counts: BTreeMap<String, Value> = BTreeMap::new();
        for name in reader.names()? {
            let found =
                reader.search(&Search { names: vec![name.clone()], limit: 0, ..Search::default() })?;
            counts.insert(name, json!({"runs": found.total, "exact": found.total_is_exact}));
        }
        let newest = reader.runs(&RunFilter { limit: RUNS, ..RunFilter::default() })?;
        let room = reader.room()?;
        Ok(json!({
            "names": counts,
            "room": {"used": room.used, "free": room.free, "removing": room.removing},
            "newest": newest.runs.iter().map(|run| self.run_in_short(run)).collect::<Vec<_>>(),
            "quarantined": newest.quarantined.iter().map(|bad| bad.reason.clone()).collect::<Vec<_>>(),
        }))
    }

    fn run_in_short(&self, run: &RunRecord) -> Value {
        let server = run.options.server.as_ref();
        let mut told = json!({
            "run": run.id.number(),
            "name": run.name,
            "state": format!("{:?}", run.state),
            "generation": run.generation,
            "created": run.created.millis(),
            "ended": run.ended.map(|ended| ended.millis()),
            "parent": run.parent.map(|parent| parent.run.number()),
            "error": run.error.as_ref().map(|error| error.code.clone()),
            "inputBytes": run.input.render().len(),
            "outputBytes": run.output.as_ref().map(|output| output.render().len()),
            "priority": server.map(|server| server.priority),
        });
        if self.with_payloads {
            told["input"] = run.input.to_value();
            told["output"] = run.output.as_ref().map_or(Value::Null, Payload::to_value);
            told["correlation"] = json!(server.and_then(|server| server.correlation.clone()));
            told["reason"] = json!(run.error.as_ref().map(|error| error.message.clone()));
        }
        told
    }
}

fn system() -> Value {
    let uname = rustix::system::uname();
    json!({
        "kernel": uname.release().to_string_lossy(),
        "machine": uname.machine().to_string_lossy(),
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
    })
}

/// The files of the directory with their sizes; names of files of runs are numbers.
fn files(dir: &Path) -> Value {
    let Ok(entries) = std::fs::read_dir(dir) else { return Value::Null };
    let sizes = entries.flatten().filter_map(|entry| {
        let found = entry.metadata().ok()?;
        found.is_file().then(|| (entry.file_name().to_string_lossy().into_owned(), json!(found.len())))
    });
    Value::Object(sizes.collect())
}
