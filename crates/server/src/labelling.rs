//! Tasks that an older binary wrote are told what searches call them, after the start and beside everything else.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use partitur_model::definition::Label;
use partitur_model::record::TaskRecord;
use partitur_model::{RunId, TaskSeq};
use partitur_store::{Reader, StateDir, StoreError};
use tokio::sync::oneshot;

use crate::app::Library;
use crate::handle::{Handle, Message};

/// Runs that are looked for at once.
const RUNS: u32 = 200;

/// Between two runs others have their turn.
const PAUSE: Duration = Duration::from_millis(2);

/// What the tasks of a run are called.
type Labels = Vec<(TaskSeq, Option<Label>)>;

/// Begins; there is nothing to do in a state that this version has written.
pub(crate) fn start(state: &StateDir, library: Arc<Library>, handle: Handle) -> Result<(), StoreError> {
    let reader = Reader::open(state.database())?;
    if reader.unlabelled(1)?.is_empty() {
        return Ok(());
    }
    let spawned = thread::Builder::new().name("partitur-labels".into()).spawn(move || {
        // What is left undone is done after the next start.
        let _ = label_all(&reader, &library, &handle);
    });
    spawned.map(drop).map_err(|error: io::Error| StoreError::Io(error.to_string()))
}

fn label_all(reader: &Reader, library: &Library, handle: &Handle) -> Result<(), StoreError> {
    loop {
        let runs = reader.unlabelled(RUNS)?;
        if runs.is_empty() {
            return Ok(());
        }
        for run in runs {
            let (done, over) = oneshot::channel();
            let message = Message::Label(run, labels(reader, library, run)?, done);
            if handle.send(message).is_err() || !matches!(over.blocking_recv(), Ok(Ok(()))) {
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
    }
}

/// A run that cannot be shown has no tasks that anybody could find.
fn labels(reader: &Reader, library: &Library, id: RunId) -> Result<Labels, StoreError> {
    let tasks = reader.tasks(id)?;
    let known = match reader.run(id)? {
        Some(run) => library.programs.load(run.definition, reader).ok().map(|known| (run, known)),
        None => None,
    };
    let unknown = |task: &TaskRecord| (task.seq, None);
    let Some((run, known)) = known else { return Ok(tasks.iter().map(unknown).collect()) };
    let view = known.renderer.run(&run, &tasks);
    Ok(tasks.iter().map(|task| (task.seq, view.label(task))).collect())
}
