//! How far the tasks of a tag are: which are complete, which may be begun.

use super::backlog::Tag;
use super::resolve::Reference;
use super::word::Status;

/// What can be chosen about the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Whoever depends on a task that was given up need not wait for it.
    pub cancelled_satisfies: bool,
}

impl Default for Rule {
    fn default() -> Rule {
        Rule { cancelled_satisfies: true }
    }
}

/// How far the tasks of a tag are.
pub struct Standing {
    complete: Vec<bool>,
    satisfied: Vec<bool>,
    ready: Vec<bool>,
}

impl Standing {
    /// Looks at all tasks.
    pub fn of(tag: &Tag<'_>, references: &[Reference], rule: Rule) -> Standing {
        let (complete, satisfied) = complete(tag, rule);
        let mut free = vec![true; tag.tasks.len()];
        for reference in references {
            let met = reference.meaning.task().is_some_and(|target| satisfied[target as usize]);
            free[reference.task as usize] &= met;
        }
        let may_begin = |task: u32| tag.tasks[task as usize].status.is_open() && free[task as usize];
        let ready = |task: u32| {
            may_begin(task)
                && !complete[task as usize]
                && tag.tasks[task as usize].parent.is_none_or(may_begin)
        };
        let ready = tag.each().map(ready).collect();
        Standing { complete, satisfied, ready }
    }

    /// It is done, or all of its subtasks are.
    pub fn is_complete(&self, task: u32) -> bool {
        self.complete[task as usize]
    }

    /// Whoever depends on it need not wait.
    pub fn is_satisfied(&self, task: u32) -> bool {
        self.satisfied[task as usize]
    }

    /// It is open, and nothing that it depends on is missing; of a subtask, the same holds for its parent.
    pub fn is_ready(&self, task: u32) -> bool {
        self.ready[task as usize]
    }
}

/// For each task whether it is complete, and whether others need not wait for it.
fn complete(tag: &Tag<'_>, rule: Rule) -> (Vec<bool>, Vec<bool>) {
    let said = |status| status == Status::Done;
    let given_up = |status| rule.cancelled_satisfies && status == Status::Cancelled;
    let mut complete: Vec<bool> = tag.tasks.iter().map(|task| said(task.status)).collect();
    let mut satisfied: Vec<bool> =
        tag.tasks.iter().map(|task| said(task.status) || given_up(task.status)).collect();
    for task in tag.each() {
        let mut subtasks = tag.subtasks(task);
        if !subtasks.is_empty() && subtasks.all(|subtask| satisfied[subtask as usize]) {
            complete[task as usize] = true;
            satisfied[task as usize] = true;
        }
    }
    (complete, satisfied)
}
