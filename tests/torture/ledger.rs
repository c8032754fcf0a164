//! What clients have sent, what was answered, and what was seen since. Before something is sent it is written down here: of
//! what was not answered nobody knows whether it was done.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::kinds::{Given, Kind, LIMITED};

/// All of it.
#[derive(Default)]
pub struct Ledger {
    pub runs: Vec<Run>,
    pub tasks: BTreeMap<String, Task>,
    /// By the path under which it is read.
    pub documents: BTreeMap<String, Document>,
    /// How often a server has been started.
    pub life: u32,
    marks: u64,
}

/// A run that somebody wanted.
pub struct Run {
    pub kind: Kind,
    pub given: Given,
    /// Its name with its submitter: one for each run that was wanted.
    pub correlation: String,
    /// The key under which it was started; then it may be started again.
    pub key: Option<String>,
    /// Unknown as long as no answer has come.
    pub id: Option<String>,
    pub plan: Plan,
    pub wishes: Wishes,
    pub seen: Seen,
}

/// What will be wanted of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    Nothing,
    PauseAndResume,
    Variables,
    Terminate,
    Remove,
    Restart,
    /// It goes on once more from the last task of a worker.
    Rerun,
    /// The last task is left out.
    Skip,
}

/// What was wanted of a run so far, and answered.
#[derive(Debug, Default)]
pub struct Wishes {
    /// Since nothing else was wanted: whether it is paused, and whether that was answered.
    pub pause: Option<Asked<bool>>,
    pub resumed: bool,
    pub terminate: Option<Asked<String>>,
    pub remove: Option<Asked<()>>,
    pub retry: Option<Asked<()>>,
    /// How often.
    pub restart: Option<Asked<u32>>,
    pub rerun: Option<Asked<()>>,
    /// The last task may be left out: so often it was wanted.
    pub skips: u32,
    /// Values of the variable `told`; the last answered one and those after it may be the value.
    pub told: Vec<Asked<String>>,
    /// By reference: words that were said to tasks that wait.
    pub words: BTreeMap<String, Vec<Asked<String>>>,
}

/// Something that was wanted.
#[derive(Clone, Debug)]
pub struct Asked<T> {
    pub what: T,
    /// It was answered, with yes.
    pub done: bool,
}

impl<T> Asked<T> {
    pub fn now(what: T) -> Asked<T> {
        Asked { what, done: false }
    }
}

/// What was seen of a run: what is shown is durable, and must be there later.
#[derive(Debug, Default)]
pub struct Seen {
    /// Its end.
    pub ended: Option<Value>,
    /// The outputs of tasks that have succeeded, by id.
    pub outputs: BTreeMap<String, Value>,
    /// It has been judged in its end, and nothing more is wanted of it.
    pub settled: bool,
}

/// A task that a worker got.
#[derive(Debug)]
pub struct Task {
    /// Its name, without the number of its iteration.
    pub reference: String,
    /// Its type, which is its queue.
    pub queue: String,
    /// Each time that it came.
    pub handed: Vec<Handed>,
    /// A worker has given it back to get it again.
    pub given_back: u32,
    /// Its run was to go on from it once more: what was said of it before may be of the past.
    pub rerun: bool,
    pub results: Vec<Sent>,
    /// Lines of its log.
    pub lines: Vec<Asked<String>>,
}

/// A task came to a worker.
#[derive(Clone, Copy, Debug)]
pub struct Handed {
    /// In which life of the server.
    pub life: u32,
    /// In milliseconds.
    pub at: i64,
}

/// A result that a worker sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub mark: String,
    pub status: &'static str,
    /// When the answer was there, in milliseconds.
    pub answered: Option<i64>,
}

/// A definition that was registered.
#[derive(Debug, Default)]
pub struct Document {
    /// As it was last known to be; missing if it was forgotten.
    pub known: Option<Value>,
    /// Changes that were wanted since and not answered.
    pub open: Vec<Option<Value>>,
}

impl Ledger {
    /// A word that was never used before.
    pub fn mark(&mut self) -> String {
        self.marks += 1;
        format!("m{}", self.marks)
    }

    /// A run that somebody is about to start.
    pub fn want(&mut self, kind: Kind, given: Given, plan: Plan, keyed: bool) -> usize {
        let mark = self.mark();
        self.runs.push(Run {
            kind,
            given,
            key: keyed.then(|| format!("key-{mark}")),
            correlation: mark,
            id: None,
            plan,
            wishes: Wishes::default(),
            seen: Seen::default(),
        });
        self.runs.len() - 1
    }

