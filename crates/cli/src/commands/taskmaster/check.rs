//! `partitur taskmaster check`: everything that is wrong with a file, with its place and what would mend it.

use std::time::Instant;

use partitur_formats::taskmaster::{Backlog, Edit, Finding, Source, check};
use partitur_model::Severity;
use serde_json::{Value, json};

use super::file::{File, Opened};
use super::save;
use crate::document::tally;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::Global;

/// Say everything that is wrong with the file
///
/// References that lead nowhere, cycles, duplicates, subtasks that wait for their own parent, statuses that contradict each
/// other: all at once, with line and column, and what would mend them. Exits with 1 if there is an error.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur taskmaster check
  partitur taskmaster check tasks.json --json | jq '.findings[] | {line, task, message}'
  partitur taskmaster check --write            # make the changes that are safe

Safe are: a dependency given twice, on nothing, or on the task itself is removed; a misspelt status or priority
is written as Taskmaster writes it. Cycles and contradictions are yours to decide.")]
pub struct Check {
    #[command(flatten)]
    file: File,
    /// Only this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Make the changes that are safe; every other byte stays as it is
    #[arg(long)]
    write: bool,
    /// Warnings count as errors
    #[arg(long)]
    deny_warnings: bool,
    /// As JSON on standard output
    #[arg(long)]
    json: bool,
}

impl Check {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let begun = Instant::now();
        let opened = self.file.open(global.color)?;
        if self.write {
            let written = save::update(&opened.path, |source| Ok(self.mended(source)))?;
            if written && !self.json {
                eprintln!("{}: changed; what is left:", opened.path.display());
            }
        }
        // Under --write, what is told is what is left.
        let opened = if self.write { self.file.open(global.color)? } else { opened };
        let read = begun.elapsed();
        let backlog = opened.source.backlog();
        let findings = self.findings(&opened.source, &backlog);
        let fatal = |finding: &Finding| self.deny_warnings || finding.fault.severity == Severity::Error;
        let failed = findings.iter().any(fatal);
        if self.json {
            let times = [("read", read), ("all", begun.elapsed())];
            let mut told = told(&opened, &backlog, &findings);
            told["ok"] = json!(!failed);
            told["ms"] = times.iter().map(|(name, time)| (*name, time.as_secs_f64() * 1000.0)).collect();
            println!("{told}");
        } else {
            self.show(&opened, &backlog, &findings, global);
        }
        let exit = if failed { Exit::Failed } else { Exit::Success };
        // Giving a large file back piece by piece would take milliseconds.
        std::mem::forget((findings, opened));
        Ok(exit)
    }

    fn findings(&self, source: &Source, backlog: &Backlog<'_>) -> Vec<Finding> {
        let mut findings = check(source, backlog, self.file.rule());
        if let Some(tag) = &self.tag {
            findings.retain(|finding| finding.tag == *tag || finding.tag.is_empty());
        }
        findings
    }

    /// The file with all safe changes, if there are any.
    fn mended(&self, source: &Source) -> Option<Vec<u8>> {
        let findings = self.findings(source, &source.backlog());
        let safe: Vec<&Edit> =
            findings.iter().filter_map(|finding| finding.edit.as_ref()).filter(|edit| edit.safe).collect();
        (!safe.is_empty()).then(|| source.edited(safe))
    }

    fn show(&self, opened: &Opened, backlog: &Backlog<'_>, findings: &[Finding], global: &Global) {
        if !findings.is_empty() {
            let colour = global.color.for_stream(&std::io::stderr());
            eprintln!("{}", opened.source.render(findings, colour));
        }
        let faults: Vec<_> = findings.iter().map(|finding| finding.fault.clone()).collect();
        let faults = tally(&faults);
        let verdict = if faults.is_empty() { "ok".to_owned() } else { faults };
        println!("{verdict}: {}", size(backlog));
    }
}

/// `2 tags, 34 tasks, 120 subtasks, 210 dependencies`.
fn size(backlog: &Backlog<'_>) -> String {
    let all = || backlog.tags.iter().flat_map(|tag| &tag.tasks);
    let subtasks = all().filter(|task| task.parent.is_some()).count();
    let counts = [
        (backlog.tags.len(), "tag", "tags"),
        (all().count() - subtasks, "task", "tasks"),
        (subtasks, "subtask", "subtasks"),
        (backlog.tags.iter().map(|tag| tag.dependencies.len()).sum(), "dependency", "dependencies"),
    ];
    let count = |&(number, one, many): &(usize, &str, &str)| {
        format!("{number} {}", if number == 1 { one } else { many })
    };
    counts.iter().map(count).collect::<Vec<_>>().join(", ")
}

fn told(opened: &Opened, backlog: &Backlog<'_>, findings: &[Finding]) -> Value {
    let tag = |tag: &partitur_formats::taskmaster::Tag<'_>| {
        let subtasks = tag.tasks.iter().filter(|task| task.parent.is_some()).count();
        json!({
            "tag": tag.name,
            "tasks": tag.tasks.len() - subtasks,
            "subtasks": subtasks,
            "dependencies": tag.dependencies.len(),
        })
    };
    json!({
        "version": 1,
        "file": opened.path.display().to_string(),
        "tags": backlog.tags.iter().map(tag).collect::<Vec<_>>(),
        "findings": findings.iter().map(|finding| finding_json(opened, finding)).collect::<Vec<_>>(),
    })
}

fn finding_json(opened: &Opened, finding: &Finding) -> Value {
    let Finding { fault, tag, task, edit } = finding;
    let severity = match fault.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let at = opened.source.locate(finding);
    let edit = edit.as_ref().map(|edit| {
        let (remove, write) = opened.source.describe(edit);
        json!({"safe": edit.safe, "remove": remove, "write": write})
    });
    json!({
        "code": fault.code,
        "severity": severity,
        "tag": tag,
        "task": task,
        "line": at.map(|at| at.line),
        "column": at.map(|at| at.column),
        "place": fault.place.0,
        "message": fault.message,
        "hint": fault.hint,
        "edit": edit,
    })
}
