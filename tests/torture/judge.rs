//! What must hold: of a run that is shown at any time, and of everything when nobody but the judge asks.

use std::collections::BTreeMap;

use partitur_tests::http::{Client, Reply};
use serde_json::{Value, json};

use crate::kinds::{Kind, LIMIT, LIMITED};
use crate::ledger::{Asked, Ledger, Plan, Run, Task};

/// A worker that is silent for so long has lost its task, in milliseconds.
const LEASE: i64 = 1_000;

/// The states of a run that has ended.
const ENDED: [&str; 4] = ["COMPLETED", "FAILED", "TERMINATED", "TIMED_OUT"];

/// Judges a run as it is shown to its operator: nobody else wants anything of it.
pub fn run(ledger: &mut Ledger, at: usize, reply: &Reply) {
    let run = &mut ledger.runs[at];
    if reply.status == 404 {
        assert!(run.wishes.remove.is_some(), "{} has gone", named(run));
        return;
    }
    assert_eq!(reply.status, 200, "{}: {reply:?}", named(run));
    let shown = read(reply);
    let is_gone = run.wishes.remove.as_ref().is_some_and(|asked| asked.done);
    assert!(!is_gone, "it was removed: {shown:#}");
    assert_eq!(shown["input"], run.kind.input(&run.given), "{shown:#}");
    assert_eq!(shown["correlationId"], json!(run.correlation), "{shown:#}");
    what_was_wanted(run, &shown);
    what_was_said(run, &shown);
    what_was_seen(run, &shown);
}

/// A run without its definition, so that a message about it can be read.
fn read(reply: &Reply) -> Value {
    let mut shown = reply.json();
    shown.as_object_mut().expect("a run is an object").remove("workflowDefinition");
    for row in shown["tasks"].as_array_mut().into_iter().flatten() {
        row.as_object_mut().expect("a task is an object").remove("workflowTask");
    }
    shown
}

fn named(run: &Run) -> String {
    format!("{:?} {} {:?} ({:?}, {:?})", run.kind, run.correlation, run.id, run.plan, run.wishes)
}

fn what_was_wanted(run: &Run, shown: &Value) {
    let (wishes, status) = (&run.wishes, shown["status"].as_str().expect("a run has a status"));
    match wishes.pause {
        // What lives goes on, and may have been the last of it; who tries again what has failed so goes on, too.
        Some(Asked { what: true, done: true }) if wishes.retry.is_none() => {
            assert!(status == "PAUSED" || ENDED.contains(&status), "{}: {shown:#}", named(run));
        }
        Some(Asked { what: false, done: true }) => assert_ne!(status, "PAUSED", "{}: {shown:#}", named(run)),
        Some(_) | None => {}
    }
    if let Some(Asked { what, done: true }) = &wishes.terminate {
        assert_eq!(status, "TERMINATED", "{}: {shown:#}", named(run));
        assert_eq!(shown["reasonForIncompletion"], json!(what), "{shown:#}");
    }
    if wishes.retry.as_ref().is_some_and(|asked| asked.done) {
        assert_ne!(status, "FAILED", "{}: {shown:#}", named(run));
    }
    let told = shown["variables"]["told"].as_str();
    assert!(run.may_be_told().contains(&told), "{}: {shown:#}", named(run));
}

fn what_was_said(run: &Run, shown: &Value) {
    for (reference, words) in &run.wishes.words {
        let tasks = shown["tasks"].as_array().expect("a run has tasks");
        let row = tasks.iter().find(|task| task["referenceTaskName"] == json!(reference));
        let row = row.unwrap_or_else(|| panic!("{reference} was there: {shown:#}"));
        let word = row["outputData"]["word"].as_str();
        assert!(run.may_be_word(reference).contains(&word), "{words:?}: {shown:#}");
        if words.iter().any(|asked| asked.done) {
            assert_eq!(row["status"], "COMPLETED", "{words:?}: {shown:#}");
        }
    }
}

