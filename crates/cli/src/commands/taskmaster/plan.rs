//! `partitur taskmaster plan`: what can be done at the same time, what determines the end, and what more workers bring.

use partitur_formats::taskmaster::Part;
use serde_json::{Value, json};

use super::file::Selection;
use super::next::title;
use super::shape::Shape;
use super::weights::Weights;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::Global;

/// Say what can be done at the same time, and how long all of it takes
///
/// Looks at the open tasks that can be reached: those that wait for nothing but each other. How much work a task is comes from its
/// `complexity` or Taskmaster's report of complexity; else all are alike.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur taskmaster plan
  partitur taskmaster plan --all               # as if nothing had been done
  partitur taskmaster plan --json | jq '.waves[0]'")]
pub struct Plan {
    #[command(flatten)]
    selection: Selection,
    /// All tasks, as if nothing had been done
    #[arg(long)]
    all: bool,
    /// As JSON on standard output
    #[arg(long)]
    json: bool,
}

/// For so many workers it is said how long it takes.
pub const WORKERS: [u32; 4] = [1, 2, 4, 8];

impl Plan {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let opened = self.selection.file.open(global.color)?;
        let backlog = opened.source.backlog();
        let tag = self.selection.tag(&opened, &backlog)?;
        let part = if self.all { Part::All } else { Part::Open };
        let shape = Shape::of(tag, Weights::of(tag, &opened.root), self.selection.file.rule(), part);
        if self.json {
            println!("{}", told(&shape));
        } else {
            print!("{}", text(&shape));
        }
        Ok(Exit::Success)
    }
}

/// For people.
pub fn text(shape: &Shape<'_, '_>) -> String {
    let waves = shape.waves();
    let count: usize = waves.iter().map(Vec::len).sum();
    let wave = if waves.len() == 1 { "wave" } else { "waves" };
    let mut text = format!("{}: {count} tasks in {} {wave}\n", shape.tag.name, waves.len());
    for (number, wave) in (1..).zip(&waves) {
        text += &format!("\nwave {number}\n");
        let width = wave.iter().map(|&task| shape.tag.name_of(task).chars().count()).max().unwrap_or(0);
        for &task in wave {
            text += &format!("  {:<width$}  {}\n", shape.tag.name_of(task), title(shape.tag, task));
        }
    }
    if count > 0 {
        text += &format!("\n{}", figures(shape));
    }
    text + &left_out(shape)
}

/// What determines the end, and what more workers bring.
pub fn figures(shape: &Shape<'_, '_>) -> String {
    let (path, length) = shape.critical();
    let units = |sum: u64| shape.weights.in_units(sum);
    let unit = if shape.weights.known { "points" } else { "tasks" };
    let mut text = format!(
        "critical path: {}\n{:.1} {unit} of work, {:.1} on the critical path: {:.1} at once on average\n",
        names(shape, &path).join(" → "),
        units(shape.work()),
        units(length),
        shape.work() as f64 / length.max(1) as f64,
    );
    for workers in WORKERS {
        let makespan = shape.makespan(workers);
        let speed_up = shape.work() as f64 / makespan.max(1) as f64;
        let word = if workers == 1 { "worker " } else { "workers" };
        text +=
            &format!("  {workers} {word}  {:>7.1} {unit}  {speed_up:.1} × as fast as one\n", units(makespan));
    }
    text
}

fn left_out(shape: &Shape<'_, '_>) -> String {
    match shape.reach.left_out.as_slice() {
        [] => String::new(),
        tasks => format!(
            "left out, for they wait for what will not be done: {}\n  `partitur taskmaster check` says why\n",
            names(shape, tasks).join(", ")
        ),
    }
}

/// The full ids of tasks.
pub fn names(shape: &Shape<'_, '_>, tasks: &[u32]) -> Vec<String> {
    tasks.iter().map(|&task| shape.tag.name_of(task)).collect()
}

fn told(shape: &Shape<'_, '_>) -> Value {
    let (path, length) = shape.critical();
    let units = |sum: u64| shape.weights.in_units(sum);
    let takes = |workers: u32| json!({"workers": workers, "makespan": units(shape.makespan(workers))});
    json!({
        "version": 1,
        "tag": shape.tag.name,
        "unit": if shape.weights.known { "points" } else { "tasks" },
        "waves": shape.waves().iter().map(|wave| names(shape, wave)).collect::<Vec<_>>(),
        "critical_path": names(shape, &path),
        "work": units(shape.work()),
        "length": units(length),
        "makespans": WORKERS.map(takes),
        "left_out": names(shape, &shape.reach.left_out),
    })
}
