//! A document that is only looked at. What keeps it from being run here, workers or definitions that only a server has,
//! does not keep it from being planned and drawn.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use partitur::host::{LoadError, load};
use partitur_conductor::Bundle;
use partitur_model::definition::Definition;
use partitur_model::record::DefinitionRecord;
use partitur_model::{Fault, Severity};

use crate::document;
use crate::failure::Failure;
use crate::ink::Colour;

/// Faults of definitions that a server may run: work for a worker, a workflow that is not in the document.
const ONLY_HERE: [&str; 2] = ["P0141", "P0142"];

/// A document that is only looked at.
pub struct Paper {
    /// What it says.
    pub definition: Arc<Definition>,
    /// Under which name and id its runs are stored.
    pub record: DefinitionRecord,
    /// Where it lies, absolute.
    pub dir: PathBuf,
}

impl Paper {
    /// Reads a document.
    ///
    /// # Errors
    /// As [`document::open`], but not for what only a server has.
    pub fn open(path: &Path, colour: Colour) -> Result<Paper, Failure> {
        let for_a_server = match load(path) {
            Ok(loaded) => {
                let definition = loaded.document.definition;
                return Ok(Paper { definition, record: loaded.record, dir: loaded.dir });
            }
            Err(LoadError::Faulty { faults, .. }) => faults.iter().all(is_only_here),
            Err(LoadError::Unreadable { .. }) => false,
        };
        let served = if for_a_server { Paper::of_a_server(path) } else { None };
        match served {
            Some(paper) => Ok(paper),
            // In the words of the other commands.
            None => {
                let loaded = document::open(path, colour)?;
                Ok(Paper { definition: loaded.document.definition, record: loaded.record, dir: loaded.dir })
            }
        }
    }

    /// A definition of Conductor's that only a server can run.
    fn of_a_server(path: &Path) -> Option<Paper> {
        let bundle = Arc::new(Bundle::read(&std::fs::read_to_string(path).ok()?).ok()?);
        let definition = Arc::new(bundle.lower().ok()?);
        let dir = std::path::absolute(path).ok()?.parent()?.to_owned();
        Some(Paper { definition, record: bundle.record(), dir })
    }
}

fn is_only_here(fault: &Fault) -> bool {
    fault.severity == Severity::Warning || ONLY_HERE.contains(&fault.code)
}
