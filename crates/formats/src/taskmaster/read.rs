//! From the text to tags and tasks: tagged files, older ones without tags, both mixed, and bare lists.

use partitur_model::fault::did_you_mean;
use partitur_model::{Fault, Place};

use super::backlog::{Backlog, Dependency, Tag, Task};
use super::edit::Edit;
use super::finding::Finding;
use super::word::{Priority, Status};
use super::{codes, id};
use crate::reader::shorten;
use crate::tree::{Form, Item, Tree};

/// The tag of a file that has none.
const MASTER: &str = "master";

/// What is read.
pub(super) fn backlog(tree: &Tree) -> Backlog<'_> {
    let mut shape = Shape { tree, lists: Vec::new(), findings: Vec::new() };
    if let Some(root) = tree.root() {
        shape.find_lists(root);
    }
    let Shape { lists, mut findings, .. } = shape;
    if lists.is_empty() && findings.is_empty() {
        findings.push(no_tasks());
    }
    let mut tags = Vec::new();
    for List { tag, place, item } in lists {
        let tag = Tag { name: tag, tasks: Vec::new(), dependencies: Vec::new(), place, tree };
        let mut reader = Reader { tag, findings };
        reader.read_tasks(item, None);
        findings = reader.findings;
        tags.push(reader.tag);
    }
    Backlog { tags, findings }
}

fn no_tasks() -> Finding {
    let message = "this is no file of Taskmaster: it holds no list of tasks";
    let hint = "a file of Taskmaster looks like `{\"master\": {\"tasks\": [ … ]}}`, or `{\"tasks\": [ … ]}`";
    Finding::new(Fault::error(codes::NO_TASKS, Place::root(), message).hint(hint), "", "")
}

/// A list of tasks.
struct List<'s> {
    tag: &'s str,
    place: Place,
    item: Item,
}

/// Looks for the lists of tasks of a file.
struct Shape<'s> {
    tree: &'s Tree,
    lists: Vec<List<'s>>,
    findings: Vec<Finding>,
}

impl<'s> Shape<'s> {
    fn find_lists(&mut self, root: Item) {
        match self.tree.form(root) {
            Form::List => self.add(MASTER, Place::root(), root),
            Form::Map => {
                for (key, value) in self.tree.members(root) {
                    self.member_of_root(self.tree.text(key), value);
                }
            }
            Form::Plain | Form::Quoted | Form::Literal | Form::Folded => {}
        }
    }

    /// A tag, the tasks of a file without tags, or what is none of our business.
    fn member_of_root(&mut self, key: &'s str, value: Item) {
        let place = Place::root().member(key);
        if key == "tasks" && self.tree.form(value) != Form::Map {
            return self.add_if_list(MASTER, place, value);
        }
        if self.tree.form(value) != Form::Map {
            return;
        }
        let tasks = self.tree.members(value).filter(|&(name, _)| self.tree.text(name) == "tasks").last();
        if let Some((_, tasks)) = tasks {
            self.add_if_list(key, place.member("tasks"), tasks);
        }
    }

    fn add_if_list(&mut self, tag: &'s str, place: Place, item: Item) {
        if self.tree.form(item) == Form::List {
            return self.add(tag, place, item);
        }
        let message = format!("the tasks of `{}` are {}", shorten(tag), self.tree.form(item).noun());
        let fault = Fault::error(codes::WRONG_TYPE, place, message).label("no list");
        self.findings.push(Finding::new(fault.hint("write the tasks as a list: `[ … ]`"), tag, ""));
    }

    fn add(&mut self, tag: &'s str, place: Place, item: Item) {
        let before = self.lists.iter().position(|list| list.tag == tag);
        if let Some(before) = before {
            let message = format!("there are two lists of tasks for the tag `{}`", shorten(tag));
            let hint = "the last one counts, and Taskmaster drops the other when it writes: join them";
            let fault = Fault::error(codes::DUPLICATE_KEY, place.clone(), message).label("the second one");
            self.findings.push(Finding::new(fault.hint(hint), tag, ""));
            self.lists.remove(before);
        }
        self.lists.push(List { tag, place, item });
    }
}

/// Reads the tasks of one tag.
struct Reader<'s> {
    tag: Tag<'s>,
    findings: Vec<Finding>,
}

/// What a task holds, before it is looked at.
#[derive(Default)]
struct Members {
    id: Option<Item>,
    title: Option<Item>,
    status: Option<Item>,
    priority: Option<Item>,
    complexity: Option<Item>,
    dependencies: Option<Item>,
    subtasks: Option<Item>,
}