/// What was shown once stays: how the run has ended, and what its tasks have yielded.
fn what_was_seen(run: &mut Run, shown: &Value) {
    let end = json!([shown["status"], shown["output"]]);
    if let Some(known) = &run.seen.ended {
        assert_eq!(known, &end, "{}: {shown:#}", named(run));
    }
    if ENDED.iter().any(|status| shown["status"] == *status) {
        run.seen.ended = Some(end);
    }
    let done: BTreeMap<String, Value> = tasks(shown)
        .filter(|row| row["status"] == "COMPLETED" && row["taskType"] == row["taskDefName"])
        .map(|row| (row["taskId"].as_str().expect("a task has an id").to_owned(), row["outputData"].clone()))
        .collect();
    for (task, output) in &run.seen.outputs {
        assert_eq!(done.get(task), Some(output), "{task} had yielded this: {}: {shown:#}", named(run));
    }
    run.seen.outputs = done;
}

fn tasks(shown: &Value) -> impl Iterator<Item = &Value> {
    shown["tasks"].as_array().into_iter().flatten()
}

/// The judge when everybody else is silent.
pub struct Court<'a> {
    pub ledger: &'a mut Ledger,
    pub client: Client,
    /// Tasks of the limited queue that workers have.
    pub busy: usize,
}

impl<'a> Court<'a> {
    pub fn new(ledger: &'a mut Ledger, client: Client) -> Court<'a> {
        Court { ledger, client, busy: 0 }
    }
}

impl Court<'_> {
    /// Judges what is not settled, and settles what has come to its end.
    pub fn sit(&mut self) {
        self.busy = 0;
        let open: Vec<usize> = self.ledger.open().collect();
        for at in open {
            self.find(at);
            if self.ledger.runs[at].id.is_some() {
                self.judge(at);
            }
        }
        let paths: Vec<String> = self.ledger.documents.keys().cloned().collect();
        paths.iter().for_each(|path| self.document(path));
        assert!(self.busy <= LIMIT, "{} tasks of {LIMITED} are in the hands of workers", self.busy);
    }

    /// Whether nothing is left to be done, in these runs and in those that they have started.
    pub fn is_done(&mut self) -> bool {
        let path = "/api/workflow/search?size=1&query=status%20IN%20(RUNNING,PAUSED)";
        self.ledger.open().count() == 0 && self.client.get(path).json()["totalHits"] == json!(0)
    }

    /// Judges everything once more: nothing is left to be done.
    pub fn close(&mut self) {
        for run in &mut self.ledger.runs {
            run.seen.settled = run.id.is_none();
        }
        self.sit();
        let left: Vec<String> = self.ledger.open().map(|at| named(&self.ledger.runs[at])).collect();
        assert!(left.is_empty(), "not settled: {left:#?}");
        assert_eq!(self.client.get("/api/tasks/queue/all").json(), json!({}));
    }

    /// There is one run for each that was wanted, and at most one if nobody was told of it.
    fn find(&mut self, at: usize) {
        let run = &mut self.ledger.runs[at];
        let found = correlated(&mut self.client, run.kind.name(), &run.correlation);
        assert!(found.len() <= 1, "{}: {found:#?}", named(run));
        let found =
            found.first().map(|shown| shown["workflowId"].as_str().expect("a run has an id").to_owned());
        match (&run.id, found) {
            (Some(id), Some(found)) => assert_eq!(*id, found),
            (Some(_), None) => assert!(run.wishes.remove.is_some(), "{} is not found", named(run)),
            (None, Some(found)) => run.id = Some(found),
            // Whoever has a key will start it again.
            (None, None) => run.seen.settled = run.key.is_none(),
        }
    }

    fn judge(&mut self, at: usize) {
        let id = self.ledger.runs[at].id.clone().expect("it was found");
        let reply = self.client.get(&format!("/api/workflow/{id}"));
        run(self.ledger, at, &reply);
        if reply.status == 404 {
            self.ledger.runs[at].seen.settled = true;
            return;
        }
        let shown = read(&reply);
        self.results(&shown);
        let mut all = vec![shown];
        self.below(&mut all);
        if self.ledger.runs[at].is_over(&all[0]) {
            self.end(at, &all);
            self.ledger.runs[at].seen.settled = true;
        }
    }

