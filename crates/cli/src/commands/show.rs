//! `partitur show`: a run, its tasks, what was declared of them and what became of them.

use std::collections::BTreeMap;

use partitur::host::{Session, Settings};
use partitur_api::outcome_name;
use partitur_model::definition::{Node, Scope};
use partitur_model::record::{RunRecord, TaskOutcome, TaskRecord, TaskState, UndoState};
use partitur_model::unit::format_timestamp;
use partitur_model::{TaskSeq, Timestamp};
use partitur_report::{Performance, Watch, short, state_name};
use serde_json::{Value, json};

use crate::commands::runs::{as_json, shown_state};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::host::Target;
use crate::ink::{Line, Paint};
use crate::progress::moment;
use crate::records::{Records, label};
use crate::settings::Global;

mod declared;

/// Show a run: its tasks, what was declared, what became of it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur show last
  partitur show 12 --json | jq '.tasks[] | select(.state == \"failure\")'")]
pub struct Show {
    /// Which run
    run: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let target = Target::find(global, &self.run)?;
        let records = Records::read(&target.reader, target.run.id, None)?;
        let live = match Session::join(&Settings::new(&target.state))? {
            Some(mut session) => session.status()?.runs,
            None => Vec::new(),
        };
        let performance = Performance::of(&records.story(moment()), &Watch::default());
        if self.json {
            println!("{}", run_json(&records, &live, &performance));
        } else {
            let colour = global.color.for_stream(&std::io::stdout());
            let mut lines = head(&records, &live);
            lines.push(Line::new());
            lines.extend(tree(&records, 1));
            lines.push(Line::new());
            lines.extend(performance.lines().iter().map(|(name, text)| row(name, text)));
            lines.iter().for_each(|line| println!("{}", line.whole(colour)));
        }
        Ok(Exit::Success)
    }
}

fn row(name: &str, text: &str) -> Line {
    Line::new().add(Paint::Dim, format!("  {name:<14}")).text(text)
}

fn head(records: &Records, live: &[u64]) -> Vec<Line> {
    let run = &records.run;
    let (paint, state) = shown_state(run, live);
    let took = run.ended.unwrap_or_else(moment).since(run.created);
    let after = if run.state.is_ended() || live.contains(&run.id.number()) {
        format!(" after {}", short(took))
    } else {
        String::new()
    };
    let mut lines = vec![
        Line::new()
            .add(Paint::Bold, &run.name)
            .text(format!("  run {}  ", run.id.number()))
            .add(paint, state)
            .text(after),
        row("id", &run.id.to_string()),
    ];
    let user = label(run, "user").map_or_else(String::new, |user| format!(" by {user}"));
    lines.push(row("started", &format!("{}{user}", format_timestamp(run.created))));
    if let Some(dir) = label(run, "dir") {
        lines.push(row("document", &format!("{} in {dir}", label(run, "file").unwrap_or("?"))));
    }
    if run.input.entries().is_some_and(|entries| !entries.is_empty()) {
        lines.push(row("inputs", &run.input.render()));
    }
    if !run.options.targets.is_empty() {
        lines.push(row("targets", &run.options.targets.join(", ")));
    }
    if let Some(error) = &run.error {
        lines.push(row("error", &error.message));
    }
    if let Some(output) = run.output.as_ref().filter(|output| !output.is_null()) {
        lines.push(row("output", &output.render()));
    }
    lines.extend(declared::run_lines(&records.definition).iter().map(|(name, text)| row(name, text)));
    lines
}

/// The tasks in the order of the document, parts below what they are parts of.
fn tree(records: &Records, depth: usize) -> Vec<Line> {
    let tasks = Tasks::of(&records.tasks);
    let mut lines = Vec::new();
    scope_lines(records, &tasks, None, &records.definition.root, depth, &mut lines);
    lines
}

/// Tasks by the container in which they are.
struct Tasks<'a>(BTreeMap<Option<TaskSeq>, Vec<&'a TaskRecord>>);

