//! `partitur workflow watch`: a run to its end, as it goes.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use partitur_report::short;
use serde_json::Value;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::show::{Values, children, shown, title};
use super::{run_route, unknown_run};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ink::{Line, Paint};
use crate::progress::{Screen, moment, terminal_size};
use crate::remote::{
    Children, Desk, Problem, Row, Story, Told as _, parsed, run_exit, run_has_ended, task_has_ended,
    task_mark, took,
};
use crate::settings::Global;

/// Between two looks, at least; a server that takes long to answer is asked less often.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Of the time between two looks, the server is at work on ours for no more than this part.
const SHARE: u32 = 4;
/// Lines above the tree.
const HEAD: usize = 2;

/// Follow a run to its end
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur workflow watch 3f0cb1a4-…
  partitur workflow watch 3f0cb1a4-… > output.json && deploy

The output of the run goes to standard output, everything else to standard error. The exit code says how the run ended: 0 \
completed, 1 failed or timed out, 4 terminated. Ctrl-C stops watching; the run goes on.")]
pub struct Watch {
    /// Which run
    #[arg(value_name = "ID")]
    run: String,
    #[command(flatten)]
    how: How,
}

/// How a run is followed.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct How {
    /// Say nothing until the end
    #[arg(short, long)]
    pub quiet: bool,
    /// So deep into sub-workflows
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub depth: u32,
}

impl Watch {
    pub fn run(self, desk: &Desk, global: &Global) -> Result<Exit, Failure> {
        follow(desk, global, &self.run, self.how)
    }
}

/// How it is shown while it goes on.
enum View {
    Live(Screen<std::io::Stderr>),
    /// A line for each task that has ended; those that were told, by id.
    Plain(BTreeMap<String, String>),
    Quiet,
}

/// Follows a run to its end, and gives its output and its exit code.
///
/// # Errors
/// There is no such run, or nobody answers any more.
pub fn follow(desk: &Desk, global: &Global, id: &str, how: How) -> Result<Exit, Failure> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let cannot = |error| Failure::Io { what: "signals cannot be heard".to_owned(), error };
        // The second one ends the process wherever it is.
        signal_hook::flag::register_conditional_default(signal, interrupted.clone()).map_err(cannot)?;
        signal_hook::flag::register(signal, interrupted.clone()).map_err(cannot)?;
    }
    let mut view = View::choose(global, how.quiet || desk.json);
    loop {
        let asked = Instant::now();
        let answer = desk.client.get(&run_route(id)).map_err(unknown_run)?;
        let run = parsed(&answer)?;
        view.show(desk, &run, how.depth)?;
        if run_has_ended(run.text("status")) {
            view.close();
            return end(desk, &answer, &run, how.quiet);
        }
        let pause = (asked.elapsed() * SHARE).clamp(PAUSE, PAUSE_MAX);
        let until = Instant::now() + pause;
        while Instant::now() < until && !interrupted.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(25));
        }
        if interrupted.load(Ordering::Relaxed) {
            view.close();
            desk.say(&format!("the run goes on; `partitur workflow terminate {id}` ends it"));
            return Ok(Exit::Cancelled);
        }
    }
}

fn end(desk: &Desk, answer: &str, run: &Value, quiet: bool) -> Result<Exit, Failure> {
    let exit = run_exit(run.text("status"));
    if desk.json {
        desk.raw(answer);
        return Ok(exit);
    }
    if !quiet || exit != Exit::Success {
        desk.say_line(&title(run, moment()).add(Paint::Dim, format!("   {}", run.text("workflowId"))));
        let reason = run.text("reasonForIncompletion");
        if !reason.is_empty() {
            desk.say_line(&Line::new().text("  ").add(Paint::Bad, reason.replace('\n', " ")));
        }
    }
    let values: Values<'_> = serde_json::from_str(answer).unwrap_or_default();
    let output = shown(values.output);
    if !output.is_empty() {
        desk.raw(output);
    }
    Ok(exit)
}

impl View {
    fn choose(global: &Global, quiet: bool) -> View {
        let stderr = std::io::stderr();
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let colour = global.color.for_stream(&stderr);
        match quiet {
            true => View::Quiet,
            false if stderr.is_terminal() && !dumb => View::Live(Screen::new(stderr, colour)),
            false => View::Plain(BTreeMap::new()),
        }
    }

    fn show(&mut self, desk: &Desk, run: &Value, depth: u32) -> Result<(), Problem> {
        match self {
            View::Quiet => Ok(()),
            View::Plain(told) => {
                tell_ends(desk, run, told);
                Ok(())
            }
            View::Live(screen) => {
                let children = children(desk, run, depth)?;
                let size = terminal_size();
                screen.draw("", &block(run, &children, size.rows), size);
                Ok(())
            }
        }
    }

    /// Takes the block away; what was said stays.
    fn close(&mut self) {
        if let View::Live(screen) = self {
            screen.clear(terminal_size());
        }
    }
}

/// The run in so many rows: all of it, or what matters now.
fn block(run: &Value, children: &Children, rows: usize) -> Vec<Line> {
    let now = moment();
    let story = Story { run, children, now, all: false };
    let all = story.rows();
    let room = rows.saturating_sub(HEAD + 1).max(1);
    let mut lines = vec![title(run, now).add(Paint::Dim, format!("   {}", run.text("workflowId")))];
    let whole = Story::lines(&all);
    if whole.len() <= room {
        lines.extend(whole);
        return lines;
    }
    let matter: Vec<Row> = all.iter().filter(|row| row.matters).cloned().collect();
    let mut shown = Story::lines(&matter);
    shown.truncate(room.saturating_sub(1));
    let hidden = all.len().saturating_sub(shown.len());
    lines.extend(shown);
    lines.push(Line::new().add(Paint::Dim, format!("  … and {hidden} more")));
    lines
}

/// A line for each attempt that has ended since.
fn tell_ends(desk: &Desk, run: &Value, told: &mut BTreeMap<String, String>) {
    for task in run.items("tasks") {
        let (id, status) = (task.text("taskId"), task.text("status"));
        if !task_has_ended(status) || told.get(id).is_some_and(|known| known == status) {
            continue;
        }
        told.insert(id.to_owned(), status.to_owned());
        let mark = task_mark(status);
        let took = took(task, moment()).map(short).unwrap_or_default();
        let mut line = Line::new()
            .add(mark.paint, mark.sign)
            .text(format!(" {:<24} {took:>8}", task.text("referenceTaskName")));
        if mark.paint != Paint::Good {
            let reason = task.text("reasonForIncompletion").replace('\n', " ");
            line = line.add(mark.paint, format!("  {}", mark.words)).text(format!("  {reason}"));
        }
        desk.say_line(&line);
    }
}
