//! `partitur workflow definitions` and `delete-definition`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::ink::{Line, Paint};
use crate::remote::{Cell, Desk, Problem, Route, Table, Told as _, Verb, left, parsed, right, wide};

/// List definitions, or show one
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur workflow definitions
  partitur workflow definitions month-end
  partitur workflow definitions month-end --version 2 --json > month-end.json")]
pub struct Definitions {
    /// Show this one [default: list all]
    name: Option<String>,
    /// In this version [default: the latest]
    #[arg(long, value_name = "N", requires = "name")]
    version: Option<u32>,
}

/// Forget a version of a definition
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur workflow delete-definition month-end 2")]
pub struct Delete {
    /// Which
    name: String,
    /// In which version
    version: u32,
}

impl Definitions {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        match &self.name {
            Some(name) => show(desk, name, self.version),
            None => list(desk),
        }
    }
}

impl Delete {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let route = Route::new("metadata/workflow").at(&self.name).at(self.version);
        desk.client.send(Verb::Delete, &route, None).map_err(unknown)?;
        if !desk.json {
            desk.say(&format!("{} {} is forgotten", self.name, self.version));
        }
        Ok(Exit::Success)
    }
}

fn list(desk: &Desk) -> Result<Exit, Failure> {
    let answer = desk.client.get(&Route::new("metadata/workflow"))?;
    if desk.json {
        return Ok(desk.raw(&answer));
    }
    let all = parsed(&answer)?;
    let mut by_name: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for definition in all.as_array().into_iter().flatten() {
        by_name.entry(definition.text("name")).or_default().push(definition);
    }
    let mut table = Table::new([left("name"), left("versions"), right("tasks"), wide("description")]);
    for (name, mut definitions) in by_name {
        definitions.sort_by_key(|definition| definition.whole("version"));
        let Some(latest) = definitions.last() else { continue };
        let versions: Vec<i64> = definitions.iter().map(|definition| definition.whole("version")).collect();
        table.row([
            name.into(),
            spans(&versions).into(),
            count(latest.items("tasks")).to_string().into(),
            Cell::new(Paint::Dim, latest.text("description")),
        ]);
    }
    desk.table(&table, "no definitions");
    Ok(Exit::Success)
}

fn show(desk: &Desk, name: &str, version: Option<u32>) -> Result<Exit, Failure> {
    let route = Route::new("metadata/workflow").at(name).with_some("version", version);
    let answer = desk.client.get(&route).map_err(unknown)?;
    if desk.json {
        return Ok(desk.raw(&answer));
    }
    let definition = parsed(&answer)?;
    let mut lines = vec![
        Line::new()
            .add(Paint::Bold, definition.text("name"))
            .add(Paint::Dim, format!("  version {}", definition.whole("version"))),
    ];
    if !definition.text("description").is_empty() {
        lines.push(Line::new().text(format!("  {}", definition.text("description"))));
    }
    let names: Vec<&str> = definition.items("inputParameters").iter().filter_map(Value::as_str).collect();
    if !names.is_empty() {
        lines.push(Line::new().add(Paint::Dim, "  inputs  ").text(names.join(", ")));
    }
    lines.push(Line::new());
    outline(definition.items("tasks"), "  ", "  ", &mut lines);
    desk.print(&lines);
    Ok(Exit::Success)
}

/// The tasks of a definition, and below each what it leads to.
fn outline(tasks: &[Value], first: &str, rest: &str, lines: &mut Vec<Line>) {
    for (at, task) in tasks.iter().enumerate() {
        let stem = if at == 0 { first } else { rest };
        let (name, kind) = (task.text("name"), task.text("type"));
        let kind = if kind.is_empty() { "SIMPLE" } else { kind };
        let reference = task.text("taskReferenceName");
        let mut line = Line::new().add(Paint::Dim, stem).text(reference).add(Paint::Dim, format!("  {kind}"));
        if name != reference && kind == "SIMPLE" {
            line = line.add(Paint::Dim, format!(" {name}"));
        }
        lines.push(line);
        for (label, branch) in branches(task) {
            let (first, rest) =
                (format!("{rest}├ {label}"), format!("{rest}│ {}", " ".repeat(label.chars().count())));
            outline(branch, &first, &rest, lines);
        }
    }
}

/// What stands below a task, with what leads there.
fn branches(task: &Value) -> Vec<(String, &[Value])> {
    let forks =
        task.items("forkTasks").iter().filter_map(Value::as_array).map(|tasks| (String::new(), &tasks[..]));
    let cases = task.get("decisionCases").and_then(Value::as_object);
    let cases = cases
        .into_iter()
        .flatten()
        .filter_map(|(case, tasks)| Some((format!("{case}: "), &tasks.as_array()?[..])));
    let default =
        Some(("otherwise: ".to_owned(), task.items("defaultCase"))).filter(|(_, tasks)| !tasks.is_empty());
    let body = Some((String::new(), task.items("loopOver"))).filter(|(_, tasks)| !tasks.is_empty());
    forks.chain(cases).chain(default).chain(body).collect()
}

fn count(tasks: &[Value]) -> usize {
    tasks.iter().map(|task| 1 + branches(task).iter().map(|(_, tasks)| count(tasks)).sum::<usize>()).sum()
}

/// `1-3, 7` of 1, 2, 3, 7.
fn spans(versions: &[i64]) -> String {
    let mut spans: Vec<(i64, i64)> = Vec::new();
    for &version in versions {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == version => *last = version,
            Some(_) | None => spans.push((version, version)),
        }
    }
    let shown = |&(first, last): &(i64, i64)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    spans.iter().map(shown).collect::<Vec<_>>().join(", ")
}

fn unknown(problem: Problem) -> Problem {
    if !problem.is_not_found() {
        return problem;
    }
    problem.or_hint(|| Some("`partitur workflow definitions` lists what there is".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_as_spans() {
        assert_eq!(spans(&[1, 2, 3, 7, 9, 10]), "1-3, 7, 9-10");
        assert_eq!(spans(&[]), "");
    }
}
