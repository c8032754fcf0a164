//! What incremental runs need of their host: where successes are kept, what is told of decisions, and what an equal run
//! is equal by.

use std::path::Path;
use std::sync::Arc;

use partitur_api::EventKind;
use partitur_model::record::RunRecord;
use partitur_store::StateDir;
use partitur_worker::build::{BuildContext, Decision, Seal, Verdict, build_dir};

/// The label of a run of which every task is executed.
pub(crate) const FORCE: &str = "force";

/// Where the successes of a run's tasks are kept.
pub(crate) fn context(state: &StateDir, run: &RunRecord, dir: &Path, force: bool) -> BuildContext {
    let is_forced = run.options.labels.iter().any(|(name, _)| name == FORCE);
    // Paths of tasks are unique within a run; those of a sub-flow are its own.
    let name = if run.flow.is_empty() { run.name.clone() } else { format!("{}/{}", run.name, run.flow) };
    BuildContext { dir: build_dir(state.path(), dir), name, force: force || is_forced }
}

/// A decision, as it is told.
pub(crate) fn decided(task: Arc<str>, decision: &Decision) -> EventKind {
    let reasons = decision.reasons.iter().map(ToString::to_string).collect();
    EventKind::TaskDecided { task, verdict: verdict_name(decision.verdict).to_owned(), reasons }
}

/// As events write it.
pub(crate) fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::UpToDate => "up to date",
        Verdict::Restored => "restored",
        Verdict::Runs => "runs",
    }
}

/// From the wire; `None` if it is none.
pub(crate) fn seal_from_wire(text: &str) -> Option<Seal> {
    let mut key = [0; 32];
    if text.len() != 2 * key.len() || !text.is_ascii() {
        return None;
    }
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(Seal(key))
}
