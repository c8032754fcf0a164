//! `partitur history`: how the runs of a document went, one after the other.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use partitur_api::RunMetric;
use partitur_model::Timestamp;
use partitur_model::unit::format_timestamp;
use partitur_report::{short, sparkline};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::ink::{Line, Paint};
use crate::settings::Global;

/// Of the files of the metric log, the newest has no number.
const FILES_MAX: u32 = 16;

/// Show the course of durations, successes and parallelism over runs
///
/// From the metric log, the directory `metrics` in the state directory: it has a line of JSON for each run that has ended,
/// also for runs that are not kept any more.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur history                      every document, a line each
  partitur history month-end -n 100     the last 100 runs of one
  partitur history --json | jq .duration_ms")]
pub struct History {
    /// The name of a document; all if missing
    flow: Option<String>,
    /// So many runs of each
    #[arg(short = 'n', long, value_name = "RUNS", default_value_t = 30)]
    runs: usize,
    /// A line of JSON for each run
    #[arg(long)]
    json: bool,
}

impl History {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let dir = global.state()?.join("metrics");
        let mut flows: BTreeMap<String, Vec<RunMetric>> = BTreeMap::new();
        for metric in read(&dir) {
            if self.flow.as_ref().is_none_or(|flow| *flow == metric.flow) {
                flows.entry(metric.flow.clone()).or_default().push(metric);
            }
        }
        if flows.is_empty() {
            let what = self.flow.map_or_else(String::new, |flow| format!(" of `{flow}`"));
            return Err(Failure::refused(
                format!("no run{what} has ended here yet"),
                "`partitur run FILE` runs a document; `--state-dir` names another place to look",
            ));
        }
        for runs in flows.values_mut() {
            runs.drain(..runs.len().saturating_sub(self.runs));
        }
        if self.json {
            let lines = flows.values().flatten().map(|run| serde_json::to_string(run).expect("plain data"));
            lines.for_each(|line| println!("{line}"));
            return Ok(Exit::Success);
        }
        let colour = global.color.for_stream(&std::io::stdout());
        let pages = flows.iter().map(|(flow, runs)| page(flow, runs, self.flow.is_some()));
        pages.flatten().for_each(|line| println!("{}", line.whole(colour)));
        Ok(Exit::Success)
    }
}

/// All lines, the oldest first. What is no line of ours is passed over: the last one may be half written.
fn read(dir: &Path) -> Vec<RunMetric> {
    let aside = (1..FILES_MAX).rev().map(|number| format!("runs.{number}.jsonl"));
    let files = aside.chain(["runs.jsonl".to_owned()]);
    let texts = files.filter_map(|file| std::fs::read_to_string(dir.join(file)).ok());
    let mut runs = Vec::new();
    for text in texts {
        runs.extend(text.lines().filter_map(|line| serde_json::from_str::<RunMetric>(line).ok()));
    }
    runs
}

/// The course of the runs of a document, with a line for each run if it is the only one.
fn page(flow: &str, runs: &[RunMetric], alone: bool) -> Vec<Line> {
    let good = runs.iter().filter(|run| run.outcome == "succeeded").count();
    let times: Vec<f64> = runs.iter().map(|run| run.duration_ms as f64).collect();
    let parallel: Vec<f64> = runs.iter().map(RunMetric::parallelism).collect();
    let mut lines = vec![
        Line::new()
            .add(Paint::Bold, flow)
            .add(Paint::Dim, format!("  {} runs, {good} succeeded", runs.len())),
        course("took", &times, |time| short(Duration::from_millis(time as u64))),
        course("at once", &parallel, |count| format!("{count:.1}")),
    ];
    if alone {
        lines.extend(runs.iter().rev().map(run_line));
    }
    lines
}

fn course(name: &str, values: &[f64], words: impl Fn(f64) -> String) -> Line {
    let last = values.last().copied().unwrap_or(0.0);
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    Line::new()
        .add(Paint::Dim, format!("  {name:<8} "))
        .add(Paint::Active, sparkline(values))
        .text(format!("  {}", words(last)))
        .add(Paint::Dim, format!("  mean {}", words(mean)))
}

fn run_line(run: &RunMetric) -> Line {
    let (paint, sign) = if run.outcome == "succeeded" { (Paint::Good, "✓") } else { (Paint::Bad, "✗") };
    let at = format_timestamp(Timestamp::from_millis(run.at));
    let line = Line::new()
        .add(paint, format!("  {sign} run {:<5}", run.run))
        .add(Paint::Dim, format!(" {at}"))
        .text(format!("  {:>7}", short(Duration::from_millis(run.duration_ms))))
        .text(format!("  {} tasks", run.tasks))
        .text(format!("  {:.1} at once", run.parallelism()));
    let more = [(run.failed, "failed"), (run.retries, "retried"), (run.cached, "from the cache")];
    more.into_iter()
        .filter(|(count, _)| *count > 0)
        .fold(line, |line, (count, words)| line.add(Paint::Warn, format!("  {count} {words}")))
}
