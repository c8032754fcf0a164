//! `partitur taskmaster graph`: a picture of a tag, with how far its tasks are.

use std::collections::{BTreeSet, HashMap};

use partitur_formats::taskmaster::{Part, Status};
use partitur_graph::render::{Form, Item, Link, Picture, State, dot, html, mermaid, svg, text};

use super::file::Selection;
use super::next::title;
use super::shape::Shape;
use super::weights::Weights;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::Global;

/// Draw the tasks, what they depend on, and how far they are
///
/// Tasks with subtasks contain them. A dependency between subtasks of different tasks is drawn between these tasks. What
/// determines the end of the open tasks is marked.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur taskmaster graph
  partitur taskmaster graph --format html > tasks.html     # opens in a browser, also offline")]
pub struct Graph {
    #[command(flatten)]
    selection: Selection,
    /// What is written to standard output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

/// What pictures there are.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// For a terminal
    Text,
    /// A picture that scales
    Svg,
    /// A page that pans, zooms and folds
    Html,
    /// For Graphviz
    Dot,
    /// For Mermaid
    Mermaid,
}

impl Graph {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let opened = self.selection.file.open(global.color)?;
        let backlog = opened.source.backlog();
        let tag = self.selection.tag(&opened, &backlog)?;
        let shape = Shape::of(tag, Weights::of(tag, &opened.root), self.selection.file.rule(), Part::Open);
        let picture = picture(&shape);
        let drawn = match self.format {
            Format::Text => text(&picture, global.color.for_stream(&std::io::stdout())),
            Format::Svg => svg(&picture),
            Format::Html => html(&picture),
            Format::Dot => dot(&picture),
            Format::Mermaid => mermaid(&picture),
        };
        println!("{}", drawn.trim_end());
        Ok(Exit::Success)
    }
}

fn picture(shape: &Shape<'_, '_>) -> Picture {
    let (critical, _) = shape.critical();
    let open = shape.tag.each().filter(|&task| !shape.standing.is_satisfied(task)).count();
    Picture {
        title: shape.tag.name.to_owned(),
        subtitle: format!("{} tasks and subtasks, {open} of them open", shape.tag.tasks.len()),
        items: shape.tag.each().map(|task| item(shape, task, &critical)).collect(),
        links: links(shape, &critical),
        groups: Vec::new(),
    }
}

fn item(shape: &Shape<'_, '_>, task: u32, critical: &[u32]) -> Item {
    let mut subtasks = shape.tag.subtasks(task);
    let contains = !subtasks.is_empty();
    Item {
        name: shape.tag.name_of(task),
        detail: title(shape.tag, task).to_owned(),
        form: if contains { Form::Container } else { Form::Task },
        inside: shape.tag.tasks[task as usize].parent,
        state: Some(state(shape, task)),
        critical: critical.contains(&task) || subtasks.any(|subtask| critical.contains(&subtask)),
        group: None,
    }
}

fn state(shape: &Shape<'_, '_>, task: u32) -> State {
    match shape.tag.tasks[task as usize].status {
        _ if shape.standing.is_complete(task) => State::Succeeded,
        Status::Done => State::Succeeded,
        Status::InProgress | Status::Review => State::Running,
        Status::Pending if shape.standing.is_ready(task) => State::Ready,
        Status::Pending | Status::Unknown => State::Waiting,
        Status::Deferred => State::Skipped,
        Status::Cancelled => State::Cancelled,
        Status::Blocked => State::Failed,
    }
}

/// The dependencies, each between two that stand side by side: what leads into another task leads to that task.
fn links(shape: &Shape<'_, '_>, critical: &[u32]) -> Vec<Link> {
    let parent = |task: u32| shape.tag.tasks[task as usize].parent;
    let side_by_side = |from: u32, to: u32| match (parent(from), parent(to)) {
        (Some(a), Some(b)) if a == b => (from, to),
        (above_from, above_to) => (above_from.unwrap_or(from), above_to.unwrap_or(to)),
    };
    let steps = critical.windows(2).map(|pair| side_by_side(pair[0], pair[1]));
    let critical: BTreeSet<(u32, u32)> = steps.filter(|(from, to)| from != to).collect();
    let mut drawn: HashMap<(u32, u32), usize> = HashMap::new();
    let mut links: Vec<Link> = Vec::new();
    for reference in &shape.references {
        let Some(target) = reference.meaning.task() else { continue };
        let (from, to) = side_by_side(target, reference.task);
        if from != to && drawn.insert((from, to), links.len()).is_none() {
            let critical = critical.contains(&(from, to));
            links.push(Link { from, to, label: String::new(), critical });
        }
    }
    links
}
