//! Files that were written during a run although no task declares to write them.
//!
//! The tree is walked once, when the run is over: who wrote what is told by when. What was removed again, what lies outside
//! the tree, and which of several tasks that ran at the same time it was cannot be seen.

use std::fmt;
use std::path::{Path, PathBuf};

use partitur_model::Timestamp;
use partitur_model::definition::{Definition, Scope};
use partitur_model::record::TaskRecord;
use partitur_worker::build::{Declared, LATE, changed_since};

use crate::failure::Failure;
use crate::records;
use crate::settings::open_reader;

/// A file that nobody declares.
pub struct Undeclared {
    path: PathBuf,
    /// Tasks that ran when it was written.
    suspects: Vec<String>,
}

impl fmt::Display for Undeclared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was written, and no task declares it", self.path.display())?;
        match self.suspects.as_slice() {
            [] => Ok(()),
            [one] => write!(f, ": while {one} ran"),
            many => write!(f, ": while these ran: {}", many.join(", ")),
        }
    }
}

/// Looks for them after a run.
///
/// # Errors
/// The run or the tree cannot be read.
pub fn find(definition: &Definition, dir: &Path, run: u64, state: &Path) -> Result<Vec<Undeclared>, Failure> {
    let reader = open_reader(state)?.ok_or(Failure::NoState)?;
    let run = records::find(&reader, state, &run.to_string())?;
    let tasks = reader.tasks(run.id)?;
    let mut writes = Vec::new();
    declared(&definition.root, &mut |reads, is_written| {
        if is_written {
            writes.push(reads);
        }
    });
    let declared = Declared::new(&writes);
    let unreadable = |error| Failure::Io { what: format!("{} cannot be walked", dir.display()), error };
    let changed = changed_since(dir, run.begun.micros()).map_err(unreadable)?;
    let undeclared = changed.into_iter().filter(|(path, _)| !declared.covers(path));
    Ok(undeclared.map(|(path, at)| Undeclared { path, suspects: suspects(&tasks, at) }).collect())
}

fn suspects(tasks: &[TaskRecord], micros: u64) -> Vec<String> {
    let late = LATE.as_micros() as u64;
    let ran = |task: &&TaskRecord| {
        let began = task.started.is_some_and(|started| started.micros() <= micros + late);
        began && !task.cached && task.ended.unwrap_or(Timestamp::MAX).micros() + late >= micros
    };
    tasks
        .iter()
        .filter(ran)
        .filter(|task| task.log.is_some() || task.usage != Default::default())
        .map(|task| task.path.to_string())
        .collect()
}

/// Every pattern that tasks declare, and whether it is one of what they write. Values that are not known stand for anything.
pub fn declared(scope: &Scope, take: &mut dyn FnMut(String, bool)) {
    for node in &scope.nodes {
        node.reads.iter().for_each(|pattern| take(as_glob(&pattern.0), false));
        node.writes.iter().for_each(|pattern| take(as_glob(&pattern.0), true));
        if let Some(body) = node.kind.body() {
            declared(body, take);
        }
    }
}

fn as_glob(template: &str) -> String {
    let mut glob = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("${") {
        glob += before;
        glob.push('*');
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    glob + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_not_known_stand_for_anything() {
        assert_eq!(as_glob("data/${inputs.month}/${each.value}.csv"), "data/*/*.csv");
        assert_eq!(as_glob("plain"), "plain");
    }
}
