//! What incremental runs need of their host: where successes are kept, what is told of decisions, and what an equal run
//! is equal by.

use std::path::Path;
use std::sync::Arc;

use partitur_api::EventKind;
use partitur_model::record::RunRecord;
use partitur_store::StateDir;
use partitur_worker::build::{BuildContext, Decision, Seal, Sealing, Verdict, build_dir};

/// The label of a run of which every task is executed.
pub(crate) const FORCE: &str = "force";

/// Where the successes of a run's tasks are kept.
pub(crate) fn context(
    state: &StateDir,
    run: &RunRecord,
    dir: &Path,
    force: bool,
    only: Option<Arc<[String]>>,
) -> BuildContext {
    let is_forced = run.options.labels.iter().any(|(name, _)| name == FORCE);
    BuildContext { dir: build_dir(state.path(), dir), name: document(run), force: force || is_forced, only }
}

/// Under which name the tasks of a run are known: their paths are unique within it, and those of a sub-flow are its own.
pub(crate) fn document(run: &RunRecord) -> String {
    if run.flow.is_empty() { run.name.clone() } else { format!("{}/{}", run.name, run.flow) }
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

/// From the wire, as [`sealing_to_wire`] writes it; `None` if it is none.
pub(crate) fn sealing_from_wire(text: &str) -> Option<Sealing> {
    let mut parts = text.split(':');
    let seal = Seal(hash_from_hex(parts.next()?)?);
    let tasks = parts.next().map(|tasks| tasks.parse().ok());
    let onto = parts.next().map(hash_from_hex);
    Some(Sealing { seal, tasks: tasks.flatten(), onto: onto.flatten() })
}

/// For whoever runs it.
pub fn sealing_to_wire(sealing: &Sealing) -> String {
    let hex = |hash: &[u8; 32]| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let tasks = sealing.tasks.map(|tasks| tasks.to_string()).unwrap_or_default();
    let onto = sealing.onto.as_ref().map(|hash| format!(":{}", hex(hash))).unwrap_or_default();
    format!("{}:{tasks}{onto}", hex(&sealing.seal.0))
}

fn hash_from_hex(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if text.len() != 2 * hash.len() || !text.is_ascii() {
        return None;
    }
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_proves_survives_the_wire() {
        let seal = Seal::of(&[b"document"]);
        for (tasks, onto) in [(None, None), (Some(5), None), (Some(5), Some([7; 32]))] {
            let sealing = Sealing { seal, tasks, onto };
            assert_eq!(sealing_from_wire(&sealing_to_wire(&sealing)), Some(sealing));
        }
        assert_eq!(sealing_from_wire("00ff"), None);
    }
}
