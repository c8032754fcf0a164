//! Inputs of which a trace is to stay: what is done and the note that it was done stand in one commit, so that whoever
//! reads the notes after a crash does nothing twice.

use partitur_model::note::Note;
use partitur_model::{AttemptId, RunId};

use super::{Engine, subject};
use crate::batch::Batch;
use crate::cx::Agenda;
use crate::effect::{Answer, Effect};
use crate::engine::residency::Waiting;
use crate::input::Input;

/// What became of an input.
enum Fate {
    /// It was done; it may have started a run.
    Done(Option<RunId>),
    /// It was refused.
    Refused,
}

impl Engine {
    pub(super) fn noted(&mut self, input: Input, notes: Vec<Note>, batch: &mut Batch, agenda: &mut Agenda) {
        let Some((input, notes)) = self.if_all_is_here(input, notes, batch) else { return };
        if let Input::Report(report) = &input
            && !self.is_living(report.attempt)
        {
            return self.handle(input, batch, agenda);
        }
        let before = batch.effects().len();
        self.handle(input, batch, agenda);
        if let Fate::Done(run) = fate(&batch.effects()[before..]) {
            #[cfg(feature = "planted-faults")]
            let notes = without_next_time(notes);
            for note in notes {
                batch.note(Note { run: note.run.or(run), ..note });
            }
        }
    }

    /// The input waits for its run with its notes.
    fn if_all_is_here(
        &mut self,
        input: Input,
        notes: Vec<Note>,
        batch: &mut Batch,
    ) -> Option<(Input, Vec<Note>)> {
        let Some(run) = subject(&input) else { return Some((input, notes)) };
        let as_waiting = |(input, notes)| Waiting::Input(Input::Noted { input: Box::new(input), notes });
        self.if_here(run, (input, notes), as_waiting, batch)
    }

    fn is_living(&self, attempt: AttemptId) -> bool {
        let task = self.runs.get(&attempt.run).and_then(|run| run.task(run.key_of(attempt.task)?));
        task.is_some_and(|task| task.state.token() == Some(attempt.token))
    }
}

/// As the answers tell it.
fn fate(effects: &[Effect]) -> Fate {
    let mut started = None;
    for effect in effects {
        match effect {
            Effect::Reply { answer: Answer::Refused(_), .. } => return Fate::Refused,
            Effect::Reply { answer: Answer::Accepted { run, .. }, .. } => started = Some(*run),
            Effect::Reply { answer: Answer::Done | Answer::Updated { .. }, .. }
            | Effect::Dispatch { .. }
            | Effect::Stop(_)
            | Effect::Evaluate { .. }
            | Effect::HandOut { .. }
            | Effect::Resolve { .. }
            | Effect::Load(_)
            | Effect::Event(_) => {}
        }
    }
    Fate::Done(started)
}

#[cfg(feature = "planted-faults")]
fn without_next_time(mut notes: Vec<Note>) -> Vec<Note> {
    use partitur_model::note::NoteKind;
    if partitur_model::planted::Planted::NextTimeNotNoted.is_here() && notes.len() > 1 {
        notes.retain(|note| note.kind != NoteKind::Due);
    }
    notes
}
