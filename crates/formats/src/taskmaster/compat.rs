//! The order in which Taskmaster's own command line chooses, for those who compare.
//!
//! It looks at subtasks only of tasks that are `in-progress`, and only `done` counts as complete. How much a task
//! unblocks does not matter to it.

use std::cmp::Ordering;

use hashbrown::HashSet;

use super::backlog::Tag;
use super::word::{Priority, Status};

/// What `task-master next` would choose.
pub fn next_as_taskmaster(tag: &Tag<'_>) -> Option<u32> {
    let view = View::of(tag);
    let in_progress = |task: &u32| tag.tasks[*task as usize].status == Status::InProgress;
    let subtasks: Vec<u32> = view
        .tasks()
        .filter(in_progress)
        .flat_map(|task| tag.subtasks(task))
        .filter(|&t| view.is_free(t))
        .collect();
    let candidates = if subtasks.is_empty() {
        view.tasks().filter(|&task| view.is_free(task)).collect()
    } else {
        subtasks
    };
    candidates.into_iter().min_by(|&a, &b| view.compare(a, b))
}

/// What it sees of a tag: tasks that are pending, in progress or done.
struct View<'t, 's> {
    tag: &'t Tag<'s>,
    done: HashSet<String>,
}

impl<'t, 's> View<'t, 's> {
    fn of(tag: &'t Tag<'s>) -> View<'t, 's> {
        let mut view = View { tag, done: HashSet::new() };
        let all = view.tasks().flat_map(|task| std::iter::once(task).chain(tag.subtasks(task)));
        view.done = all.filter(|&task| view.word(task) == "done").map(|task| tag.name_of(task)).collect();
        view
    }

    fn word(&self, task: u32) -> &'s str {
        self.tag.text_of(task, "status").unwrap_or("pending")
    }

    fn tasks(&self) -> impl Iterator<Item = u32> {
        let seen = |&task: &u32| {
            self.tag.tasks[task as usize].parent.is_none()
                && matches!(self.word(task), "pending" | "in-progress" | "done")
        };
        self.tag.each().filter(seen)
    }

    fn is_free(&self, task: u32) -> bool {
        let open = matches!(self.word(task).to_lowercase().as_str(), "pending" | "in-progress");
        open && self.dependencies(task).all(|full| self.done.contains(&full))
    }

    /// The dependencies of a task as it spells them: a plain id in a subtask is a sibling, whatever there is.
    fn dependencies(&self, task: u32) -> impl Iterator<Item = String> {
        let parent = self.tag.tasks[task as usize].parent;
        self.tag.dependencies[self.range(task)].iter().map(move |dependency| match parent {
            Some(parent) if !dependency.token.contains('.') => {
                format!("{}.{}", self.tag.name_of(parent), dependency.token)
            }
            Some(_) | None => dependency.token.to_owned(),
        })
    }

    fn range(&self, task: u32) -> std::ops::Range<usize> {
        let range = &self.tag.tasks[task as usize].dependencies;
        range.start as usize..range.end as usize
    }

    /// Priority, then fewer dependencies, then the number of the parent, then its own. What has no number keeps its
    /// place.
    fn compare(&self, a: u32, b: u32) -> Ordering {
        let key = |task: u32| (std::cmp::Reverse(self.priority(task)), self.range(task).len());
        key(a).cmp(&key(b)).then_with(|| {
            let number = |task: u32| self.tag.tasks[task as usize].id.parse::<u64>().ok();
            let parent = |task: u32| self.tag.tasks[task as usize].parent.and_then(number);
            let compare = |a: Option<u64>, b: Option<u64>| match (a, b) {
                (Some(a), Some(b)) => a.cmp(&b),
                (Some(_) | None, None) | (None, Some(_)) => Ordering::Equal,
            };
            compare(parent(a), parent(b)).then(compare(number(a), number(b)))
        })
    }

    /// It knows only the exact words; any other is medium.
    fn priority(&self, task: u32) -> Priority {
        let own = self.tag.text_of(task, "priority");
        let parent = || self.tag.tasks[task as usize].parent.and_then(|it| self.tag.text_of(it, "priority"));
        let exact = [Priority::Low, Priority::High, Priority::Critical];
        let word = own.filter(|word| !word.is_empty()).or_else(parent);
        exact.into_iter().find(|known| Some(known.word()) == word).unwrap_or_default()
    }
}