    /// Adds the runs below a run.
    fn below(&mut self, all: &mut Vec<Value>) {
        let children: Vec<String> =
            tasks(&all[0]).filter_map(|row| row["subWorkflowId"].as_str().map(str::to_owned)).collect();
        for child in children {
            let reply = self.client.get(&format!("/api/workflow/{child}"));
            assert_eq!(reply.status, 200, "the sub-run {child}: {reply:?}: {:#}", all[0]);
            let shown = read(&reply);
            self.results(&shown);
            all.push(shown);
        }
    }

    /// What workers have got and said.
    fn results(&mut self, shown: &Value) {
        for row in tasks(shown) {
            self.busy += usize::from(row["taskDefName"] == LIMITED && row["status"] == "IN_PROGRESS");
            let id = row["taskId"].as_str().expect("a task has an id");
            if let Some(task) = self.ledger.tasks.get(id) {
                let name = row["referenceTaskName"].as_str().expect("a task has a name");
                // The native protocol leaves the number of the iteration out.
                assert_eq!(
                    task.reference,
                    name.split("__").next().expect("a first part"),
                    "{task:?}: {shown:#}"
                );
                result(task, row);
            }
        }
    }

    /// A run has come to its end.
    fn end(&mut self, at: usize, all: &[Value]) {
        let (run, shown) = (&self.ledger.runs[at], &all[0]);
        let left_out = tasks(shown).filter(|row| row["status"] == "SKIPPED").count();
        assert!(left_out as u32 <= run.wishes.skips.min(1), "{left_out} are left out: {shown:#}");
        if shown["status"] == "TERMINATED" {
            assert!(run.wishes.terminate.is_some(), "nobody has terminated it: {shown:#}");
            return;
        }
        assert_eq!(shown["status"], json!(run.kind.status()), "{}: {shown:#}", named(run));
        for (key, value) in run.kind.output(&run.given).as_object().into_iter().flatten() {
            assert_eq!(&shown["output"][key], value, "{}: `{key}` of {shown:#}", named(run));
        }
        let told = shown["output"]["told"].as_str();
        assert!(run.kind == Kind::Ends || run.may_be_told().contains(&told), "{}: {shown:#}", named(run));
        all.iter().for_each(|shown| each_task_once(shown, all));
        self.others(at, shown);
        self.logs(shown);
    }

    /// The runs that it has started, or that came after it.
    fn others(&mut self, at: usize, shown: &Value) {
        let run = &self.ledger.runs[at];
        let restarts = run.wishes.restart.as_ref().map_or(0, |asked| asked.what as usize);
        let restarts = restarts + usize::from(run.wishes.rerun.is_some());
        let id = run.id.as_deref().expect("it is shown");
        let (name, correlation) = match run.kind {
            Kind::Failing => ("after", run.correlation.clone()),
            Kind::Starts => ("chain", format!("started-{id}")),
            Kind::Chain | Kind::Fork | Kind::DynamicFork | Kind::Loop | Kind::Sub | Kind::Switch => return,
            Kind::Waits | Kind::Fragile | Kind::Revived | Kind::Ends | Kind::Calls => return,
        };
        let found = correlated(&mut self.client, name, &correlation);
        assert!((1..=1 + restarts).contains(&found.len()), "{}: {shown:#}: {found:#?}", named(run));
        for other in found.iter().filter(|other| other["status"] == "COMPLETED") {
            let grown = if run.kind == Kind::Failing { 1 } else { 4 };
            assert_eq!(other["output"]["n"], json!(run.given.number + grown), "{other:#}");
            each_task_once(other, std::slice::from_ref(other));
        }
    }

    /// Each line that was taken is there once, each other one at most once.
    fn logs(&mut self, shown: &Value) {
        let ids = tasks(shown).filter_map(|row| row["taskId"].as_str());
        for (id, task) in ids.filter_map(|id| Some((id, self.ledger.tasks.get(id)?))) {
            if task.lines.is_empty() {
                continue;
            }
            let reply = self.client.get(&format!("/api/tasks/{id}/log"));
            let lines = if reply.status == 204 { json!([]) } else { reply.json() };
            for asked in &task.lines {
                let lines = lines.as_array().expect("a list");
                let times = lines.iter().filter(|line| line["log"] == json!(asked.what)).count();
                assert!(times == 1 || times == 0 && !asked.done, "{asked:?} {times} times: {lines:?}");
            }
        }
    }

