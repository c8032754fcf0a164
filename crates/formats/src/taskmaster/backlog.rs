//! What a file holds: tags, which are separate graphs, and in each its tasks and their subtasks.

use std::ops::Range;

use partitur_model::Place;

use super::finding::Finding;
use super::word::{Priority, Status};
use crate::tree::{Item, Tree};

/// A file of Taskmaster.
pub struct Backlog<'s> {
    /// In the order of the file.
    pub tags: Vec<Tag<'s>>,
    /// What was found while reading; [`super::check`] has these and all others.
    pub findings: Vec<Finding>,
}

impl<'s> Backlog<'s> {
    /// The tag of this name.
    pub fn tag(&self, name: &str) -> Option<&Tag<'s>> {
        self.tags.iter().find(|tag| tag.name == name)
    }
}

/// A list of tasks, and the graph that they are.
pub struct Tag<'s> {
    /// Its name; of a file without tags, `master`.
    pub name: &'s str,
    /// Each task is followed by its subtasks.
    pub tasks: Vec<Task<'s>>,
    /// What they depend on, task after task.
    pub dependencies: Vec<Dependency<'s>>,
    /// Where the list of tasks stands.
    pub(super) place: Place,
    pub(super) tree: &'s Tree,
}

/// A task or subtask.
pub struct Task<'s> {
    /// Among its siblings, as it is compared; empty if it has none.
    pub id: &'s str,
    /// In one line.
    pub title: &'s str,
    /// How far it is.
    pub status: Status,
    /// How much it matters, if it says so.
    pub priority: Option<Priority>,
    /// How much work it is, if it says so.
    pub complexity: Option<f64>,
    /// Whose subtask it is.
    pub parent: Option<u32>,
    /// So many of the tasks behind it are its subtasks.
    pub subtasks: u32,
    /// Of [`Tag::dependencies`].
    pub dependencies: Range<u32>,
    /// Which element of its list it is.
    pub(super) index: u32,
    pub(super) item: Item,
}

/// What a task says that it depends on.
pub struct Dependency<'s> {
    /// As it is compared.
    pub token: &'s str,
    /// Which element of the list it is.
    pub(super) index: u32,
    /// The list.
    pub(super) list: Item,
}

/// A file that a task names under `relevantFiles`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touched<'s> {
    /// As written.
    pub path: &'s str,
    /// It is created or modified, and not only looked at.
    pub write: bool,
}

impl<'s> Tag<'s> {
    /// The task's id in full: `5`, `5.2`; of one without id, its number in the list in brackets.
    pub fn name_of(&self, task: u32) -> String {
        let Task { id, parent, index, .. } = &self.tasks[task as usize];
        let own = if id.is_empty() { format!("[{index}]") } else { (*id).to_owned() };
        match parent {
            Some(parent) => format!("{}.{own}", self.name_of(*parent)),
            None => own,
        }
    }

    /// The task with this full id.
    pub fn find(&self, name: &str) -> Option<u32> {
        self.each().find(|&task| self.name_of(task) == name)
    }

    /// All tasks by number.
    pub fn each(&self) -> Range<u32> {
        0..self.tasks.len() as u32
    }

    /// The subtasks of a task.
    pub fn subtasks(&self, task: u32) -> Range<u32> {
        task + 1..task + 1 + self.tasks[task as usize].subtasks
    }

    /// A task's priority, or its parent's, or the usual one.
    pub fn priority(&self, task: u32) -> Priority {
        let Task { priority, parent, .. } = self.tasks[task as usize];
        priority.or_else(|| self.tasks[parent? as usize].priority).unwrap_or_default()
    }

    /// Where a task stands.
    pub(super) fn place_of(&self, task: u32) -> Place {
        let Task { parent, index, .. } = self.tasks[task as usize];
        let list = match parent {
            Some(parent) => self.place_of(parent).member("subtasks"),
            None => self.place.clone(),
        };
        list.element(index as usize)
    }

    /// Where a dependency of a task stands.
    pub(super) fn place_of_dependency(&self, task: u32, dependency: u32) -> Place {
        let index = self.dependencies[dependency as usize].index;
        self.place_of(task).member("dependencies").element(index as usize)
    }

    /// The files that a task names; a subtask that names none touches those of its parent.
    pub fn files(&self, task: u32) -> Vec<Touched<'s>> {
        let Task { item, parent, .. } = self.tasks[task as usize];
        let files = self.own_files(item);
        match parent {
            Some(parent) if files.is_empty() => self.own_files(self.tasks[parent as usize].item),
            Some(_) | None => files,
        }
    }

    fn own_files(&self, task: Item) -> Vec<Touched<'s>> {
        let Some(list) = self.member(task, "relevantFiles") else { return Vec::new() };
        let file = |entry| {
            let path = self.tree.text(self.member(entry, "path")?).trim();
            let action = self.member(entry, "action").map_or("", |action| self.tree.text(action));
            (!path.is_empty()).then_some(Touched { path, write: matches!(action, "create" | "modify") })
        };
        self.tree.parts(list).filter_map(file).collect()
    }

    /// The bytes of a task as they stand in the file, its subtasks included.
    pub fn json_of(&self, task: u32) -> &'s str {
        let span = self.tree.span(self.tasks[task as usize].item);
        &self.tree.source()[span.start as usize..span.end as usize]
    }

    /// A text of a task, if it has one under this key.
    pub fn text_of(&self, task: u32, key: &str) -> Option<&'s str> {
        self.member(self.tasks[task as usize].item, key).map(|item| self.tree.text(item))
    }

    /// The value of a key; of a key that is given twice, the last one, as JavaScript has it.
    pub(super) fn member(&self, item: Item, key: &str) -> Option<Item> {
        let map = self.tree.form(item) == crate::tree::Form::Map;
        let found = |&(name, _): &(Item, Item)| self.tree.text(name) == key;
        self.tree.members(item).filter(|_| map).filter(found).last().map(|(_, value)| value)
    }
}