impl<'s> Reader<'s> {
    fn read_tasks(&mut self, list: Item, parent: Option<u32>) {
        for (index, item) in (0..).zip(self.tag.tree.parts(list)) {
            if self.tag.tree.form(item) == Form::Map {
                self.read_task(item, index, parent);
                continue;
            }
            let task = parent.map_or(String::new(), |parent| self.tag.name_of(parent));
            let list = match parent {
                Some(parent) => self.tag.place_of(parent).member("subtasks"),
                None => self.tag.place.clone(),
            };
            let message = format!("a task is {}", self.tag.tree.form(item).noun());
            let fault = Fault::error(codes::WRONG_TYPE, list.element(index as usize), message);
            self.find(fault.label("no object").hint("write it as `{\"id\": …, \"title\": …}`"), task);
        }
    }

    fn read_task(&mut self, item: Item, index: u32, parent: Option<u32>) {
        let number = self.tag.tasks.len() as u32;
        let members = self.members(item);
        let begin = self.tag.dependencies.len() as u32;
        let task = Task {
            id: self.id(&members, parent),
            title: members.title.map_or("", |title| self.tag.tree.text(title)),
            status: members.status.map_or(Status::Pending, |status| self.status(status)),
            priority: members.priority.and_then(|priority| Priority::of(self.tag.tree.text(priority))),
            complexity: members.complexity.and_then(|complexity| self.complexity(complexity)),
            parent,
            subtasks: 0,
            dependencies: begin..begin,
            index,
            item,
        };
        self.tag.tasks.push(task);
        self.tell_members(number, item, &members);
        if let Some(list) = members.dependencies {
            self.read_dependencies(number, list);
        }
        self.tag.tasks[number as usize].dependencies.end = self.tag.dependencies.len() as u32;
        if let Some(list) = members.subtasks {
            self.read_subtasks(number, parent, list);
        }
    }

    /// The members that matter; of a key that is given twice, the last, as JavaScript has it.
    fn members(&self, item: Item) -> Members {
        let mut members = Members::default();
        for (key, value) in self.tag.tree.members(item) {
            let slot = match self.tag.tree.text(key) {
                "id" => &mut members.id,
                "title" => &mut members.title,
                "status" => &mut members.status,
                "priority" => &mut members.priority,
                "complexity" => &mut members.complexity,
                "dependencies" => &mut members.dependencies,
                "subtasks" => &mut members.subtasks,
                _ => continue,
            };
            // `null` says nothing.
            let null = self.tag.tree.form(value) == Form::Plain && self.tag.tree.text(value) == "null";
            *slot = (!null).then_some(value);
        }
        members
    }

