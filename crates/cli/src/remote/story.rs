//! A run as a tree: what its definition says, in that order, and what became of each task of it.
//!
//! Branches of a fork, cases of a switch and iterations of a loop stand below their task; `├` begins one. Tasks that the
//! definition does not name (dynamic branches) stand below the fork that made them, a sub-workflow below its task.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use partitur_model::Timestamp;
use partitur_report::short;
use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use super::mark::{Mark, run_has_ended, task_has_ended, task_mark};
use super::told::Told as _;
use crate::ink::{Line, Paint, printable};

/// Of more branches or iterations, those that went well are counted, after so many.
const ALIKE_MAX: usize = 12;
/// Names take no more columns, however long they are.
const NAME_MAX: usize = 48;
/// So much of a reason is shown.
const REASON_MAX: usize = 400;

/// Runs that are the work of tasks, by id.
pub type Children = BTreeMap<String, Value>;

/// A run, and what is told of it.
pub struct Story<'a> {
    /// The run, with its tasks and its definition.
    pub run: &'a Value,
    /// Its sub-workflows, as far as they were read.
    pub children: &'a Children,
    /// The time.
    pub now: Timestamp,
    /// Every branch and every iteration, however many.
    pub all: bool,
}

/// A line of the tree.
#[derive(Clone, Debug)]
pub struct Row {
    /// What stands before it.
    stem: String,
    mark: Mark,
    name: String,
    took: String,
    notes: Vec<String>,
    /// Why it did not go well, and what stands before that.
    reason: Option<(String, String)>,
    /// Whether somebody is at work on it, or it went wrong.
    pub matters: bool,
}

/// Walks a definition.
struct Teller<'a, 's> {
    story: &'s Story<'a>,
    /// The attempts of each task, by reference name.
    tasks: BTreeMap<&'a str, Vec<&'a Value>>,
    told: BTreeSet<&'a str>,
    has_ended: bool,
    rows: Vec<Row>,
}

impl Story<'_> {
    /// The lines of the tree.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        self.tell("  ", &mut rows);
        rows
    }

    fn tell(&self, stem: &str, rows: &mut Vec<Row>) {
        let mut tasks: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for task in self.run.items("tasks") {
            tasks.entry(task.text("referenceTaskName")).or_default().push(task);
        }
        tasks
            .values_mut()
            .for_each(|attempts| attempts.sort_by_key(|task| (task.whole("seq"), task.whole("retryCount"))));
        let has_ended = run_has_ended(self.run.text("status"));
        let mut teller = Teller { story: self, tasks, told: BTreeSet::new(), has_ended, rows: Vec::new() };
        let definition = self.run.get("workflowDefinition").unwrap_or(&Value::Null);
        teller.sequence(definition.items("tasks"), None, (stem, stem), true);
        teller.others(stem);
        rows.append(&mut teller.rows);
    }

    /// The tree as lines, in columns.
    pub fn lines(rows: &[Row]) -> Vec<Line> {
        let width = |row: &Row| (row.stem.width() + 2 + row.name.width()).min(NAME_MAX);
        let name = rows.iter().map(width).max().unwrap_or(0);
        let took = rows.iter().map(|row| row.took.width()).max().unwrap_or(0);
        rows.iter().flat_map(|row| row.lines(name, took)).collect()
    }
}

impl Row {
    fn lines(&self, name: usize, took: usize) -> Vec<Line> {
        let used = self.stem.width() + 2 + self.name.width();
        let mut line = Line::new()
            .add(Paint::Dim, &self.stem)
            .add(self.mark.paint, self.mark.sign)
            .text(format!(" {}", self.name));
        if !self.took.is_empty() || !self.notes.is_empty() {
            let pad = " ".repeat(name.saturating_sub(used));
            line = line.text(format!("{pad}  {:>took$}", self.took));
        }
        if !self.notes.is_empty() {
            line = line.add(Paint::Dim, format!("  {}", self.notes.join(" · ")));
        }
        let reason = self
            .reason
            .iter()
            .map(|(stem, text)| Line::new().add(Paint::Dim, format!("{stem}  ")).add(Paint::Bad, text));
        std::iter::once(line).chain(reason).collect()
    }
}

