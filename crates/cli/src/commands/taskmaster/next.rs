//! `partitur taskmaster next`: what to do now, and why.

use std::time::Instant;

use partitur_formats::taskmaster::{Candidate, Hold, Order, Standing, Tag, holds, next, next_as_taskmaster};
use serde_json::{Value, json};

use super::file::Selection;
use super::weights::Weights;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::Global;

/// Say what to do now, and why
///
/// Ready is what is pending or in progress and whose dependencies are complete, a subtask only while its parent is too. Of
/// these: first what has begun (or whose parent has), then what has the higher priority, then what the longest chain of
/// open work waits for, then what stands first in the file.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur taskmaster next
  partitur taskmaster next --json | jq -r .next.task
  partitur taskmaster next --compat taskmaster    # as `task-master next` chooses")]
pub struct Next {
    #[command(flatten)]
    selection: Selection,
    /// Choose as another program does
    #[arg(long, value_name = "PROGRAM")]
    compat: Option<Compat>,
    /// As JSON on standard output
    #[arg(long)]
    json: bool,
}

/// Programs whose choice can be compared.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Compat {
    /// Taskmaster's command line
    Taskmaster,
}

/// So many others are named.
const OTHERS_MAX: usize = 10;

impl Next {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let begun = Instant::now();
        let opened = self.selection.file.open(global.color)?;
        let backlog = opened.source.backlog();
        let tag = self.selection.tag(&opened, &backlog)?;
        if let Some(Compat::Taskmaster) = self.compat {
            return Ok(self.as_taskmaster(tag));
        }
        let references = tag.references();
        let order = Order::of(tag, &references);
        let standing = Standing::of(tag, &references, self.selection.file.rule());
        let weights = Weights::of(tag, &opened.root);
        let choice = Choice {
            tag,
            ready: next(tag, &order, &standing, &weights.of_task),
            holds: holds(tag, &references, &order, &standing),
            order: &order,
            standing: &standing,
            weights: &weights,
        };
        if self.json {
            let mut told = choice.json();
            told["ms"] = json!(begun.elapsed().as_secs_f64() * 1000.0);
            println!("{told}");
        } else {
            print!("{}", choice.text());
        }
        std::mem::forget(opened);
        Ok(Exit::Success)
    }

    fn as_taskmaster(&self, tag: &Tag<'_>) -> Exit {
        let chosen = next_as_taskmaster(tag);
        if self.json {
            let next = chosen.map(|task| json!({"task": tag.name_of(task), "title": title(tag, task)}));
            println!("{}", json!({"version": 1, "tag": tag.name, "next": next, "compat": "taskmaster"}));
            return Exit::Success;
        }
        match chosen {
            Some(task) => println!("{}  {}", tag.name_of(task), title(tag, task)),
            None => println!("nothing, as Taskmaster sees it"),
        }
        Exit::Success
    }
}

/// What is chosen, and what it was chosen from.
struct Choice<'c, 's> {
    tag: &'c Tag<'s>,
    ready: Vec<Candidate>,
    holds: Vec<Hold>,
    order: &'c Order,
    standing: &'c Standing,
    weights: &'c Weights,
}

impl Choice<'_, '_> {
    fn text(&self) -> String {
        let Some((best, others)) = self.ready.split_first() else { return self.nothing() };
        let mut text = format!("{}  {}\n", self.tag.name_of(best.task), title(self.tag, best.task));
        for reason in self.reasons(best) {
            text += &format!("  {reason}\n");
        }
        if !others.is_empty() {
            let named: Vec<String> =
                others.iter().take(OTHERS_MAX).map(|other| self.tag.name_of(other.task)).collect();
            let more = others.len().saturating_sub(OTHERS_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            text += &format!("also ready: {}{more}\n", named.join(", "));
        }
        text
    }

    /// Why it may begin, and why it comes first.
    fn reasons(&self, best: &Candidate) -> Vec<String> {
        let status = self.tag.tasks[best.task as usize].status.word();
        let dependencies = self.tag.tasks[best.task as usize].dependencies.len();
        let mut reasons = vec![match dependencies {
            0 => format!("{status}, and depends on nothing"),
            1 => format!("{status}, and what it depends on is complete"),
            _ => format!("{status}, and all {dependencies} that it depends on are complete"),
        }];
        if let Some(parent) = self.tag.tasks[best.task as usize].parent {
            let (name, status) = (self.tag.name_of(parent), self.tag.tasks[parent as usize].status.word());
            reasons.push(format!("part of {name} ({}), which is {status}", title(self.tag, parent)));
        }
        reasons.push(format!("priority {}", best.priority.word()));
        match self.order.waiting_for(self.standing, best.task) {
            0 => reasons.push("nothing waits for it".to_owned()),
            waiting => {
                let chain = self.weights.shown(best.behind);
                let word = if waiting == 1 { "open task waits" } else { "open tasks wait" };
                reasons.push(format!("{waiting} {word} for it; the longest chain of them is {chain}"));
            }
        }
        reasons
    }

    fn nothing(&self) -> String {
        let open = self.tag.each().filter(|&task| self.is_open(task)).count();
        if open == 0 {
            return "nothing: no task is open\n".to_owned();
        }
        let mut text = format!("nothing is ready; {open} open tasks wait\n");
        for hold in self.holds.iter().take(OTHERS_MAX) {
            text += &format!("  {}\n", self.sentence(hold));
        }
        text
    }

    fn is_open(&self, task: u32) -> bool {
        self.tag.tasks[task as usize].status.is_open() && !self.standing.is_satisfied(task)
    }

    fn sentence(&self, hold: &Hold) -> String {
        match hold {
            Hold::Status { task, waiting } => format!(
                "{} is {}, and {} wait{} for it",
                self.tag.name_of(*task),
                self.tag.tasks[*task as usize].status.word(),
                self.names(waiting),
                if waiting.len() == 1 { "s" } else { "" },
            ),
            Hold::Nothing(reference) => format!(
                "{} depends on {}, which does not exist",
                self.tag.name_of(reference.task),
                self.tag.dependencies[reference.dependency as usize].token,
            ),
            Hold::Cycle(cycle) => format!("{} wait for each other", self.names(cycle)),
        }
    }

    fn names(&self, tasks: &[u32]) -> String {
        tasks.iter().map(|&task| self.tag.name_of(task)).collect::<Vec<_>>().join(", ")
    }

    fn json(&self) -> Value {
        let next = self.ready.first().map(|best| {
            let mut told = self.candidate(best);
            told["waiting"] = json!(self.order.waiting_for(self.standing, best.task));
            told["why"] = json!(self.reasons(best));
            told
        });
        json!({
            "version": 1,
            "tag": self.tag.name,
            "next": next,
            "ready": self.ready.iter().map(|ready| self.candidate(ready)).collect::<Vec<_>>(),
            "held": self.holds.iter().map(|hold| self.sentence(hold)).collect::<Vec<_>>(),
        })
    }

    fn candidate(&self, candidate: &Candidate) -> Value {
        json!({
            "task": self.tag.name_of(candidate.task),
            "title": title(self.tag, candidate.task),
            "status": self.tag.tasks[candidate.task as usize].status.word(),
            "priority": candidate.priority.word(),
            "begun": candidate.begun,
            "behind": self.weights.in_units(candidate.behind),
        })
    }
}

/// A task's title for people; without one, a dash.
pub fn title<'s>(tag: &Tag<'s>, task: u32) -> &'s str {
    let title = tag.tasks[task as usize].title;
    if title.is_empty() { "—" } else { title.lines().next().unwrap_or_default() }
}
