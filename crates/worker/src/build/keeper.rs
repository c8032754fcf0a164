//! The thread that decides which tasks are executed: it hashes files and writes, and the owner's loop must not wait for
//! disks. Started by the first task that asks.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};

use partitur_model::record::LogSpan;
use partitur_model::{FencingToken, RawJson, RunId, Timestamp};

use super::codec::{In, Out};
use super::contents::{Digest, Seen, digest};
use super::evidence;
use super::nothing::Wish;
use super::objects::{Limits, Objects};
use super::question::{Footing, Question};
use super::reason::{Decision, Reason, Verdict, differences};
use super::record::{Made, NO_KEY, Part, Record, key_of};
use super::stamp::{SETTLE, Stamp, now as moment};
use super::state::State;
use super::{BuildContext, STATE};
use crate::cache::output_of;
use crate::inbox::{Letter, Mailbox};
use crate::log::Stream;
use crate::pattern::{expand, is_glob};
use crate::sink::now;

/// What was decided about a task.
#[derive(Debug)]
pub(crate) enum Decided {
    /// An earlier success serves.
    Reuse(Reuse),
    /// It is executed; its success is kept under the ticket, if that is possible.
    Run(Option<Box<Ticket>>),
}

/// An earlier success that serves.
#[derive(Debug)]
pub(crate) struct Reuse {
    pub result: Option<RawJson>,
    pub output: Vec<(Stream, Vec<u8>)>,
}

/// With this a success is kept.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    context: BuildContext,
    base: PathBuf,
    run: RunId,
    task: Box<str>,
    key: Digest,
    parts: Vec<Part>,
    writes: Vec<String>,
    expires: Timestamp,
    began: u64,
    /// What a proof needs; none for a task that is executed each time.
    footing: Option<Footing>,
}

impl Ticket {
    /// For a task that is executed each time: what it wrote is known to those that follow it, and to whoever cleans up.
    pub fn of_a_task_that_always_runs(
        context: &BuildContext,
        base: &Path,
        run: RunId,
        path: &str,
        writes: &[String],
    ) -> Ticket {
        Ticket {
            base: base.to_owned(),
            run,
            task: context.task(path),
            context: context.clone(),
            key: NO_KEY,
            parts: Vec::new(),
            writes: writes.to_vec(),
            expires: Timestamp::MAX,
            began: moment(),
            footing: None,
        }
    }
}

/// A success to be kept.
#[derive(Debug)]
pub(crate) struct Kept {
    pub serial: u64,
    pub ticket: Box<Ticket>,
    pub result: Option<RawJson>,
    pub log: PathBuf,
    pub span: Option<LogSpan>,
    pub token: FencingToken,
}

enum Order {
    Decide { serial: u64, question: Box<Question> },
    Keep(Box<Kept>),
    Left { run: RunId, wish: Option<Box<Wish>> },
}

/// The thread. Dropping this waits until what was to be kept is kept.
pub(crate) struct Keeper {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the thread; what it decides comes to `mailbox`.
    pub fn start(mailbox: Mailbox) -> io::Result<Keeper> {
        let (orders, incoming) = channel();
        let desk = Desk { states: HashMap::new(), runs: HashMap::new(), mailbox };
        let thread =
            thread::Builder::new().name("partitur-build".into()).spawn(move || desk.serve(&incoming))?;
        Ok(Keeper { orders: Some(orders), thread: Some(thread) })
    }

    /// Asks whether a task has to be executed.
    pub fn decide(&self, serial: u64, question: Question) {
        self.order(Order::Decide { serial, question: Box::new(question) });
    }

    /// Keeps a success.
    pub fn keep(&self, kept: Kept) {
        self.order(Order::Keep(Box::new(kept)));
    }

    /// A run is over. With a wish, an equal one need not begin as long as everything is as it is now.
    pub fn left(&self, run: RunId, wish: Option<Wish>) {
        self.order(Order::Left { run, wish: wish.map(Box::new) });
    }

    fn order(&self, order: Order) {
        // The thread lives as long as we do.
        let _ = self.orders.as_ref().expect("taken only by drop").send(order);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // It can only have panicked; what it kept is whole.
            let _ = thread.join();
        }
    }
}

/// What is known of one directory.
pub(crate) struct Shelf {
    pub state: State,
    pub objects: Objects,
}

struct Desk {
    states: HashMap<PathBuf, Shelf>,
    /// The tasks whose successes are known, of the runs that live.
    runs: HashMap<RunId, Vec<Footing>>,
    mailbox: Mailbox,
}

