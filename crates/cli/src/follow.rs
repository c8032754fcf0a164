//! Follows a run to its end: shows what happens, says the summary, and gives the exit code.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use partitur::host::{Followed, Notice, Session};
use partitur_api::outcome_name;
use partitur_model::definition::Definition;
use partitur_model::record::{RunOutcome, RunRecord, RunState, TaskRecord, TaskState};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::ink::{Colour, Line, Paint};
use crate::progress::{Board, Expectation, Look, Progress, now, terminal_size};
use crate::records::{self, Records};
use crate::settings::open_reader;
use crate::shape::{Expected, Shape};
use crate::summary;

/// A run and its tasks.
type Rows = (RunRecord, Vec<TaskRecord>);

/// A run and how it is looked at.
pub struct Scene {
    /// Its number.
    pub run: u64,
    /// Where it is stored.
    pub state: PathBuf,
    /// The directory of its document.
    pub dir: String,
    /// What it executes.
    pub definition: Arc<Definition>,
    /// Only these and what they need.
    pub targets: Vec<String>,
    /// How many at once.
    pub at_once: u32,
    /// It went before: what has ended already counts.
    pub resumed: bool,
    /// How it is shown.
    pub look: Look,
    /// When it is coloured.
    pub colour: Colour,
}

impl Scene {
    /// Follows the run to its end.
    ///
    /// # Errors
    /// The host's, the store's.
    pub fn follow(&self, session: &mut Session) -> Result<Exit, Failure> {
        let mut progress = Progress::new(self.board()?, self.look, self.colour, self.expectation());
        let mut summed_up = false;
        let pulse = progress.pulse();
        let followed = session.follow(self.run, pulse, &mut |notice| {
            if let Notice::Hosting { .. } = notice {
                progress.close();
                self.sum_up(&progress, None);
                summed_up = true;
            }
            progress.notice(notice);
        });
        progress.close();
        let followed = followed?;
        if !summed_up {
            self.sum_up(&progress, session.rows(self.run));
        }
        self.print_output(&progress);
        let exit = self.exit(followed, &progress);
        // The process is about to end: giving back what is known of every task would take milliseconds.
        std::mem::forget(progress);
        exit
    }

    fn board(&self) -> Result<Board, Failure> {
        let shape = Shape::of(&self.definition, &self.targets);
        let (count, containers) = shape.counted();
        let mut board = Board::new(&self.definition.name, self.run, now(), count);
        board.containers = containers;
        board.dir.clone_from(&self.dir);
        if self.resumed
            && let Some(reader) = open_reader(&self.state)?
        {
            let run = records::find(&reader, &self.state, &self.run.to_string())?;
            for task in reader.tasks(run.id)? {
                if let TaskState::Ended(outcome) = task.state {
                    board.seed(&task.path, outcome_name(outcome));
                }
            }
        }
        Ok(board)
    }

    /// Reads in the background how long everything took before: the run does not wait for that.
    fn expectation(&self) -> Option<Receiver<Expectation>> {
        use std::io::IsTerminal as _;
        if self.look.json || self.look.quiet || !std::io::stderr().is_terminal() {
            return None;
        }
        let (sender, receiver) = channel();
        let (state, definition) = (self.state.clone(), self.definition.clone());
        let (targets, at_once) = (self.targets.clone(), self.at_once);
        std::thread::spawn(move || {
            if let Some(expectation) = expectation(&state, &definition, &targets, at_once) {
                // Nobody listens any more when the run was shorter than this.
                let _ = sender.send(expectation);
            }
        });
        Some(receiver)
    }

    fn sum_up(&self, progress: &Progress, rows: Option<Rows>) {
        if !progress.is_for_people() || self.look.quiet {
            return;
        }
        let colour = self.colour.for_stream(&std::io::stderr());
        match self.records_of(rows) {
            Ok(records) => {
                let (_, watch) = progress.result();
                let columns = width();
                summary::say(&summary::lines(&records, watch, &self.state, columns), colour);
                std::mem::forget(records);
            }
            // The run has ended as it did; only the figures are missing.
            Err(failure) => {
                let words = format!("the figures of the run cannot be read: {failure}");
                summary::say(&[Line::new().add(Paint::Warn, words)], colour);
            }
        }
    }

    /// From memory where that has all of it; sub-runs may have left it.
    fn records_of(&self, rows: Option<Rows>) -> Result<Records, Failure> {
        match rows {
            Some((run, tasks)) if self.definition.flows.is_empty() => {
                Ok(Records { run, tasks, definition: self.definition.clone(), children: Vec::new() })
            }
            Some(_) | None => self.records(),
        }
    }

    fn records(&self) -> Result<Records, Failure> {
        let reader = open_reader(&self.state)?.ok_or(Failure::NoState)?;
        let run = records::find(&reader, &self.state, &self.run.to_string())?;
        Records::read(&reader, run.id, Some(self.definition.clone()))
    }

    /// What the run yielded is data: it goes to standard output, unless that is a terminal or carries other things.
    fn print_output(&self, progress: &Progress) {
        use std::io::IsTerminal as _;
        let free = !self.look.json
            && !self.look.verbose
            && self.look.output == crate::progress::Output::Grouped
            && !std::io::stdout().is_terminal();
        let output = progress.result().0.and_then(|ended| ended.output.as_ref());
        if free && let Some(output) = output.filter(|output| !output.is_null()) {
            println!("{output}");
        }
    }

    fn exit(&self, followed: Followed, progress: &Progress) -> Result<Exit, Failure> {
        match followed {
            Followed::Left => Ok(Exit::Cancelled),
            Followed::Ended => match progress.result().0 {
                Some(ended) => Ok(exit_of_name(&ended.state)),
                None => Ok(exit_of(self.records()?.run.state)),
            },
        }
    }
}

/// The columns of the terminal; what is no terminal has no end.
fn width() -> usize {
    use std::io::IsTerminal as _;
    if std::io::stderr().is_terminal() { terminal_size().columns } else { usize::MAX }
}

fn expectation(
    state: &Path,
    definition: &Definition,
    targets: &[String],
    at_once: u32,
) -> Option<Expectation> {
    let history = open_reader(state).ok()??.durations(&definition.name).ok()?;
    let shape = Shape::of(definition, targets);
    let expected = shape.expected(&history);
    // One guess among facts makes all of it a guess.
    let all_known = expected.iter().all(|expected| match expected {
        Expected::History(_) | Expected::Estimate(_) => true,
        Expected::Unknown => false,
    });
    let makespan = if all_known { shape.makespan(&expected, at_once) } else { None };
    Some(Expectation {
        history: history.into_iter().map(|(path, time)| (path, time.as_millis() as u64)).collect(),
        makespan: makespan.map(|makespan| makespan.as_millis() as u64),
    })
}

/// The exit code of a run in this state.
pub fn exit_of(state: RunState) -> Exit {
    match state {
        RunState::Ended(RunOutcome::Succeeded) => Exit::Success,
        RunState::Ended(RunOutcome::Failed | RunOutcome::TimedOut | RunOutcome::RolledBack) => Exit::Failed,
        RunState::Ended(RunOutcome::RollbackFailed) => Exit::RollbackFailed,
        RunState::Ended(RunOutcome::Cancelled)
        | RunState::Running
        | RunState::Paused
        | RunState::Ending(_)
        | RunState::RollingBack(_) => Exit::Cancelled,
    }
}

fn exit_of_name(name: &str) -> Exit {
    match name {
        "succeeded" => Exit::Success,
        "cancelled" => Exit::Cancelled,
        "rollback failed" => Exit::RollbackFailed,
        _ => Exit::Failed,
    }
}