    /// The run of this id, if somebody here has started it.
    pub fn run(&mut self, id: &str) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.id.as_deref() == Some(id))
    }

    /// Runs in which something is still to be seen.
    pub fn open(&self) -> impl Iterator<Item = usize> {
        (0..self.runs.len()).filter(|&at| !self.runs[at].seen.settled)
    }

    /// A task has come to a worker. It comes again only if somebody has given it back; or after a crash, unless it is one of
    /// those that are counted.
    pub fn handed(&mut self, task: &Value, queue: &str, at: i64) {
        let life = self.life;
        let text = |key: &str| task[key].as_str().expect("a task has ids").to_owned();
        let known = self.tasks.entry(text("taskId")).or_insert_with(|| Task {
            reference: text("referenceTaskName").split("__").next().expect("a first part").to_owned(),
            queue: queue.to_owned(),
            handed: Vec::new(),
            given_back: 0,
            rerun: false,
            results: Vec::new(),
            lines: Vec::new(),
        });
        let again = known.handed.last().is_some_and(|last| last.life == life || queue == LIMITED);
        let others = known.handed.iter().filter(|handed| handed.life == life || queue == LIMITED).count();
        assert!(
            !again || known.rerun || others <= known.given_back as usize,
            "a worker has this task already, and it has come to another one: {task}: {known:?}"
        );
        known.handed.push(Handed { life, at });
    }

    /// A result is about to be sent; its number.
    pub fn sends(&mut self, task: &str, status: &'static str) -> (usize, String) {
        let mark = self.mark();
        let task = self.tasks.get_mut(task).expect("who sends a result has got the task");
        task.given_back += u32::from(status == "IN_PROGRESS");
        task.results.push(Sent { mark: mark.clone(), status, answered: None });
        (task.results.len() - 1, mark)
    }

    /// The result was answered.
    pub fn sent(&mut self, task: &str, number: usize, now: i64) {
        self.tasks.get_mut(task).expect("it was sent").results[number].answered = Some(now);
    }

    /// Whether a run may have been removed, or its tasks by a new beginning. Of runs below others that is not known.
    pub fn may_be_gone(&mut self, id: &str) -> bool {
        self.run(id).is_none_or(|run| run.wishes.remove.is_some() || run.wishes.restart.is_some())
    }

    /// A line is about to be written to the log of a task.
    pub fn writes(&mut self, task: &str, line: &str) {
        let task = self.tasks.get_mut(task).expect("who writes about a task has got it");
        task.lines.push(Asked::now(line.to_owned()));
    }

    /// The line was taken.
    pub fn written(&mut self, task: &str, line: &str) {
        let task = self.tasks.get_mut(task).expect("it was written about");
        task.lines.iter_mut().filter(|asked| asked.what == line).for_each(|asked| asked.done = true);
    }

    /// A definition is about to be registered, or forgotten.
    pub fn teaches(&mut self, path: &str, definition: Option<Value>) {
        self.documents.entry(path.to_owned()).or_default().open.push(definition);
    }

    /// That was answered.
    pub fn taught(&mut self, path: &str) {
        let document = self.documents.get_mut(path).expect("it was noted");
        document.known = document.open.pop().expect("it was noted");
        document.open.clear();
    }

    /// Tasks that workers have got since and of which they have not said how they ended.
    pub fn held(&self, since: i64) -> usize {
        let open = |task: &&Task| {
            let is_new = task.handed.last().is_some_and(|handed| handed.at >= since);
            is_new && task.results.iter().all(|sent| sent.status == "IN_PROGRESS")
        };
        self.tasks.values().filter(open).count()
    }
}

impl Run {
    /// The variable `told` as it may be.
    pub fn may_be_told(&self) -> BTreeSet<Option<&str>> {
        candidates(&self.wishes.told)
    }

    /// The word that a waiting task may have been told.
    pub fn may_be_word(&self, reference: &str) -> BTreeSet<Option<&str>> {
        candidates(self.wishes.words.get(reference).map(Vec::as_slice).unwrap_or_default())
    }
}

/// The last one that was answered, and all that came after it.
fn candidates(asked: &[Asked<String>]) -> BTreeSet<Option<&str>> {
    let last = asked.iter().rposition(|asked| asked.done);
    let first = last.map_or(Some(None), |_| None);
    let later = asked[last.unwrap_or(0)..].iter().map(|asked| Some(asked.what.as_str()));
    first.into_iter().chain(later).collect()
}