impl<'a> Tasks<'a> {
    fn of(tasks: &'a [TaskRecord]) -> Tasks<'a> {
        let mut inside: BTreeMap<Option<TaskSeq>, Vec<&TaskRecord>> = BTreeMap::new();
        for task in tasks {
            inside.entry(task.scope.map(|scope| scope.container)).or_default().push(task);
        }
        Tasks(inside)
    }

    fn inside(&self, container: Option<TaskSeq>) -> &[&'a TaskRecord] {
        self.0.get(&container).map_or(&[], Vec::as_slice)
    }
}

fn scope_lines(
    records: &Records,
    tasks: &Tasks<'_>,
    container: Option<TaskSeq>,
    scope: &Scope,
    depth: usize,
    lines: &mut Vec<Line>,
) {
    let mut rows: Vec<(Option<&TaskRecord>, &Node)> = Vec::new();
    for node in &scope.nodes {
        let found = tasks.inside(container).iter().filter(|task| *task.node == *node.name);
        let before = rows.len();
        rows.extend(found.map(|task| (Some(*task), node)));
        if rows.len() == before && container.is_none() {
            rows.push((None, node));
        }
    }
    if container.is_some() {
        rows.sort_by_key(|(task, _)| task.map(|task| (task.scope.map(|scope| scope.index), task.seq)));
    }
    for (task, node) in rows {
        lines.push(task_line(task, node, depth));
        let indent = "  ".repeat(depth + 1);
        // Of the parts of a list it is said once, above them.
        let is_part =
            container.is_some() && *node.name == *task.map_or("", |task| container_name(&task.path));
        let declared = if is_part { Vec::new() } else { declared::words_with_parts(node) };
        if !declared.is_empty() {
            lines.push(Line::new().add(Paint::Dim, format!("{indent}{}", declared.join(" · "))));
        }
        let Some(task) = task else { continue };
        lines.extend(error_line(task, &indent));
        if let Some(body) = node.kind.body() {
            scope_lines(records, tasks, Some(task.seq), body, depth + 1, lines);
        }
        let child = task.child.and_then(|id| records.children.iter().find(|child| child.run.id == id));
        if let Some(child) = child {
            lines.push(Line::new().add(
                Paint::Dim,
                format!("{indent}sub-run {} of {}", child.run.id.number(), flow_name(&child.run)),
            ));
            lines.extend(tree(child, depth + 1));
        }
    }
}

/// What a sub-run executes: a flow of its document, or a definition of its own.
fn flow_name(run: &RunRecord) -> &str {
    if run.flow.is_empty() { &run.name } else { &run.flow }
}

/// `invoices` of `invoices[de]`: a part that is all there is to its list.
fn container_name(path: &str) -> &str {
    path.rsplit('/').next().and_then(|last| last.split_once('[')).map_or("", |(name, _)| name)
}

/// Why it did not succeed; of a skipped task, why it was skipped.
fn error_line(task: &TaskRecord, indent: &str) -> Option<Line> {
    let error = task.error.as_ref()?;
    let line = Line::new().text(indent);
    match task.state {
        TaskState::Ended(TaskOutcome::Succeeded) => None,
        TaskState::Ended(TaskOutcome::Skipped) => Some(line.add(Paint::Dim, &error.message)),
        TaskState::Ended(TaskOutcome::Failed | TaskOutcome::TimedOut | TaskOutcome::Cancelled)
        | TaskState::Blocked
        | TaskState::Ready
        | TaskState::Running { .. }
        | TaskState::Stopping { .. }
        | TaskState::Backoff { .. }
        | TaskState::Waiting { .. }
        | TaskState::Open => Some(line.add(Paint::Bad, &error.code).text("  ").text(&error.message)),
    }
}

fn task_line(task: Option<&TaskRecord>, node: &Node, depth: usize) -> Line {
    let indent = "  ".repeat(depth);
    let Some(task) = task else {
        return Line::new().text(&indent).add(Paint::Dim, format!("· {:<24} not begun", node.name));
    };
    let (paint, sign, words) = state_words(task.state);
    let mut line = Line::new().text(&indent).add(paint, sign).text(format!(" {:<24}", task.path));
    if let Some(started) = task.started {
        let took = task.ended.unwrap_or_else(moment).since(started);
        line = line.text(format!(" {:>8}", short(took)));
    }
    let mut marks: Vec<String> = Vec::new();
    if !words.is_empty() {
        marks.push(words);
    }
    if task.attempt > 1 {
        let of = node.retry.as_ref().map_or_else(String::new, |retry| format!(" of {}", retry.attempts));
        marks.push(format!("attempt {}{of}", task.attempt));
    }
    if task.losses > 0 {
        marks.push(format!("{} lost", task.losses));
    }
    if task.cached {
        let is_incremental = !node.reads.is_empty() && !node.writes.is_empty();
        marks.push(if is_incremental { "up to date" } else { "from the cache" }.to_owned());
    }
    marks.extend(undo_words(task.undo).map(str::to_owned));
    if marks.is_empty() { line } else { line.add(Paint::Dim, format!("  {}", marks.join(" · "))) }
}

fn state_words(state: TaskState) -> (Paint, &'static str, String) {
    match state {
        TaskState::Blocked => (Paint::Dim, "·", "waits for others".to_owned()),
        TaskState::Ready => (Paint::Plain, "◦", "ready".to_owned()),
        TaskState::Running { .. } => (Paint::Active, "▸", "running".to_owned()),
        TaskState::Stopping { .. } => (Paint::Warn, "▸", "stopping".to_owned()),
        TaskState::Backoff { until } => {
            let left = until.since(moment());
            (Paint::Warn, "↻", format!("again in {}", short(left)))
        }
        TaskState::Waiting { until: Timestamp::MAX } => (Paint::Plain, "◦", "waiting".to_owned()),
        TaskState::Waiting { until } => {
            (Paint::Plain, "◦", format!("waiting until {}", format_timestamp(until)))
        }
        TaskState::Open => (Paint::Active, "▸", String::new()),
        TaskState::Ended(outcome) => match outcome {
            TaskOutcome::Succeeded => (Paint::Good, "✓", String::new()),
            TaskOutcome::Skipped => (Paint::Dim, "∅", "skipped".to_owned()),
            TaskOutcome::Cancelled => (Paint::Warn, "✗", "cancelled".to_owned()),
            TaskOutcome::Failed | TaskOutcome::TimedOut => {
                (Paint::Bad, "✗", outcome_name(outcome).to_owned())
            }
        },
    }
}

fn undo_words(undo: UndoState) -> Option<&'static str> {
    match undo {
        UndoState::None => None,
        UndoState::Running { .. } => Some("being undone"),
        UndoState::Backoff { .. } => Some("its undo will be tried again"),
        UndoState::Done => Some("undone"),
        UndoState::Failed => Some("not undone: its undo failed"),
    }
}

