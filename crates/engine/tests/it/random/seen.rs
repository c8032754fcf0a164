//! How large cases are and what occurs in them, counted: a case that nobody makes proves nothing.

use std::collections::BTreeMap;
use std::fmt;

use partitur_model::definition::Guard;

use super::spec::{Graph, Piece, Spec, What};

/// The sizes up to which cases are counted together: tasks of a definition, inputs of a case.
const SIZES: [usize; 7] = [5, 10, 20, 30, 45, 60, usize::MAX];

/// What definitions consist of.
const PARTS: [&str; 31] = [
    "task",
    "limit",
    "wait for time",
    "wait for a signal",
    "wait with a limit",
    "noop",
    "switch",
    "join that waits",
    "join that fails fast",
    "fork",
    "fork that fails fast",
    "loop over a list",
    "loop with a condition",
    "loop that keeps one",
    "sub-run",
    "two deep",
    "three deep",
    "attempts",
    "lock",
    "first arrival",
    "optional",
    "edge on success",
    "edge on failure",
    "edge on any end",
    "edge on all but failure",
    "edge on a case",
    "edge on no case",
    "targets",
    "slots of the run",
    "failure ends the run",
    "sixty tasks",
];

/// What happens to runs.
const EVENTS: [&str; 25] = [
    "signal",
    "failing signal",
    "attempt takes too long",
    "success",
    "failure",
    "late report",
    "time",
    "cancel task",
    "cancel run",
    "cancel sub-run",
    "pause",
    "unpause",
    "crash",
    "leaves memory",
    "snapshot",
    "retry",
    "retry afresh",
    "retry sub-run",
    "retry sub-run of a living run",
    "retry succeeded run",
    "rerun",
    "restart",
    "second holder waits",
    "attempt waits for a slot",
    "something begins anew",
];

/// What has occurred in some cases.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    tasks: [u64; SIZES.len()],
    inputs: [u64; SIZES.len()],
    counts: BTreeMap<&'static str, u64>,
}

impl Seen {
    /// Notes one thing; it has to be on one of the lists.
    pub fn note(&mut self, what: &'static str) {
        debug_assert!(PARTS.contains(&what) || EVENTS.contains(&what), "{what} is on no list");
        *self.counts.entry(what).or_default() += 1;
    }

    pub fn note_spec(&mut self, spec: &Spec) {
        let size = spec.root.size();
        self.tasks[size_class(size)] += 1;
        self.note_if(size >= 60, "sixty tasks");
        self.note_if(spec.fail_fast, "failure ends the run");
        self.note_if(spec.slots.is_some(), "slots of the run");
        self.note_if(!spec.targets.is_empty(), "targets");
        self.note_graph(&spec.root, 0);
    }

    pub fn note_length(&mut self, inputs: u64) {
        self.inputs[size_class(inputs as usize)] += 1;
    }

    /// Notes an input by its text: see [`Lab::script`](crate::lab::Lab::script).
    pub fn note_input(&mut self, text: &str) {
        let (is_root, text) = match text.split_once(": ") {
            Some((run, rest)) => (run == "1", rest),
            None => (true, text),
        };
        let words: Vec<&str> = text.splitn(3, ' ').collect();
        self.note(match words[..] {
            ["tick"] => "time",
            ["crash"] => "crash",
            ["pause"] => "pause",
            ["unpause"] => "unpause",
            ["cancel"] if is_root => "cancel run",
            ["cancel"] => "cancel sub-run",
            ["cancel", _] => "cancel task",
            ["retry"] if is_root => "retry",
            ["retry"] => "retry sub-run",
            ["retry", "fresh"] => "retry afresh",
            ["rerun", _] => "rerun",
            ["restart"] => "restart",
            ["signal", _] => "signal",
            ["signal-fail", _] => "failing signal",
            ["old", ..] => "late report",
            [_, "ok", ..] => "success",
            [_, "fail", ..] => "failure",
            _ => unreachable!("no input of random cases: {text}"),
        });
    }

    fn note_graph(&mut self, graph: &Graph, depth: usize) {
        for piece in &graph.nodes {
            self.note_piece(piece);
            if let Some(body) = piece.body() {
                match depth {
                    0 => {}
                    1 => self.note("two deep"),
                    _ => self.note("three deep"),
                }
                self.note_graph(body, depth + 1);
            }
        }
    }

    fn note_piece(&mut self, piece: &Piece) {
        match &piece.what {
            What::Task { attempts, lock, limit } => {
                self.note("task");
                self.note_if(limit.is_some(), "limit");
                self.note_if(*attempts > 1, "attempts");
                self.note_if(lock.is_some(), "lock");
            }
            What::Wait { time, at_most } => {
                self.note(if time.is_some() { "wait for time" } else { "wait for a signal" });
                self.note_if(at_most.is_some(), "wait with a limit");
            }
            What::Noop => self.note("noop"),
            What::Switch { .. } => self.note("switch"),
            What::Join { permissive: true } => self.note("join that waits"),
            What::Join { permissive: false } => self.note("join that fails fast"),
            What::Each { fail_fast: true, .. } => self.note("fork that fails fast"),
            What::Each { fail_fast: false, .. } => self.note("fork"),
            What::Loop { items, keep, .. } => {
                self.note(if items.is_some() { "loop over a list" } else { "loop with a condition" });
                self.note_if(keep.is_some(), "loop that keeps one");
            }
            What::Sub(_) => self.note("sub-run"),
        }
        self.note_if(piece.any, "first arrival");
        self.note_if(piece.optional, "optional");
        for (_, guard) in &piece.needs {
            self.note(match guard {
                Guard::Success => "edge on success",
                Guard::Failure => "edge on failure",
                Guard::Any => "edge on any end",
                Guard::Continue => "edge on all but failure",
                Guard::Case(_) => "edge on a case",
                Guard::DefaultCase => "edge on no case",
            });
        }
    }

    pub fn note_if(&mut self, condition: bool, what: &'static str) {
        if condition {
            self.note(what);
        }
    }

    pub fn add(&mut self, other: &Seen) {
        let add =
            |sum: &mut [u64], more: &[u64]| sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        add(&mut self.tasks, &other.tasks);
        add(&mut self.inputs, &other.inputs);
        for (&what, &count) in &other.counts {
            *self.counts.entry(what).or_default() += count;
        }
    }

    /// What has not occurred.
    pub fn missing(&self) -> Vec<&'static str> {
        PARTS.into_iter().chain(EVENTS).filter(|what| !self.counts.contains_key(what)).collect()
    }
}

fn size_class(size: usize) -> usize {
    SIZES.iter().position(|most| size <= *most).expect("the last one has no end")
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, counts) in [("tasks", &self.tasks), ("inputs", &self.inputs)] {
            write!(f, "{name}:")?;
            for (most, count) in SIZES.iter().zip(counts) {
                match *most {
                    usize::MAX => write!(f, " more: {count}")?,
                    most => write!(f, " up to {most}: {count},")?,
                }
            }
            writeln!(f)?;
        }
        for list in [&PARTS[..], &EVENTS] {
            let counts = list.iter().map(|what| format!("{what} {}", self.counts.get(what).unwrap_or(&0)));
            writeln!(f, "{}", counts.collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }
}
