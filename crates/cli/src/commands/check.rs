//! `partitur check`: everything that is wrong with a document, at once.

use std::path::PathBuf;

use partitur::host::{LoadError, load};
use partitur_formats::{Places, render};
use partitur_model::{Fault, Severity};
use serde_json::{Value, json};

use crate::document::{self, tally};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::plan::{found_json, found_lines};
use crate::settings::Global;
use crate::shape::Shape;

/// Say everything that is wrong with a document
///
/// Also names potential races: two tasks that touch the same file, service or resource, one of them writing, without
/// an order or a lock between them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur check flow.yaml
  partitur check flow.yaml --deny-warnings     # for a pipeline
  partitur check flow.yaml --json | jq '.faults[].code'")]
pub struct Check {
    /// The document: native YAML or JSON, nodes and edges, or a definition of Conductor's
    file: PathBuf,
    /// As JSON on standard output
    #[arg(long)]
    json: bool,
    /// Warnings count as errors
    #[arg(long)]
    deny_warnings: bool,
}

impl Check {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        if self.json {
            return self.run_json(global);
        }
        let loaded = document::open(&self.file, global.color)?;
        let places = &loaded.document.places;
        if !loaded.warnings.is_empty() {
            let colour = global.color.for_stream(&std::io::stderr());
            eprintln!("{}", render(&loaded.warnings, places, colour));
            if self.deny_warnings {
                eprintln!("{}", tally(&loaded.warnings));
                return Ok(Exit::Faulty);
            }
        }
        let shape = Shape::of(&loaded.document.definition, &[]);
        let warnings = match tally(&loaded.warnings) {
            none if none.is_empty() => String::new(),
            some => format!("; {some}"),
        };
        println!("ok: {}{warnings}", size(&shape));
        for line in found_lines(&loaded.document.definition.found) {
            println!("found: {line}");
        }
        Ok(Exit::Success)
    }

    fn run_json(self, global: &Global) -> Result<Exit, Failure> {
        let (faults, places, shape, found) = match load(&self.file) {
            Ok(loaded) => {
                let shape = figures(&Shape::of(&loaded.document.definition, &[]));
                let found = found_json(&loaded.document.definition.found);
                (loaded.warnings, loaded.document.places, shape, found)
            }
            Err(LoadError::Faulty { faults, places }) => (faults, *places, Value::Null, json!([])),
            // The same words as without JSON.
            Err(LoadError::Unreadable { .. }) => {
                return document::open(&self.file, global.color).map(|_| Exit::Faulty);
            }
        };
        let fatal = faults.iter().any(|fault| self.deny_warnings || fault.severity == Severity::Error);
        let told: Vec<Value> = faults.iter().map(|fault| fault_json(fault, &places)).collect();
        println!("{}", json!({"ok": !fatal, "faults": told, "graph": shape, "found": found}));
        Ok(if fatal { Exit::Faulty } else { Exit::Success })
    }
}

/// `12 tasks, 15 dependencies, widest 4`.
fn size(shape: &Shape<'_>) -> String {
    let count = |number: u32, one: &str, many: &str| match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {many}"),
    };
    let tasks = count(shape.nodes.len() as u32, "task", "tasks");
    let edges = count(shape.csr.edges(), "dependency", "dependencies");
    let widest = shape.waves().map_or(0, |waves| waves.widest());
    format!("{tasks}, {edges}, widest {widest}")
}

fn figures(shape: &Shape<'_>) -> Value {
    let waves = shape.waves();
    json!({
        "tasks": shape.nodes.len(),
        "dependencies": shape.csr.edges(),
        "waves": waves.as_ref().map_or(0, |waves| waves.count()),
        "widest": waves.as_ref().map_or(0, |waves| waves.widest()),
    })
}

fn fault_json(fault: &Fault, places: &Places) -> Value {
    let severity = match fault.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut told = json!({
        "code": fault.code,
        "severity": severity,
        "place": fault.place.0,
        "message": fault.message,
        "label": fault.label,
        "hint": fault.hint,
    });
    if let Some(at) = places.locate_fault(fault) {
        told["file"] = json!(places.path(at.file));
        told["line"] = json!(at.line);
        told["column"] = json!(at.column);
    }
    told
}
