//! What a dependency means: the one rule for ids.
//!
//! A plain id in a subtask means a sibling, and only if there is none, the task of this id. A dotted id is first the
//! exact id of a task, then subtask `s` of task `p`. Of several bearers of an id, the first is meant.

use hashbrown::HashMap;

use super::backlog::Tag;
use super::id::halves;

/// What an id leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A task or subtask.
    Task(u32),
    /// A task, by a plain id in a subtask that has no sibling of this id.
    OtherLevel(u32),
    /// Nothing.
    Nothing,
}

impl Meaning {
    /// The task, whichever way it was found.
    pub fn task(self) -> Option<u32> {
        match self {
            Meaning::Task(task) | Meaning::OtherLevel(task) => Some(task),
            Meaning::Nothing => None,
        }
    }
}

/// A declared dependency: `task` waits for what is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Who declares it.
    pub task: u32,
    /// Of [`Tag::dependencies`].
    pub dependency: u32,
    /// What it leads to.
    pub meaning: Meaning,
}

/// The tasks of a tag by their ids.
pub(super) struct Index<'t, 's> {
    tag: &'t Tag<'s>,
    top: HashMap<&'s str, u32>,
    sub: HashMap<(u32, &'s str), u32>,
    /// Tasks whose id another has before them, with that one.
    pub(super) repeated: Vec<(u32, u32)>,
}

impl<'t, 's> Index<'t, 's> {
    pub(super) fn of(tag: &'t Tag<'s>) -> Index<'t, 's> {
        let (top, sub) = (HashMap::with_capacity(tag.tasks.len()), HashMap::new());
        let mut index = Index { tag, top, sub, repeated: Vec::new() };
        for (number, task) in tag.each().zip(&tag.tasks) {
            if task.id.is_empty() {
                continue;
            }
            let bearer = match task.parent {
                Some(parent) => *index.sub.entry((parent, task.id)).or_insert(number),
                None => *index.top.entry(task.id).or_insert(number),
            };
            if bearer != number {
                index.repeated.push((number, bearer));
            }
        }
        index
    }

    /// What an id means in a task.
    pub(super) fn meaning(&self, task: u32, token: &str) -> Meaning {
        let top = self.top.get(token).copied();
        let sibling = self.tag.tasks[task as usize].parent.and_then(|parent| self.subtask(parent, token));
        let Some((parent, own)) = halves(token) else {
            return match (sibling, top) {
                (Some(sibling), _) => Meaning::Task(sibling),
                (None, Some(top)) if self.tag.tasks[task as usize].parent.is_some() => {
                    Meaning::OtherLevel(top)
                }
                (None, Some(top)) => Meaning::Task(top),
                (None, None) => Meaning::Nothing,
            };
        };
        let subtask = || self.subtask(*self.top.get(parent)?, own);
        top.or_else(subtask).or(sibling).map_or(Meaning::Nothing, Meaning::Task)
    }

    fn subtask(&self, parent: u32, id: &str) -> Option<u32> {
        self.sub.get(&(parent, id)).copied()
    }
}

impl Tag<'_> {
    /// What every dependency means.
    pub fn references(&self) -> Vec<Reference> {
        self.references_by(&Index::of(self))
    }

    pub(super) fn references_by(&self, index: &Index<'_, '_>) -> Vec<Reference> {
        let of_task = |task: u32| {
            self.tasks[task as usize].dependencies.clone().map(move |dependency| (task, dependency))
        };
        let reference = |(task, dependency): (u32, u32)| Reference {
            task,
            dependency,
            meaning: index.meaning(task, self.dependencies[dependency as usize].token),
        };
        self.each().flat_map(of_task).map(reference).collect()
    }
}