    fn id(&self, members: &Members, parent: Option<u32>) -> &'s str {
        let Some(item) = members.id.filter(|&id| self.is_scalar(id)) else { return "" };
        let text = self.tag.tree.text(item);
        match parent {
            Some(parent) => id::local(self.tag.tasks[parent as usize].id, text),
            None => id::canonical(text),
        }
    }

    fn status(&self, item: Item) -> Status {
        if self.is_scalar(item) { Status::of(self.tag.tree.text(item)) } else { Status::Unknown }
    }

    fn complexity(&self, item: Item) -> Option<f64> {
        self.tag.tree.text(item).parse().ok().filter(|weight: &f64| weight.is_finite() && *weight > 0.0)
    }

    fn is_scalar(&self, item: Item) -> bool {
        match self.tag.tree.form(item) {
            Form::Plain | Form::Quoted | Form::Literal | Form::Folded => true,
            Form::List | Form::Map => false,
        }
    }

    /// What is wrong with the members of a task by themselves.
    fn tell_members(&mut self, task: u32, item: Item, members: &Members) {
        self.tell_duplicate_keys(task, item);
        if self.tag.tasks[task as usize].id.is_empty() {
            let message = "a task has no id";
            let fault = Fault::error(codes::NO_ID, self.tag.place_of(task), message).label("this task");
            self.find_in(
                task,
                fault.hint("give it a number of its own: nobody can depend on it, or name it"),
            );
        }
        if let Some(status) = members.status {
            self.tell_status(task, status);
        }
        if let Some(priority) = members.priority {
            self.tell_priority(task, priority);
        }
    }

    fn tell_duplicate_keys(&mut self, task: u32, item: Item) {
        let twice = self.duplicate_key(item);
        if let Some(name) = twice {
            let message = format!("the key `{}` is given twice", shorten(name));
            let place = self.tag.place_of(task).member(name);
            let fault = Fault::warning(codes::DUPLICATE_KEY, place, message).label("given again below");
            self.find_in(task, fault.hint("the last one counts; Taskmaster drops the others when it writes"));
        }
    }

    /// A key that is given twice. A task has some twenty keys: most of them are told apart by one of 64 bits, and only
    /// those that are not are compared.
    fn duplicate_key(&self, item: Item) -> Option<&'s str> {
        let tree = self.tag.tree;
        let mut seen = 0_u64;
        tree.members(item).enumerate().find_map(|(at, (key, _))| {
            let name = tree.text(key);
            let sign = |byte: Option<&u8>| byte.map_or(0, |&byte| usize::from(byte));
            let bytes = name.as_bytes();
            let bit = 1 << ((bytes.len() * 7 + sign(bytes.first()) * 5 + sign(bytes.last())) % 64);
            let may_be_twice = seen & bit != 0;
            seen |= bit;
            let again = || tree.members(item).take(at).any(|(other, _)| tree.text(other) == name);
            (may_be_twice && again()).then_some(name)
        })
    }

    fn tell_status(&mut self, task: u32, item: Item) {
        let word = self.tag.tree.text(item);
        let known = Status::exactly(word);
        if known != Status::Unknown {
            return;
        }
        let meant = self.tag.tasks[task as usize].status;
        let place = self.tag.place_of(task).member("status");
        let message = format!("nobody knows the status `{}`", shorten(word));
        let fault = Fault::warning(codes::UNKNOWN_WORD, place, message).label("unknown");
        if meant != Status::Unknown {
            let fault = fault.hint(format!("read as `{0}`; write `{0}`", meant.word()));
            let edit = Edit::word(item, meant.word());
            let finding = Finding::new(fault, self.tag.name, self.tag.name_of(task)).edit(edit);
            return self.findings.push(finding);
        }
        let words = Status::ALL.map(Status::word);
        let hint = match did_you_mean(word, words) {
            Some(near) => format!("did you mean `{near}`? The task is held until it has a known one"),
            None => format!("the task is held until it has one of {}", words.join(", ")),
        };
        self.find_in(task, fault.hint(hint));
    }

    fn tell_priority(&mut self, task: u32, item: Item) {
        let word = self.tag.tree.text(item);
        let place = self.tag.place_of(task).member("priority");
        let message = format!("nobody knows the priority `{}`", shorten(word));
        let fault = Fault::warning(codes::UNKNOWN_WORD, place, message).label("unknown");
        match self.tag.tasks[task as usize].priority {
            Some(known) if known.word() == word => {}
            Some(meant) => {
                let fault = fault.hint(format!("read as `{0}`; write `{0}`", meant.word()));
                let edit = Edit::word(item, meant.word());
                let finding = Finding::new(fault, self.tag.name, self.tag.name_of(task)).edit(edit);
                self.findings.push(finding);
            }
            None => {
                let hint = "read as `medium`; write critical, high, medium or low";
                self.find_in(task, fault.hint(hint));
            }
        }
    }

    fn read_dependencies(&mut self, task: u32, list: Item) {
        let place = || self.tag.place_of(task).member("dependencies");
        if self.tag.tree.form(list) != Form::List {
            let message = format!("`dependencies` is {}", self.tag.tree.form(list).noun());
            let fault = Fault::error(codes::WRONG_TYPE, place(), message).label("no list");
            return self.find_in(task, fault.hint("write a list of ids, as `[1, \"2.3\"]`"));
        }
        for (index, item) in (0..).zip(self.tag.tree.parts(list)) {
            if self.is_scalar(item) {
                let token = id::canonical(self.tag.tree.text(item));
                self.tag.dependencies.push(Dependency { token, index, list });
                continue;
            }
            let message = format!("a dependency is {}", self.tag.tree.form(item).noun());
            let place = self.tag.place_of(task).member("dependencies").element(index as usize);
            let fault = Fault::error(codes::WRONG_TYPE, place, message).label("no id");
            self.find_in(task, fault.hint("write the id of a task"));
        }
    }

    fn read_subtasks(&mut self, task: u32, parent: Option<u32>, list: Item) {
        let place = self.tag.place_of(task).member("subtasks");
        if self.tag.tree.form(list) != Form::List {
            let message = format!("`subtasks` is {}", self.tag.tree.form(list).noun());
            let fault = Fault::error(codes::WRONG_TYPE, place, message).label("no list");
            return self.find_in(task, fault.hint("write the subtasks as a list"));
        }
        if parent.is_none() {
            self.read_tasks(list, Some(task));
            self.tag.tasks[task as usize].subtasks = self.tag.tasks.len() as u32 - task - 1;
        } else if self.tag.tree.parts(list).next().is_some() {
            let message = "a subtask has subtasks, which are not looked at";
            let fault = Fault::warning(codes::WRONG_TYPE, place, message).label("one level too deep");
            self.find_in(task, fault.hint("make them subtasks of its parent: Taskmaster has two levels"));
        }
    }

    fn find(&mut self, fault: Fault, task: String) {
        self.findings.push(Finding::new(fault, self.tag.name, task));
    }

    fn find_in(&mut self, task: u32, fault: Fault) {
        self.find(fault, self.tag.name_of(task));
    }
}
