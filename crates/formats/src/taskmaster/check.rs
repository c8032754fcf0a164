//! Everything that is wrong with a file, at once.

use partitur_model::Fault;
use partitur_model::fault::did_you_mean;

use super::backlog::{Backlog, Tag};
use super::codes;
use super::edit::Edit;
use super::finding::Finding;
use super::order::{Cut, Order};
use super::resolve::{Index, Meaning, Reference};
use super::source::Source;
use super::standing::{Rule, Standing};
use super::word::Status;
use crate::reader::shorten;

/// All findings of a file in the order of its text.
pub fn check(source: &Source, backlog: &Backlog<'_>, rule: Rule) -> Vec<Finding> {
    let mut findings = backlog.findings.clone();
    for tag in &backlog.tags {
        let index = Index::of(tag);
        let references = tag.references_by(&index);
        let mut check = Check { tag, index, references, findings };
        check.tell_ids();
        check.tell_references();
        check.tell_cycles();
        check.tell_statuses(rule);
        findings = check.findings;
    }
    source.sort(&mut findings);
    findings
}

/// Looks at one tag.
struct Check<'t, 's> {
    tag: &'t Tag<'s>,
    index: Index<'t, 's>,
    references: Vec<Reference>,
    findings: Vec<Finding>,
}

/// So many tasks are named; of more, their number is told.
const NAMES_MAX: usize = 8;

impl Check<'_, '_> {
    fn tell_ids(&mut self) {
        for (task, bearer) in std::mem::take(&mut self.index.repeated) {
            let name = self.tag.name_of(task);
            let message = match self.tag.tasks[task as usize].parent {
                Some(parent) => format!("task {} has two subtasks {name}", self.tag.name_of(parent)),
                None => format!("there are two tasks {name}"),
            };
            let place = self.tag.place_of(task).member("id");
            let (line, first) = ("the first bearer is meant", self.tag.tasks[bearer as usize].title);
            let hint = format!("{line} (`{}`): give this one an id of its own", shorten(first));
            self.find(
                task,
                Fault::error(codes::DUPLICATE_ID, place, message).label("given before").hint(hint),
            );
        }
    }

    fn tell_references(&mut self) {
        for at in 0..self.references.len() {
            let reference = self.references[at];
            if self.is_repeated(reference) {
                self.tell_repeated(reference);
                continue;
            }
            match reference.meaning {
                Meaning::Nothing => self.tell_unknown(reference),
                Meaning::Task(target) | Meaning::OtherLevel(target) if target == reference.task => {
                    self.tell_self(reference);
                }
                // To wait for its own parent is told as a cycle.
                Meaning::OtherLevel(target)
                    if self.tag.tasks[reference.task as usize].parent != Some(target) =>
                {
                    self.tell_other_level(reference, target);
                }
                Meaning::Task(_) | Meaning::OtherLevel(_) => {}
            }
        }
    }

    /// Whether the task has declared the same before.
    fn is_repeated(&self, reference: Reference) -> bool {
        let begin = self.tag.tasks[reference.task as usize].dependencies.start;
        let token = |dependency: u32| self.tag.dependencies[dependency as usize].token;
        let back = (reference.dependency - begin) as usize;
        let at = self.references.partition_point(|other| other.dependency < reference.dependency);
        self.references[at - back..at].iter().any(|other| match reference.meaning.task() {
            Some(target) => other.meaning.task() == Some(target),
            None => token(other.dependency) == token(reference.dependency),
        })
    }

    fn tell_repeated(&mut self, reference: Reference) {
        let token = self.token(reference);
        let message = format!("{} depends on {token} twice", self.subject(reference.task));
        let fault = Fault::warning(codes::DUPLICATE_DEPENDENCY, self.place(reference), message);
        self.find_with_drop(reference, fault.label("given before").hint(format!("remove {token}")), true);
    }

