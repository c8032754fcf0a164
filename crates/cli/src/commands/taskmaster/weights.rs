//! How much work a task is: as Taskmaster's report of complexity says, or the task itself; else all are alike.

use std::path::Path;

use std::collections::HashMap;

use partitur_formats::taskmaster::Tag;
use serde_json::Value;

/// Figures are whole numbers; one unit is so much.
const UNIT: u64 = 1000;

/// Where the reports of complexity are, the newest place first.
const REPORTS: [&str; 2] = [".taskmaster/reports/task-complexity-report", "scripts/task-complexity-report"];

/// How much work each task is.
pub struct Weights {
    /// For each task, in thousandths of a unit.
    pub of_task: Vec<u64>,
    /// Some are known; else a unit is a task.
    pub known: bool,
}

impl Weights {
    /// Those of a tag.
    pub fn of(tag: &Tag<'_>, root: &Path) -> Weights {
        let scores = scores(tag, root);
        let score = |task: u32| {
            let task = &tag.tasks[task as usize];
            let reported = if task.parent.is_none() { scores.get(task.id).copied() } else { None };
            task.complexity.or(reported)
        };
        let known = tag.each().any(|task| score(task).is_some());
        let weight = |task: u32| {
            // What is said of a task is shared out among its subtasks.
            let share = || {
                let parent = tag.tasks[task as usize].parent?;
                Some(score(parent)? / f64::from(tag.tasks[parent as usize].subtasks))
            };
            ((score(task).or_else(share).unwrap_or(1.0) * UNIT as f64) as u64).max(1)
        };
        Weights { of_task: tag.each().map(weight).collect(), known }
    }

    /// A sum of weights in units.
    pub fn in_units(&self, sum: u64) -> f64 {
        sum as f64 / UNIT as f64
    }

    /// A sum of weights for people: `4 tasks long`, `12.5 points long`.
    pub fn shown(&self, sum: u64) -> String {
        let units = self.in_units(sum);
        match self.known {
            true => format!("{units:.1} points long"),
            false if units == 1.0 => "1 task long".to_owned(),
            false => format!("{units:.0} tasks long"),
        }
    }
}

/// What the report says, by the ids of tasks.
fn scores(tag: &Tag<'_>, root: &Path) -> HashMap<String, f64> {
    let suffix = if tag.name == "master" { String::new() } else { format!("_{}", slug(tag.name)) };
    let read = |base: &&str| {
        let text = std::fs::read_to_string(root.join(format!("{base}{suffix}.json"))).ok()?;
        serde_json::from_str::<Value>(&text).ok()
    };
    let Some(report) = REPORTS.iter().find_map(read) else { return HashMap::new() };
    let entries = report.get("complexityAnalysis").and_then(Value::as_array);
    let score = |entry: &Value| {
        let id = entry.get("taskId")?;
        let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        let score = entry.get("complexityScore")?.as_f64().filter(|score| *score > 0.0)?;
        Some((id, score))
    };
    entries.into_iter().flatten().filter_map(score).collect()
}

/// A tag as it stands in names of files.
fn slug(tag: &str) -> String {
    let sign = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    tag.chars().map(sign).collect()
}