impl<'a> Teller<'a, '_> {
    /// Tasks one after the other. The first has another stem than those that follow.
    fn sequence(&mut self, defs: &'a [Value], iteration: Option<i64>, stems: (&str, &str), expected: bool) {
        let mut stem = stems.0;
        for def in defs {
            if self.node(def, iteration, stem, stems.1, expected) {
                stem = stems.1;
            }
        }
    }

    /// A task and what stands below it; says whether anything was told.
    fn node(
        &mut self,
        def: &'a Value,
        iteration: Option<i64>,
        stem: &str,
        rest: &str,
        expected: bool,
    ) -> bool {
        let base = def.text("taskReferenceName");
        let found = match iteration {
            Some(turn) => self.find(&format!("{base}__{turn}")).or_else(|| self.find(base)),
            None => self.find(base),
        };
        let Some((name, attempts)) = found else {
            let is_awaited = expected && !self.has_ended;
            if is_awaited {
                self.rows.push(not_begun(stem, base));
            }
            return is_awaited;
        };
        if !self.told.insert(name) {
            return false;
        }
        let task = attempts[attempts.len() - 1];
        let row = self.row(&attempts, stem, rest);
        self.rows.push(row);
        self.below(def, task, rest);
        true
    }

    fn find(&self, name: &str) -> Option<(&'a str, Vec<&'a Value>)> {
        let (name, attempts) = self.tasks.get_key_value(name)?;
        Some((name, attempts.clone()))
    }

    /// Branches, cases, iterations, sub-workflows.
    fn below(&mut self, def: &'a Value, task: &'a Value, rest: &str) {
        let stems = (format!("{rest}├ "), format!("{rest}│ "));
        let stems = (stems.0.as_str(), stems.1.as_str());
        match def.text("type") {
            "FORK_JOIN" => {
                for branch in def.items("forkTasks") {
                    let tasks = branch.as_array().map_or(&[][..], Vec::as_slice);
                    self.sequence(tasks, iteration_of(task), stems, true);
                }
            }
            "FORK_JOIN_DYNAMIC" => self.dynamic(task, stems),
            "SWITCH" | "DECISION" => {
                let cases = def.get("decisionCases").and_then(Value::as_object);
                let cases = cases.into_iter().flat_map(|cases| cases.values());
                let default = def.get("defaultCase");
                for case in cases.chain(default).filter_map(Value::as_array) {
                    self.sequence(case, iteration_of(task), stems, false);
                }
            }
            "DO_WHILE" => self.iterations(def, task, stems),
            _ => {}
        }
        let child = task.text("subWorkflowId");
        if let Some(run) = self.story.children.get(child) {
            let Story { children, now, all, .. } = *self.story;
            Story { run, children, now, all }.tell(&format!("{rest}  "), &mut self.rows);
        }
    }

    /// The branches that a fork has made.
    fn dynamic(&mut self, fork: &'a Value, stems: (&str, &str)) {
        let names = fork.get("inputData").map_or(&[][..], |input| input.items("forkedTasks"));
        let branches: Vec<&'a str> = names.iter().filter_map(Value::as_str).collect();
        let mut told = 0;
        let mut alike = 0;
        for name in branches {
            let Some((name, attempts)) = self.find(name) else { continue };
            if !self.told.insert(name) {
                continue;
            }
            let task = attempts[attempts.len() - 1];
            if told >= ALIKE_MAX && !self.story.all && task.text("status") == "COMPLETED" {
                alike += 1;
                continue;
            }
            told += 1;
            let row = self.row(&attempts, stems.0, stems.1);
            self.rows.push(row);
            self.below(task.get("workflowTask").unwrap_or(&Value::Null), task, stems.1);
        }
        self.alike(alike, stems.0, "more completed");
    }

    /// The body of a loop, once for each iteration; of many, the last.
    fn iterations(&mut self, def: &'a Value, task: &'a Value, stems: (&str, &str)) {
        let last =
            task.whole("iteration").max(task.get("outputData").map_or(0, |out| out.whole("iteration")));
        let body = def.items("loopOver");
        let first = if self.story.all { 1 } else { (last - ALIKE_MAX as i64 / 3).max(1) };
        let left_out = usize::try_from(first - 1).unwrap_or(0);
        for turn in 1..first {
            body.iter().for_each(|def| self.pass_over(def, turn));
        }
        self.alike(left_out, stems.0, if left_out == 1 { "earlier iteration" } else { "earlier iterations" });
        for turn in first..=last {
            self.sequence(body, Some(turn), stems, false);
        }
    }

    /// What is only counted is not told elsewhere either.
    fn pass_over(&mut self, def: &'a Value, turn: i64) {
        let name = format!("{}__{turn}", def.text("taskReferenceName"));
        if let Some((name, _)) = self.find(&name) {
            self.told.insert(name);
        }
    }

    fn alike(&mut self, count: usize, stem: &str, words: &str) {
        if count > 0 {
            self.rows.push(Row {
                stem: stem.to_owned(),
                mark: Mark { paint: Paint::Dim, sign: "…", words: String::new() },
                name: format!("{count} {words}"),
                took: String::new(),
                notes: Vec::new(),
                reason: None,
                matters: false,
            });
        }
    }

    /// What the definition does not name, in the order in which it came to be.
    fn others(&mut self, stem: &str) {
        let mut rest: Vec<(&'a str, Vec<&'a Value>)> = self
            .tasks
            .iter()
            .filter(|(name, _)| !self.told.contains(*name))
            .map(|(name, attempts)| (*name, attempts.clone()))
            .collect();
        rest.sort_by_key(|(_, attempts)| attempts[0].whole("seq"));
        for (name, attempts) in rest {
            self.told.insert(name);
            let row = self.row(&attempts, stem, stem);
            self.rows.push(row);
        }
    }

    /// The last of these attempts; of those before it only why they failed, while that still matters.
    fn row(&self, attempts: &[&'a Value], stem: &str, rest: &str) -> Row {
        let (task, earlier) = attempts.split_last().expect("a name is known by a task that has it");
        let status = task.text("status");
        let mark = task_mark(status);
        let is_wrong = matches!(mark.paint, Paint::Bad | Paint::Warn);
        let own = Some(task.text("reasonForIncompletion")).filter(|reason| is_wrong && !reason.is_empty());
        let before = || {
            let reason = earlier.last()?.text("reasonForIncompletion");
            (!reason.is_empty() && !task_has_ended(status)).then(|| format!("before: {reason}"))
        };
        let reason = own.map(str::to_owned).or_else(before);
        Row {
            stem: stem.to_owned(),
            name: printable(task.text("referenceTaskName")),
            took: took(task, self.story.now).map(short).unwrap_or_default(),
            notes: notes(task, &mark, attempts.len()),
            matters: is_wrong || !task_has_ended(status),
            mark,
            reason: reason.map(|reason| (rest.to_owned(), cut(&reason))),
        }
    }
}