    fn tell_unknown(&mut self, reference: Reference) {
        let token = self.token(reference);
        let message = format!("{} depends on {token}, which does not exist", self.subject(reference.task));
        let fault = Fault::error(codes::UNKNOWN_TASK, self.place(reference), message).label("unknown task");
        let hint = match self.meant(reference) {
            Some(near) => format!("did you mean {near}? Else remove {token}"),
            None => format!("remove {token}: the task waits for ever"),
        };
        self.find_with_drop(reference, fault.hint(hint), true);
    }

    fn tell_self(&mut self, reference: Reference) {
        let message = format!("{} depends on itself", self.subject(reference.task));
        let fault = Fault::error(codes::SELF_DEPENDENCY, self.place(reference), message).label("itself");
        let hint = format!("remove {}", self.token(reference));
        self.find_with_drop(reference, fault.hint(hint), true);
    }

    fn tell_other_level(&mut self, reference: Reference, target: u32) {
        let token = self.token(reference);
        let parent = self.tag.tasks[reference.task as usize].parent.map(|parent| self.tag.name_of(parent));
        let parent = parent.unwrap_or_default();
        let message = format!(
            "{} depends on {token}, which is no subtask of {parent}: task {} is meant",
            self.subject(reference.task),
            self.tag.name_of(target),
        );
        let hint = format!(
            "Taskmaster looks for {parent}.{token} and finds nothing: let task {parent} depend on {token} instead"
        );
        let fault = Fault::warning(codes::OTHER_LEVEL, self.place(reference), message);
        self.find(reference.task, fault.label("no sibling").hint(hint));
    }

