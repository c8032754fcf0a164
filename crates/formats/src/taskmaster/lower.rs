//! From a tag to a document of nodes and edges, which everything that runs and draws documents understands.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::backlog::Tag;
use super::order::{Order, Role};
use super::reach::Reach;
use super::word::Priority;

/// What a document is made of besides the tag.
pub struct Lowering<'l> {
    /// The document's name.
    pub name: String,
    /// The program of a task, or of the beginning or end of one with subtasks, and its arguments.
    pub program: &'l dyn Fn(u32, Role) -> Vec<String>,
    /// What a task holds while it is worked on.
    pub locks: &'l dyn Fn(u32) -> Vec<String>,
    /// How long each task takes, in milliseconds.
    pub millis: &'l [u64],
    /// So often a task is tried.
    pub attempts: u32,
    /// An attempt takes no longer, as documents write durations.
    pub timeout: Option<String>,
}

/// A document.
pub struct Lowered {
    /// JSON.
    pub text: String,
    /// The name of each node, and whose it is.
    pub nodes: Vec<(String, u32, Role)>,
}

/// Makes a document of the part of a tag that can be done.
pub fn lower(tag: &Tag<'_>, order: &Order, reach: &Reach, with: &Lowering<'_>) -> Lowered {
    let names = order.names(tag);
    let all: Vec<Option<String>> =
        (0..).zip(names).map(|(node, name)| reach.has(node).then_some(name)).collect();
    let each =
        || order.nodes.iter().zip(&all).filter_map(|(&(task, role), name)| Some((name.clone()?, task, role)));
    let nodes: Vec<Value> = each().map(|(name, task, role)| node(tag, with, name, task, role)).collect();
    let mut pairs: Vec<(u32, u32)> =
        order.csr.pairs().filter(|&(from, to)| reach.has(from) && reach.has(to)).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let edge = |(from, to): (u32, u32)| json!({"source": all[from as usize], "target": all[to as usize]});
    let edges: Vec<Value> = pairs.into_iter().map(edge).collect();
    let text = json!({"name": with.name, "nodes": nodes, "edges": edges}).to_string();
    Lowered { text, nodes: each().collect() }
}

impl Order {
    /// The names that the nodes have in documents; a task has the same in every document of its tag.
    pub fn names(&self, tag: &Tag<'_>) -> Vec<String> {
        let mut names = Names::default();
        self.nodes.iter().map(|&(task, role)| names.of(&tag.name_of(task), role)).collect()
    }
}

fn node(tag: &Tag<'_>, with: &Lowering<'_>, name: String, task: u32, role: Role) -> Value {
    let plain = |text: &String| text.replace("${", "$${");
    let program: Vec<String> = (with.program)(task, role).iter().map(plain).collect();
    let title = tag.tasks[task as usize].title.lines().next().unwrap_or_default();
    let mut node = json!({"id": name, "type": "command", "label": title, "command": program});
    match role {
        Role::Begin | Role::End => node["estimatedDuration"] = json!(1),
        Role::Whole => {
            node["estimatedDuration"] = json!(with.millis[task as usize].max(1));
            node["priority"] = json!(priority(tag.priority(task)));
            node["locks"] = json!((with.locks)(task).iter().map(plain).collect::<Vec<_>>());
            node["maxRetries"] = json!(with.attempts.saturating_sub(1));
            if let Some(timeout) = &with.timeout {
                node["timeout"] = json!(timeout);
            }
        }
    }
    node
}

fn priority(priority: Priority) -> &'static str {
    match priority {
        Priority::Critical => "critical",
        Priority::High => "high",
        Priority::Medium => "normal",
        Priority::Low => "low",
    }
}

/// Names of nodes: ids with signs that names may have, and each once.
#[derive(Default)]
struct Names(HashSet<String>);

/// No name is longer, in characters; a number may follow.
const LENGTH_MAX: usize = 150;

/// Words that documents keep for themselves.
const TAKEN: &[&str] = &[
    "inputs", "env", "self", "each", "matrix", "run", "secrets", "workflow", "and", "or", "not", "true",
    "false", "null",
];

impl Names {
    /// `5-2` for subtask 5.2, `5-begin` for the beginning of task 5.
    fn of(&mut self, id: &str, role: Role) -> String {
        let sign = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '-' };
        let base: String = id.chars().take(LENGTH_MAX).map(sign).collect();
        let base = base.trim_matches('-');
        let base = match role {
            Role::Whole | Role::End => base.to_owned(),
            Role::Begin => format!("{base}-begin"),
        };
        let base =
            if base.is_empty() || TAKEN.contains(&base.as_str()) { format!("task-{base}1") } else { base };
        let numbered = (2..).map(|number| format!("{base}_{number}"));
        let free = std::iter::once(base.clone()).chain(numbered).find(|name| !self.0.contains(name));
        let name = free.expect("numbers do not end");
        self.0.insert(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_gets_a_name_of_its_own_that_a_document_may_have() {
        let mut names = Names::default();
        let mut of = |id| names.of(id, Role::Whole);
        assert_eq!(
            [of("5.2"), of("5-2"), of("run"), of("設定 1"), of("[3]"), of("-"), of("??")],
            ["5-2", "5-2_2", "task-run1", "設定-1", "3", "task-1", "task-1_2"]
        );
        assert_eq!(names.of("5", Role::Begin), "5-begin");
    }
}