fn run_json(records: &Records, live: &[u64], performance: &Performance) -> Value {
    let mut told = as_json(&records.run, live);
    told["tasks"] = Value::Array(records.tasks.iter().map(|task| task_json(records, task)).collect());
    told["declared"] = declared::run_json(&records.definition);
    told["children"] = records
        .children
        .iter()
        .map(|child| run_json(child, live, &Performance::of(&child.story(moment()), &Watch::default())))
        .collect();
    told["performance"] = performance_json(performance);
    told
}

fn performance_json(performance: &Performance) -> Value {
    let saving = performance
        .saving
        .map(|saving| json!({"ms": millis(saving.time), "percent": saving.percent, "factor": saving.factor}));
    let critical: Vec<Value> = performance
        .critical
        .iter()
        .map(|link| json!({"task": link.path, "ms": millis(link.took), "queued_ms": millis(link.queued)}))
        .collect();
    json!({
        "wall_ms": millis(performance.wall),
        "attempts_ms": millis(performance.attempts),
        "saved": saving,
        "critical_path": critical,
    })
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn task_json(records: &Records, task: &TaskRecord) -> Value {
    let node = declared::find(&records.definition.root, &task.node);
    json!({
        "task": &*task.path,
        "node": &*task.node,
        "seq": task.seq.0,
        "state": state_name(task.state),
        "attempt": task.attempt,
        "losses": task.losses,
        "cached": task.cached,
        "ready": format_timestamp(task.ready),
        "started": task.started.map(format_timestamp),
        "ended": task.ended.map(format_timestamp),
        "took_ms": task.started.zip(task.ended).map(|(start, end)| millis(end.since(start))),
        "output": task.output.as_ref().map(|output| output.to_value()),
        "error": task.error.as_ref().map(|error| json!({"code": error.code, "message": error.message})),
        "undo": undo_words(task.undo),
        "sub_run": task.child.map(|child| child.number()),
        "cpu_us": task.usage.cpu_micros,
        "rss_bytes": task.usage.rss_max,
        "declared": node.map(declared::node_words),
    })
}