impl Desk {
    fn serve(mut self, orders: &Receiver<Order>) {
        loop {
            let fresh = self.states.values().any(|shelf| shelf.state.contents.has_fresh());
            let order = if fresh {
                orders.recv_timeout(SETTLE)
            } else {
                orders.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match order {
                Ok(Order::Decide { serial, question }) => {
                    let (decision, decided) = self.decide(*question);
                    self.mailbox.send(Letter::Decided { serial, decision, decided });
                }
                Ok(Order::Keep(kept)) => {
                    let serial = kept.serial;
                    // What cannot be kept is executed again.
                    let is_kept = self.keep(*kept).is_ok();
                    self.mailbox.send(Letter::Kept { serial, is_kept });
                }
                Ok(Order::Left { run, wish }) => self.left(run, wish),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.states.values_mut().for_each(|shelf| shelf.state.contents.settle());
        }
        for shelf in self.states.values_mut() {
            settle(&mut shelf.state);
            // What was learned of files is learned again.
            let _ = shelf.state.save();
        }
    }

    fn shelf(&mut self, context: &BuildContext, base: &Path) -> io::Result<&mut Shelf> {
        let serves = |shelf: &Shelf| !shelf.state.is_part_of_it() || context.only.is_some();
        if !self.states.get(&context.dir).is_some_and(serves) {
            if let Some(mut part) = self.states.remove(&context.dir) {
                // What is known of some tasks only makes room for all.
                part.state.save()?;
            }
            let state = match &context.only {
                Some(tasks) => {
                    let wanted = tasks.iter().map(|task| context.task(task)).collect();
                    State::open_part(context.state(), base.to_owned(), &wanted)?
                }
                None => State::open(context.state(), base.to_owned())?,
            };
            let objects = Objects::new(context.objects(), Limits::default());
            self.states.insert(context.dir.clone(), Shelf { state, objects });
        }
        Ok(self.states.get_mut(&context.dir).expect("it was put there"))
    }

    fn decide(&mut self, question: Question) -> (Decision, Decided) {
        let (run, footing) = (question.run, question.footing());
        let (decision, decided) = match self.shelf(&question.context, &question.base) {
            Ok(shelf) => shelf.decide(question),
            Err(error) => runs(vec![Reason::Unreadable(format!("{STATE}: {error}"))], None),
        };
        if let Decided::Reuse(_) = decided {
            self.runs.entry(run).or_default().push(footing);
        }
        (decision, decided)
    }

    fn keep(&mut self, kept: Kept) -> io::Result<()> {
        let (run, footing) = (kept.ticket.run, kept.ticket.footing.clone());
        self.shelf(&kept.ticket.context.clone(), &kept.ticket.base.clone())?.keep(kept)?;
        self.runs.entry(run).or_default().extend(footing);
        Ok(())
    }

    fn left(&mut self, run: RunId, wish: Option<Box<Wish>>) {
        let footings = self.runs.remove(&run).unwrap_or_default();
        let Some(wish) = wish else { return };
        let Ok(shelf) = self.shelf(&wish.context, &wish.base) else { return };
        settle(&mut shelf.state);
        // Without it, an equal run asks about every task.
        let _ = evidence::write(&wish, &footings, &shelf.state);
    }
}

/// Waits until every stamp proves something.
fn settle(state: &mut State) {
    // What goes on changing is not waited for.
    for _ in 0..8 {
        state.contents.settle();
        if !state.contents.has_fresh() {
            return;
        }
        thread::sleep(SETTLE);
    }
}

fn runs(reasons: Vec<Reason>, ticket: Option<Ticket>) -> (Decision, Decided) {
    (Decision { verdict: Verdict::Runs, reasons }, Decided::Run(ticket.map(Box::new)))
}

impl Shelf {
    fn decide(&mut self, question: Question) -> (Decision, Decided) {
        let latest = self.state.latest(&question.task).cloned();
        let parts = match question.parts(&mut self.state, latest.as_deref()) {
            Ok(parts) => parts,
            Err(why) => return runs(vec![Reason::Unreadable(why)], None),
        };
        let key = key_of(&parts);
        let reasons = match self.reuse(&question, &key) {
            Ok(reused) => return reused,
            Err(reasons) if reasons.is_empty() => differences(latest.as_deref(), &parts),
            Err(reasons) => reasons,
        };
        // Whatever it leaves behind if it is killed: it has not succeeded.
        if self.state.forget(&question.task, &key).is_err() {
            return runs(reasons, None);
        }
        let expires = question.ttl.map_or(Timestamp::MAX, |ttl| now() + ttl);
        let footing = Some(question.footing());
        let Question { run, task, base, context, writes, .. } = question;
        let began = moment();
        runs(reasons, Some(Ticket { context, base, run, task, key, parts, writes, expires, began, footing }))
    }

    /// What would be decided, and the earlier success that serves if one does. Nothing is changed: what would be brought
    /// back is taken to be there.
    pub fn foresee(&mut self, question: &Question) -> (Decision, Option<Arc<Record>>) {
        let latest = self.state.latest(&question.task).cloned();
        let runs = |reasons| (Decision { verdict: Verdict::Runs, reasons }, None);
        let parts = match question.parts(&mut self.state, latest.as_deref()) {
            Ok(parts) => parts,
            Err(why) => return runs(vec![Reason::Unreadable(why)]),
        };
        let record = match self.serving(question, &key_of(&parts)) {
            Ok(record) => record,
            Err(reasons) if reasons.is_empty() => return runs(differences(latest.as_deref(), &parts)),
            Err(reasons) => return runs(reasons),
        };
        let wrong = self.wrong(&record);
        let lost = self.lost(&wrong);
        if !lost.is_empty() {
            return runs(lost);
        }
        let verdict = if wrong.is_empty() { Verdict::UpToDate } else { Verdict::Restored };
        let reasons = wrong.iter().map(reason).collect();
        self.state.recall(record.clone());
        (Decision { verdict, reasons }, Some(record))
    }

    /// The earlier success that follows from the same, or why none serves; without a reason there is none.
    fn serving(&self, question: &Question, key: &Digest) -> Result<Arc<Record>, Vec<Reason>> {
        if question.context.force {
            return Err(vec![Reason::Forced]);
        }
        let Some(record) = self.state.find(&question.task, key).cloned() else { return Err(Vec::new()) };
        if record.expires <= now() { Err(vec![Reason::Expired]) } else { Ok(record) }
    }

    /// An earlier success that serves, or why none does; without a reason there is none that follows from the same.
    fn reuse(&mut self, question: &Question, key: &Digest) -> Result<(Decision, Decided), Vec<Reason>> {
        let record = self.serving(question, key)?;
        let wrong = self.wrong(&record);
        self.restore(&wrong)?;
        let reasons: Vec<Reason> =
            wrong.iter().map(|(made, _)| Reason::BroughtBack(made.path.display().to_string())).collect();
        let verdict = if reasons.is_empty() { Verdict::UpToDate } else { Verdict::Restored };
        // If this cannot be written, an older success counts as the latest: no harm.
        let _ = self.state.put(record.clone());
        let reuse = Reuse { result: record.result.clone(), output: self.output(&record) };
        Ok((Decision { verdict, reasons }, Decided::Reuse(reuse)))
    }

    /// What is not as the success left it, and what is there instead.
    fn wrong<'a>(&mut self, record: &'a Record) -> Vec<(&'a Made, Option<Seen>)> {
        let contents = &mut self.state.contents;
        let looked = record.made.iter().map(|made| (made, contents.left(&made.path).ok()));
        looked.filter(|(made, seen)| seen.as_ref() != Some(&made.seen)).collect()
    }

    /// Brings all of it back, or says what cannot be.
    fn restore(&mut self, wrong: &[(&Made, Option<Seen>)]) -> Result<(), Vec<Reason>> {
        let lost = self.lost(wrong);
        if !lost.is_empty() {
            return Err(lost);
        }
        for one in wrong {
            self.bring_back(one.0).map_err(|_| vec![reason(one)])?;
        }
        Ok(())
    }

    /// What of it cannot be brought back.
    fn lost(&self, wrong: &[(&Made, Option<Seen>)]) -> Vec<Reason> {
        wrong.iter().filter(|(made, _)| !self.can_restore(&made.seen)).map(reason).collect()
    }

    fn can_restore(&self, seen: &Seen) -> bool {
        match seen {
            Seen::File { content, .. } => self.objects.has(content),
            Seen::Dir | Seen::Link(_) => true,
            // Nobody asked us to remove anything.
            Seen::Absent => false,
        }
    }

    fn bring_back(&mut self, made: &Made) -> io::Result<()> {
        let target = self.state.contents.base().join(&made.path);
        match &made.seen {
            Seen::File { content, .. } => self.objects.restore(content, &target, made.mode)?,
            Seen::Dir => std::fs::create_dir_all(&target)?,
            Seen::Link(link) => relink(link, &target)?,
            Seen::Absent => {}
        }
        // Its stamp proves something from now on.
        let seen = self.state.contents.left(&made.path)?;
        if seen == made.seen { Ok(()) } else { Err(io::Error::other("it is not what was brought back")) }
    }

    fn output(&self, record: &Record) -> Vec<(Stream, Vec<u8>)> {
        let Some(object) = &record.output else { return Vec::new() };
        let bytes = self.objects.bytes(object);
        bytes.as_deref().and_then(decode_output).unwrap_or_else(|| {
            vec![(Stream::Note, b"what it wrote to its output is not kept any more\n".to_vec())]
        })
    }

    fn keep(&mut self, kept: Kept) -> io::Result<()> {
        let ticket = *kept.ticket;
        let made = self.made(&ticket)?;
        for one in &made {
            if let Seen::File { content, .. } = &one.seen {
                // What is not kept cannot be restored, and is made again.
                let _ = self.objects.put_file(content, &ticket.base.join(&one.path));
            }
        }
        let frames = output_of(&kept.log, kept.span, kept.token)?;
        let output = (!frames.is_empty()).then(|| encode_output(&frames));
        let object = output.as_deref().map(digest);
        if let (Some(output), Some(object)) = (&output, &object) {
            self.objects.put_bytes(object, output)?;
        }
        let Ticket { task, key, parts, expires, began, .. } = ticket;
        let record = Record { task, key, parts, made, result: kept.result, output: object, expires, began };
        self.state.put(Arc::new(record))
    }

    /// What the task has left: what it names, and of what its patterns match, what it has written or had written before.
    fn made(&mut self, ticket: &Ticket) -> io::Result<Vec<Made>> {
        let before = self.state.latest(&ticket.task).cloned();
        let own: HashSet<&Path> =
            before.iter().flat_map(|record| &record.made).map(|made| made.path.as_path()).collect();
        let mut made = Vec::new();
        for pattern in &ticket.writes {
            let found = expand(&ticket.base, pattern)?;
            let is_named = found.dirs.is_empty();
            if !is_named && !is_glob(pattern) {
                made.push(Made { path: PathBuf::from(plain(pattern)), seen: Seen::Dir, mode: 0 });
            }
            for path in found.files {
                let meta = std::fs::symlink_metadata(ticket.base.join(&path));
                let stamp = meta.as_ref().ok().map(Stamp::of);
                if is_named
                    || own.contains(path.as_path())
                    || stamp.is_some_and(|stamp| stamp.is_since(ticket.began))
                {
                    let mode = meta.map_or(0, |meta| std::os::unix::fs::MetadataExt::mode(&meta) & 0o7777);
                    made.push(Made { seen: self.state.contents.left(&path)?, path, mode });
                }
            }
        }
        made.sort_by(|one, other| one.path.cmp(&other.path));
        made.dedup_by(|one, other| one.path == other.path);
        Ok(made)
    }
}

/// Why something is not as it was left.
fn reason((made, seen): &(&Made, Option<Seen>)) -> Reason {
    let path = made.path.display().to_string();
    if *seen == Some(Seen::Absent) { Reason::Missing(path) } else { Reason::Altered(path) }
}

/// A path as it is compared: without what says nothing.
fn plain(pattern: &str) -> &str {
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
    if pattern.len() > 1 { pattern.trim_end_matches('/') } else { pattern }
}

/// Puts a link in its place in one step.
fn relink(link: &Path, target: &Path) -> io::Result<()> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let temporary = target.with_file_name(format!(".{name}{}", crate::pattern::UNFINISHED));
    // One may be left after a crash.
    let _ = std::fs::remove_file(&temporary);
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::os::unix::fs::symlink(link, &temporary)?;
    std::fs::rename(&temporary, target)
}

fn encode_output(frames: &[(Stream, Vec<u8>)]) -> Vec<u8> {
    let mut out = Out::default();
    for (stream, bytes) in frames {
        out.byte(stream.code());
        out.text(bytes);
    }
    out.0
}

fn decode_output(bytes: &[u8]) -> Option<Vec<(Stream, Vec<u8>)>> {
    let mut bytes = In(bytes);
    let mut frames = Vec::new();
    while !bytes.0.is_empty() {
        let stream = Stream::from_code(bytes.byte()?)?;
        frames.push((stream, bytes.text()?.to_vec()));
    }
    Some(frames)
}
