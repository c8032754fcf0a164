//! The engine's state as text: what two engines must agree on if one was built from the rows of the other.

use std::fmt::Write;

use partitur_model::record::TaskState;

use crate::engine::Engine;
use crate::run::{Key, Run};

impl Engine {
    /// Everything that follows from the rows, in an order that does not depend on history: runs, tasks by path with
    /// their counts, and who waits or holds. Two engines with the same text decide alike.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        for run in self.runs_in_memory() {
            describe_run(run, &mut text);
        }
        let mut places: Vec<String> = Vec::new();
        for hold in self.holders() {
            let path = self.path(hold.task.run, hold.task.task).unwrap_or("?");
            for claim in &hold.claims {
                let name = self.resource_name(claim.resource);
                let run = hold.task.run.number();
                places.push(format!("{run} {path} holds {name} {:?} {}", claim.mode, claim.units));
            }
        }
        for (wait, turn) in self.waits().into_iter().zip(1..) {
            let path = self.path(wait.task.run, wait.task.task).unwrap_or("?");
            places.push(format!("{} {path} waits, {turn} of all", wait.task.run.number()));
        }
        places.sort();
        places.dedup();
        text + &places.join("\n")
    }
}

fn describe_run(run: &Run, text: &mut String) {
    let _ = writeln!(
        text,
        "run {} {:?} live {} counted {}",
        run.id().number(),
        run.rec.state,
        run.live,
        run.counted
    );
    let mut lines: Vec<String> = run.keys().map(|key| describe_task(run, key)).collect();
    for key in run.keys() {
        for scope in run.branches(key) {
            let state = run.scope(scope);
            lines.push(format!(
                "  {}[{}] open {} failed {}",
                run.path_of(key),
                state.label,
                state.open,
                state.failed
            ));
        }
    }
    lines.sort();
    let _ = writeln!(text, "{}", lines.join("\n"));
}

fn describe_task(run: &Run, key: Key) -> String {
    let instance = run.instance(key);
    let arrivals = format!("missing {} dead {} taken {}", instance.missing, instance.dead, instance.taken);
    match &instance.task {
        None => format!("  {}: {arrivals}", run.path_of(key)),
        // Its row, if it has one, was written before: when it became ready follows from its predecessors.
        Some(task) if task.state == TaskState::Ready && task.generation == 0 => {
            format!("  {}: {arrivals} ready", task.path)
        }
        Some(task) => format!(
            "  {}: {arrivals} {:?} g{} a{} l{} i{} undo {:?} child {:?}",
            task.path,
            task.state,
            task.generation,
            task.attempt,
            task.losses,
            task.iteration,
            task.undo,
            task.child.map(|child| child.number()),
        ),
    }
}