    fn document(&mut self, path: &str) {
        let reply = self.client.get(path);
        let document = self.ledger.documents.get_mut(path).expect("it is one of them");
        let found = match reply.status {
            200 => Some(reply.json()["description"].clone()),
            404 => None,
            _ => panic!("{path}: {reply:?}"),
        };
        let is = |known: &Option<Value>| known.as_ref().map(|known| known["description"].clone()) == found;
        let known = std::iter::once(&document.known).chain(&document.open).find(|known| is(known));
        document.known = known.unwrap_or_else(|| panic!("{path}: {reply:?}: {document:?}")).clone();
        document.open.clear();
    }
}

impl Run {
    /// Whether nothing more will happen to it.
    fn is_over(&self, shown: &Value) -> bool {
        let has_ended = ENDED.iter().any(|status| shown["status"] == *status);
        let restarted = self.wishes.restart.as_ref().is_some_and(|asked| asked.done);
        let is_restarted = self.plan != Plan::Restart || self.kind == Kind::Failing || restarted;
        let is_revived = self.kind != Kind::Revived || shown["status"] != "FAILED";
        let rerun = self.wishes.rerun.as_ref().is_some_and(|asked| asked.done);
        let is_rerun = self.plan != Plan::Rerun || self.kind == Kind::Failing || rerun;
        has_ended && is_restarted && is_rerun && is_revived && self.plan != Plan::Remove
    }
}

/// The runs that their submitters call so.
fn correlated(client: &mut Client, name: &str, correlation: &str) -> Vec<Value> {
    let path = format!("/api/workflow/{name}/correlated/{correlation}?includeClosed=true&includeTasks=true");
    match client.get(&path).json() {
        Value::Array(found) => found,
        other => panic!("{path}: {other}"),
    }
}

/// What a worker was given, and what it said, is what the row of the task says.
fn result(task: &Task, row: &Value) {
    let status = row["status"].as_str().expect("a task has a status");
    let context = || format!("{task:?}: {row:#}");
    // Where nothing is counted, what was handed out just before a crash may be handed out once more.
    if task.queue == LIMITED && !task.rerun && task.handed.len() > task.given_back as usize {
        assert_ne!(status, "SCHEDULED", "a worker has it: {}", context());
    }
    let ends = || task.results.iter().filter(|sent| sent.status != "IN_PROGRESS");
    if !task.rerun && ends().any(|sent| sent.answered.is_some()) {
        assert!(!matches!(status, "SCHEDULED" | "IN_PROGRESS"), "its end was accepted: {}", context());
    }
    match status {
        "COMPLETED" | "FAILED" | "FAILED_WITH_TERMINAL_ERROR" => {
            let mark = if status == "COMPLETED" {
                &row["outputData"]["mark"]
            } else {
                &row["reasonForIncompletion"]
            };
            let said = ends().any(|sent| sent.status == status && *mark == json!(sent.mark));
            assert!(said, "nobody has said so: {}", context());
        }
        "TIMED_OUT" | "CANCELED" if !task.rerun => {
            let end = row["endTime"].as_i64().expect("it has ended");
            let before = ends().any(|sent| sent.answered.is_some_and(|at| at < end));
            assert!(!before, "its end was accepted before: {}", context());
            let last = task.handed.last().expect("a worker has got it");
            assert!(
                status == "CANCELED" || last.at + LEASE <= end,
                "its worker had more time: {}",
                context()
            );
        }
        _ => {}
    }
}

/// Each task has succeeded once, and each was given what one before it has yielded.
fn each_task_once(shown: &Value, all: &[Value]) {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for row in tasks(shown).filter(|row| row["status"] == "COMPLETED") {
        *times.entry(row["referenceTaskName"].as_str().expect("a task has a name")).or_default() += 1;
    }
    assert!(times.values().all(|&times| times == 1), "{times:?}: {shown:#}");
    let rows = || all.iter().flat_map(tasks).filter(|row| row["status"] == "COMPLETED");
    for from in
        tasks(shown).filter_map(|row| row["inputData"]["from"].as_str()).filter(|from| !from.is_empty())
    {
        assert!(rows().any(|row| row["outputData"]["mark"] == from), "nobody has yielded {from}: {shown:#}");
    }
}