fn not_begun(stem: &str, name: &str) -> Row {
    Row {
        stem: stem.to_owned(),
        mark: Mark { paint: Paint::Dim, sign: "·", words: String::new() },
        name: printable(name),
        took: String::new(),
        notes: Vec::new(),
        reason: None,
        matters: false,
    }
}

/// The iteration in which a task is, if it is in a loop.
fn iteration_of(task: &Value) -> Option<i64> {
    Some(task.whole("iteration")).filter(|&turn| turn > 0 && task.truth("loopOverTask"))
}

/// How long a task took, or is at it.
pub fn took(task: &Value, now: Timestamp) -> Option<Duration> {
    let started = task.moment("startTime").or_else(|| task.moment("scheduledTime"))?;
    let ended =
        if task_has_ended(task.text("status")) { task.moment("endTime").unwrap_or(started) } else { now };
    Some(ended.since(started))
}

/// What there is to say of a task besides its time.
fn notes(task: &Value, mark: &Mark, attempts: usize) -> Vec<String> {
    let mut notes = Vec::new();
    let status = task.text("status");
    match status {
        "COMPLETED" => {}
        "SCHEDULED" => notes.push("waits for a worker".to_owned()),
        "IN_PROGRESS" if task.text("taskType") == "WAIT" => notes.push("waits".to_owned()),
        _ => notes.push(mark.words.clone()),
    }
    let attempt = usize::try_from(task.whole("retryCount")).unwrap_or(0).max(attempts.saturating_sub(1)) + 1;
    if attempt > 1 {
        notes.push(format!("attempt {attempt}"));
    }
    let (kind, name) = (task.text("taskType"), task.text("taskDefName"));
    let output = task.get("outputData").unwrap_or(&Value::Null);
    match kind {
        "SWITCH" | "DECISION" => {
            let case = output.items("evaluationResult").first().or(output.items("caseOutput").first());
            notes.extend(case.and_then(Value::as_str).map(|case| format!("→ {case}")));
        }
        "DO_WHILE" => {
            notes.push(format!("iteration {}", output.whole("iteration").max(task.whole("iteration"))))
        }
        "SUB_WORKFLOW" => notes.push(format!("sub-workflow {}", task.text("subWorkflowId"))),
        "FORK" | "JOIN" | "EXCLUSIVE_JOIN" | "TERMINATE" | "SET_VARIABLE" | "NOOP" => {}
        _ if !name.is_empty() && name != task.text("referenceTaskName") => notes.push(name.to_owned()),
        _ => {}
    }
    if status == "IN_PROGRESS" && !task.text("workerId").is_empty() && !is_system(kind) {
        notes.push(format!("by {}", task.text("workerId")));
    }
    notes.iter().map(|note| printable(note.trim())).filter(|note| !note.is_empty()).collect()
}

