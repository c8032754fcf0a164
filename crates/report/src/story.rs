//! The records of a run, and what each task is in its definition.

use std::collections::HashMap;

use partitur_model::definition::{Definition, Kind, Node, Scope};
use partitur_model::record::{RunRecord, ScopeRef, TaskRecord};
use partitur_model::{TaskSeq, Timestamp};

/// A run with its tasks, its definition and its sub-runs.
#[derive(Clone, Debug)]
pub struct Story<'a> {
    /// The run.
    pub run: &'a RunRecord,
    /// Its tasks, by number.
    pub tasks: &'a [TaskRecord],
    /// What it executes.
    pub definition: &'a Definition,
    /// Its sub-runs.
    pub children: Vec<Story<'a>>,
    /// The time at which it is told: the end of what has not ended.
    pub now: Timestamp,
}

/// The tasks of a story by where they stand.
pub(crate) struct Cast<'a> {
    pub tasks: &'a [TaskRecord],
    root: &'a Scope,
    by_seq: HashMap<TaskSeq, usize>,
    by_place: HashMap<(Option<ScopeRef>, &'a str), usize>,
}

impl<'a> Cast<'a> {
    pub fn of(story: &Story<'a>) -> Cast<'a> {
        let tasks = story.tasks;
        Cast {
            tasks,
            root: &story.definition.root,
            by_seq: tasks.iter().enumerate().map(|(at, task)| (task.seq, at)).collect(),
            by_place: tasks.iter().enumerate().map(|(at, task)| ((task.scope, &*task.node), at)).collect(),
        }
    }

    pub fn find(&self, scope: Option<ScopeRef>, node: &str) -> Option<usize> {
        self.by_place.get(&(scope, node)).copied()
    }

    pub fn container(&self, scope: ScopeRef) -> Option<usize> {
        self.by_seq.get(&scope.container).copied()
    }

    /// What the task is.
    pub fn node(&self, at: usize) -> Option<&'a Node> {
        let task = &self.tasks[at];
        self.graph(task.scope)?.nodes.iter().find(|node| node.name == *task.node)
    }

    /// The graph in which the tasks of a scope stand.
    pub fn graph(&self, scope: Option<ScopeRef>) -> Option<&'a Scope> {
        match scope {
            None => Some(self.root),
            Some(scope) => match &self.node(self.container(scope)?)?.kind {
                Kind::Each(each) => Some(&each.body),
                Kind::Loop(body) => Some(&body.body),
                Kind::Command(_)
                | Kind::Http(_)
                | Kind::Remote(_)
                | Kind::Wait(_)
                | Kind::Evaluate(_)
                | Kind::SubRun(_)
                | Kind::Switch(_)
                | Kind::Join(_)
                | Kind::Terminate(_)
                | Kind::SetVariables(_)
                | Kind::Noop => None,
            },
        }
    }

    /// Whether the task is told by its parts.
    pub fn unfolds(&self, at: usize) -> bool {
        let task = &self.tasks[at];
        self.graph(Some(ScopeRef { container: task.seq, index: 0 })).is_some()
    }

    /// Whether attempts of the task do work themselves: they hold a slot.
    pub fn works(&self, at: usize) -> bool {
        self.node(at).is_none_or(|node| match node.kind {
            Kind::Command(_) | Kind::Http(_) | Kind::Remote(_) => true,
            Kind::Wait(_)
            | Kind::Evaluate(_)
            | Kind::SubRun(_)
            | Kind::Each(_)
            | Kind::Loop(_)
            | Kind::Switch(_)
            | Kind::Join(_)
            | Kind::Terminate(_)
            | Kind::SetVariables(_)
            | Kind::Noop => false,
        })
    }
}