    /// An id that is nearly the one that leads to nothing.
    fn meant(&self, reference: Reference) -> Option<String> {
        let token = self.tag.dependencies[reference.dependency as usize].token;
        // Neighbouring numbers look alike and mean nothing.
        if token.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return None;
        }
        let names: Vec<String> = self.tag.each().map(|task| self.tag.name_of(task)).collect();
        did_you_mean(token, names.iter().map(String::as_str)).map(str::to_owned)
    }

    fn tell_cycles(&mut self) {
        for cut in Order::of(self.tag, &self.references).cuts {
            self.tell_cycle(&cut);
        }
    }

    fn tell_cycle(&mut self, cut: &Cut) {
        let Cut { reference, cycle, containment } = cut;
        let around = cycle.iter().chain(cycle.first()).map(|&task| self.tag.name_of(task));
        let around = around.collect::<Vec<_>>().join(" → ");
        let token = self.token(*reference);
        let hint = format!("remove {token} here, or another dependency of the cycle");
        let (code, message) = match containment {
            true => {
                let whole = "a task waits for its subtasks, and they for what it waits for";
                (codes::CONTAINMENT, format!("these wait for each other ({whole}): {around}"))
            }
            false => (codes::CYCLE, format!("these wait for each other: {around}")),
        };
        let fault = Fault::error(code, self.place(*reference), message).label("closes the cycle");
        self.find_with_drop(*reference, fault.hint(hint), false);
    }

    fn tell_statuses(&mut self, rule: Rule) {
        let standing = Standing::of(self.tag, &self.references, rule);
        for task in self.tag.each() {
            self.tell_subtasks(&standing, task);
        }
        self.tell_open_dependencies(&standing);
        self.tell_held(&standing);
    }

    fn tell_subtasks(&mut self, standing: &Standing, task: u32) {
        let subtasks = self.tag.subtasks(task);
        if subtasks.is_empty() {
            return;
        }
        let status = self.tag.tasks[task as usize].status;
        let open: Vec<u32> = subtasks.filter(|&subtask| !standing.is_satisfied(subtask)).collect();
        let place = self.tag.place_of(task).member("status");
        let name = self.tag.name_of(task);
        if status == Status::Done && !open.is_empty() {
            let names = self.names(&open);
            let message = format!("task {name} is done, and its subtasks are not: {names}");
            let hint = format!("set them to done, or task {name} to in-progress");
            let fault = Fault::warning(codes::CONTRADICTION, place, message).label("done");
            self.find(task, fault.hint(hint));
        } else if status.is_open() && open.is_empty() {
            let message = format!("task {name} is {}, and all of its subtasks are done", status.word());
            let fault = Fault::warning(codes::CONTRADICTION, place, message).label("open");
            self.find(task, fault.hint("it counts as done: set it to done"));
        }
    }

    fn tell_open_dependencies(&mut self, standing: &Standing) {
        for at in 0..self.references.len() {
            let reference = self.references[at];
            let done = self.tag.tasks[reference.task as usize].status == Status::Done;
            let Some(target) = reference.meaning.task().filter(|&target| target != reference.task) else {
                continue;
            };
            if !done || standing.is_satisfied(target) {
                continue;
            }
            let (name, target_name) = (self.subject(reference.task), self.tag.name_of(target));
            let status = self.tag.tasks[target as usize].status.word();
            let message = format!("{name} is done, and depends on {target_name}, which is {status}");
            let fault =
                Fault::warning(codes::CONTRADICTION, self.place(reference), message).label("not done");
            let hint = format!("set {target_name} to done, or remove it: it was not needed");
            self.find_with_drop(reference, fault.hint(hint), false);
        }
    }

    /// Tasks that will not be done by themselves, and those that wait for them.
    fn tell_held(&mut self, standing: &Standing) {
        let mut waiting: Vec<Vec<u32>> = vec![Vec::new(); self.tag.tasks.len()];
        for reference in &self.references {
            let open = self.tag.tasks[reference.task as usize].status.is_open();
            if let Some(target) =
                reference.meaning.task().filter(|&target| open && will_not_be_done(self.tag, target))
                && !standing.is_satisfied(target)
            {
                waiting[target as usize].push(reference.task);
            }
        }
        for (task, mut waiting) in self.tag.each().zip(waiting) {
            waiting.dedup();
            if waiting.is_empty() {
                continue;
            }
            let status = self.tag.text_of(task, "status").unwrap_or_default();
            let (subject, names) = (self.subject(task), self.names(&waiting));
            let message = format!("{subject} is `{}`, and open tasks wait for it: {names}", shorten(status));
            let place = self.tag.place_of(task).member("status");
            let fault = Fault::warning(codes::HELD, place, message).label("will not be done");
            self.find(task, fault.hint("open it again, or let the others go without it"));
        }
    }

    fn find(&mut self, task: u32, fault: Fault) {
        self.findings.push(Finding::new(fault, self.tag.name, self.tag.name_of(task)));
    }

    fn find_with_drop(&mut self, reference: Reference, fault: Fault, safe: bool) {
        let edit = Edit::drop(self.tag, reference.dependency, safe);
        let finding = Finding::new(fault, self.tag.name, self.tag.name_of(reference.task));
        self.findings.push(finding.edit(edit));
    }

    fn place(&self, reference: Reference) -> partitur_model::Place {
        self.tag.place_of_dependency(reference.task, reference.dependency)
    }

    fn token(&self, reference: Reference) -> String {
        shorten(self.tag.dependencies[reference.dependency as usize].token).to_string()
    }

    /// `task 5`, `subtask 5.2`.
    fn subject(&self, task: u32) -> String {
        let word = if self.tag.tasks[task as usize].parent.is_some() { "subtask" } else { "task" };
        format!("{word} {}", self.tag.name_of(task))
    }

    fn names(&self, tasks: &[u32]) -> String {
        let shown: Vec<String> = tasks.iter().take(NAMES_MAX).map(|&task| self.tag.name_of(task)).collect();
        match tasks.len().saturating_sub(NAMES_MAX) {
            0 => shown.join(", "),
            more => format!("{} and {more} more", shown.join(", ")),
        }
    }
}

/// Whether nobody may work on a task, and nobody looks at it either.
fn will_not_be_done(tag: &Tag<'_>, task: u32) -> bool {
    match tag.tasks[task as usize].status {
        Status::Deferred | Status::Cancelled | Status::Blocked | Status::Unknown => true,
        Status::Pending | Status::InProgress | Status::Done | Status::Review => false,
    }
}