/// What the server does itself has the server as its worker, which nobody needs to know.
fn is_system(kind: &str) -> bool {
    kind.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')
}

fn cut(text: &str) -> String {
    let line = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(REASON_MAX) {
        Some((at, _)) => format!("{}…", printable(&line[..at])),
        None => printable(&line),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(seq: i64, name: &str, status: &str, more: Value) -> Value {
        let mut task = json!({"seq": seq, "referenceTaskName": name, "taskDefName": name, "taskType": name,
            "status": status, "startTime": 1_000 * seq, "endTime": 1_000 * seq + 250, "retryCount": 0});
        if let (Some(task), Value::Object(more)) = (task.as_object_mut(), more) {
            task.extend(more);
        }
        task
    }

    fn shown(run: &Value, children: &Children) -> String {
        let story = Story { run, children, now: Timestamp::from_millis(100_000), all: false };
        let lines = Story::lines(&story.rows());
        lines.iter().map(|line| line.whole(false).trim_end().to_owned() + "\n").collect()
    }

    #[test]
    fn a_run_is_told_in_the_order_of_its_definition() {
        let simple = |name: &str| json!({"name": name, "taskReferenceName": name, "type": "SIMPLE"});
        let run = json!({
            "status": "RUNNING",
            "workflowDefinition": {"tasks": [
                simple("fetch"),
                {"taskReferenceName": "size", "type": "SWITCH", "decisionCases": {"big": [simple("ask"), simple("note")]},
                 "defaultCase": [simple("skip")]},
                {"taskReferenceName": "fork", "type": "FORK_JOIN", "forkTasks": [
                    [simple("pack"), simple("label")], [simple("bill")]]},
                {"taskReferenceName": "join", "type": "JOIN"},
                {"taskReferenceName": "loop", "type": "DO_WHILE", "loopOver": [simple("try")]},
                {"taskReferenceName": "close", "type": "SUB_WORKFLOW"},
                simple("mail"),
            ]},
            "tasks": [
                task(1, "fetch", "FAILED", json!({"retried": true, "reasonForIncompletion": "no line"})),
                task(2, "fetch", "COMPLETED", json!({"retryCount": 1})),
                task(3, "size", "COMPLETED", json!({"taskType": "SWITCH", "outputData": {"evaluationResult": ["big"]}})),
                task(4, "ask", "COMPLETED", json!({})),
                task(5, "note", "SKIPPED", json!({})),
                task(6, "fork", "COMPLETED", json!({"taskType": "FORK", "taskDefName": "FORK"})),
                task(7, "pack", "IN_PROGRESS", json!({"workerId": "w7", "taskDefName": "pack_box"})),
                task(8, "bill", "FAILED", json!({"reasonForIncompletion": "the printer\nis out of paper"})),
                task(9, "join", "IN_PROGRESS", json!({"taskType": "JOIN"})),
                task(10, "loop", "IN_PROGRESS", json!({"taskType": "DO_WHILE", "iteration": 9})),
                task(11, "try__8", "COMPLETED", json!({"iteration": 8})),
                task(12, "try__9", "SCHEDULED", json!({"iteration": 9})),
                task(13, "close", "IN_PROGRESS", json!({"taskType": "SUB_WORKFLOW", "subWorkflowId": "c1"})),
                task(14, "surprise", "COMPLETED", json!({})),
            ],
        });
        let child = json!({"status": "RUNNING", "workflowDefinition": {"tasks": [simple("count"), simple("book")]},
            "tasks": [task(1, "count", "COMPLETED", json!({}))]});
        let children = Children::from([("c1".to_owned(), child)]);
        insta::assert_snapshot!(shown(&run, &children), @r"
        ✓ fetch                    250ms  attempt 2
        ✓ size                     250ms  → big
        ├ ✓ ask                    250ms
        │ ∅ note                   250ms  skipped
        ✓ fork                     250ms
        ├ ▸ pack                  1m 33s  in progress · pack_box · by w7
        │ · label
        ├ ✗ bill                   250ms  failed
        │   the printer is out of paper
        ▸ join                    1m 31s  in progress
        ▸ loop                    1m 30s  in progress · iteration 9
        ├ … 4 earlier iterations
        ├ ✓ try__8                 250ms
        ├ ◦ try__9                1m 28s  waits for a worker
        ▸ close                   1m 27s  in progress · sub-workflow c1
          ✓ count                  250ms
          · book
        · mail
        ✓ surprise                 250ms
        ");
    }

    #[test]
    fn of_many_branches_those_that_went_well_are_counted() {
        let names: Vec<String> = (0..50).map(|at| format!("_b_{at}")).collect();
        let mut tasks = vec![task(
            1,
            "fan",
            "COMPLETED",
            json!({"taskType": "FORK", "inputData": {"forkedTasks": names}}),
        )];
        tasks.extend(names.iter().zip(2..).map(|(name, seq)| {
            let status = if seq == 40 { "FAILED" } else { "COMPLETED" };
            task(seq, name, status, json!({"taskDefName": "b"}))
        }));
        let run = json!({"status": "FAILED", "tasks": tasks,
            "workflowDefinition": {"tasks": [{"taskReferenceName": "fan", "type": "FORK_JOIN_DYNAMIC"},
                {"taskReferenceName": "join", "type": "JOIN"}]}});
        insta::assert_snapshot!(shown(&run, &Children::new()), @r"
        ✓ fan                  250ms
        ├ ✓ _b_0               250ms  b
        ├ ✓ _b_1               250ms  b
        ├ ✓ _b_2               250ms  b
        ├ ✓ _b_3               250ms  b
        ├ ✓ _b_4               250ms  b
        ├ ✓ _b_5               250ms  b
        ├ ✓ _b_6               250ms  b
        ├ ✓ _b_7               250ms  b
        ├ ✓ _b_8               250ms  b
        ├ ✓ _b_9               250ms  b
        ├ ✓ _b_10              250ms  b
        ├ ✓ _b_11              250ms  b
        ├ ✗ _b_38              250ms  failed · b
        ├ … 37 more completed
        ");
    }
}
