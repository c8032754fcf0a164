//! Whoever follows a run sees it through this: a live block, plain lines, or the events themselves.
//!
//! [`Progress::notice`] takes what the session tells. Events are counted; drawing happens on the pulse alone, so that a
//! slow terminal costs at most ten drawings a second.

mod block;
mod board;
mod captured;
mod screen;
mod talk;

use std::collections::{HashMap, HashSet};
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, SystemTime};

use partitur::host::Notice;
use partitur_api::{Event, EventKind, Status, Stream};
use partitur_model::Timestamp;
use partitur_report::{Cause, Watch};

pub use board::Board;
pub use captured::Output;
pub use screen::{Screen, terminal_size};

use crate::ink::{Colour, Line, Paint};
use captured::Captured;
use talk::Verbosity;

/// A task that runs for so long without a block to show it is mentioned.
const LONG: u64 = 10_000;

/// How a run is shown.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Look {
    /// How the output of tasks is shown
    #[arg(long, value_name = "HOW", default_value = "grouped")]
    pub output: Output,
    /// Show the output of all tasks, not only of failed ones
    #[arg(short, long)]
    pub verbose: bool,
    /// Say nothing but what went wrong
    #[arg(short, long, conflicts_with_all = ["verbose", "json"])]
    pub quiet: bool,
    /// Print the events on standard output, one JSON object a line, and nothing else
    #[arg(long)]
    pub json: bool,
    /// Say of each task that declares what it reads and writes why it is executed or not
    #[arg(long)]
    pub explain: bool,
}

/// What was expected, when it has been read.
#[derive(Debug, Default)]
pub struct Expectation {
    /// How long each task took before, in milliseconds.
    pub history: HashMap<String, u64>,
    /// How long the whole run is expected to take, in milliseconds.
    pub makespan: Option<u64>,
}

/// How the run ended, as its last event told it.
#[derive(Clone, Debug)]
pub struct Ended {
    /// As [`EventKind::Run`] names it.
    pub state: String,
    /// What it yielded.
    pub output: Option<serde_json::Value>,
}

/// What is shown of a run while it is followed.
pub struct Progress {
    board: Board,
    watch: Watch,
    captured: Captured,
    view: View,
    verbosity: Verbosity,
    colour: bool,
    expectation: Option<Receiver<Expectation>>,
    /// Tasks that were mentioned as running for long, and when.
    mentioned: HashMap<Arc<str>, u64>,
    ended: Option<Ended>,
    /// Tasks of which it was said why they are executed or not.
    explained: HashSet<Arc<str>>,
}

enum View {
    Live {
        screen: Screen<std::io::Stderr>,
        /// Said since the last drawing.
        pending: Vec<(Stream, String)>,
    },
    Plain,
    Quiet,
    Json,
}

impl Progress {
    /// Begins to show a run. The expectation may come later: reading it must not hold up the run.
    pub fn new(
        board: Board,
        look: Look,
        colour: Colour,
        expectation: Option<Receiver<Expectation>>,
    ) -> Progress {
        let stderr = std::io::stderr();
        let colour = colour.for_stream(&stderr);
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let view = match (look.json, look.quiet) {
            (true, _) => View::Json,
            (false, true) => View::Quiet,
            (false, false) if stderr.is_terminal() && !dumb => {
                View::Live { screen: Screen::new(stderr, colour), pending: Vec::new() }
            }
            (false, false) => View::Plain,
        };
        let block = matches!(view, View::Live { .. } | View::Quiet);
        Progress {
            board,
            watch: Watch::default(),
            captured: Captured::new(look.output),
            view,
            verbosity: Verbosity { block, all_output: look.verbose, explain: look.explain },
            colour,
            expectation,
            mentioned: HashMap::new(),
            ended: None,
            explained: HashSet::new(),
        }
    }

    /// How often the view wants to hear how things stand.
    pub fn pulse(&self) -> Option<Duration> {
        match self.view {
            View::Live { .. } => Some(Duration::from_millis(100)),
            View::Plain => Some(Duration::from_millis(250)),
            View::Quiet | View::Json => None,
        }
    }

    /// Whether people look at it.
    pub fn is_for_people(&self) -> bool {
        match self.view {
            View::Live { .. } | View::Plain | View::Quiet => true,
            View::Json => false,
        }
    }

    /// Takes what the session tells.
    pub fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Event(event) if event.run == self.board.run => self.event(&event),
            Notice::Event(_) => {}
            Notice::Pulse(status) => self.pulsed(&status),
            Notice::Interrupted(1) => self.say(Line::new().add(
                Paint::Warn,
                "cancelling: the tasks that run are asked to end; once more kills them at once",
            )),
            Notice::Interrupted(_) => self.say(Line::new().add(Paint::Warn, "killing what runs")),
            Notice::TakenOver => {
                self.say(Line::new().add(Paint::Warn, "the host has gone; the run goes on with another"));
            }
            Notice::Trouble(Some(reason)) => {
                let words = format!("{reason}; nothing is lost, and the run goes on when it works again");
                self.say(Line::new().add(Paint::Warn, words));
            }
            Notice::Trouble(None) => self.say(Line::new().add(Paint::Dim, "the disk writes again")),
            Notice::Hosting { terminals } => {
                let runs = if terminals == 1 { "a run" } else { "runs" };
                let words =
                    format!("{runs} of {terminals} other terminals still hosted here; Ctrl-C hands over");
                self.close();
                self.say(Line::new().add(Paint::Dim, words));
            }
        }
    }

    fn event(&mut self, event: &Event) {
        let took = self.took(event);
        self.watch(event);
        self.board.apply(event);
        if let EventKind::Run { state, ended: true, output, .. } = &event.kind {
            self.ended = Some(Ended { state: state.clone(), output: output.clone() });
        }
        if let View::Json = self.view {
            print_json(event);
            return;
        }
        if self.verbosity.explain {
            self.explain_what_always_runs(event, took);
        }
        let left = self.wrote(event);
        if self.board.is_good_end_of_container(event) {
            return;
        }
        for line in talk::talk(event, took, &left, self.verbosity) {
            self.say(line);
        }
    }

    /// What nothing was decided about declares nothing.
    fn explain_what_always_runs(&mut self, event: &Event, took: Option<Duration>) {
        match &event.kind {
            EventKind::TaskDecided { task, .. } => drop(self.explained.insert(task.clone())),
            EventKind::TaskEnded { task, .. } if took.is_some() && self.explained.insert(task.clone()) => {
                let words = ": each time, for it does not declare what it reads and writes";
                self.say(Line::new().add(Paint::Dim, "? ").text(task).text("  runs").add(Paint::Dim, words));
            }
            EventKind::Run { .. }
            | EventKind::TaskReady { .. }
            | EventKind::TaskWaits { .. }
            | EventKind::TaskStarted { .. }
            | EventKind::TaskProgress { .. }
            | EventKind::Output { .. }
            | EventKind::TaskRetries { .. }
            | EventKind::TaskEnded { .. }
            | EventKind::UndoEnded { .. }
            | EventKind::TaskServes { .. }
            | EventKind::Limit { .. }
            | EventKind::Notice { .. } => {}
        }
    }

    /// How long the attempt has lived whose end this is.
    fn took(&self, event: &Event) -> Option<Duration> {
        match &event.kind {
            EventKind::TaskEnded { task, .. } => {
                let started = self.board.started(task)?;
                Some(Duration::from_millis(event.at.saturating_sub(started)))
            }
            EventKind::Run { .. }
            | EventKind::TaskReady { .. }
            | EventKind::TaskWaits { .. }
            | EventKind::TaskStarted { .. }
            | EventKind::TaskProgress { .. }
            | EventKind::Output { .. }
            | EventKind::TaskRetries { .. }
            | EventKind::UndoEnded { .. }
            | EventKind::TaskServes { .. }
            | EventKind::Limit { .. }
            | EventKind::TaskDecided { .. }
            | EventKind::Notice { .. } => None,
        }
    }

    fn watch(&mut self, event: &Event) {
        let at = Timestamp::from_millis(event.at);
        match &event.kind {
            EventKind::TaskReady { task } => self.watch.ready(at, task),
            EventKind::TaskWaits { task, reason } => self.watch.waits(at, task, Cause::of_reason(reason)),
            EventKind::TaskStarted { task, undo: false, .. } => self.watch.started(at, task),
            EventKind::TaskRetries { task, .. } => self.watch.retries(at, task),
            EventKind::TaskEnded { task, verdict, .. } => {
                self.watch.ended(at, task);
                if verdict.as_deref() == Some("restored") {
                    self.watch.restored(task);
                }
            }
            EventKind::Run { .. }
            | EventKind::TaskStarted { undo: true, .. }
            | EventKind::TaskProgress { .. }
            | EventKind::Output { .. }
            | EventKind::UndoEnded { .. }
            | EventKind::TaskServes { .. }
            | EventKind::Limit { .. }
            | EventKind::TaskDecided { .. }
            | EventKind::Notice { .. } => {}
        }
    }

    /// Passes on what a task wrote, or gives what it has written when its attempt ends.
    fn wrote(&mut self, event: &Event) -> String {
        match &event.kind {
            EventKind::Output { task, stream, text } => {
                if let Some(text) = self.captured.wrote(task, *stream, text) {
                    self.pass_on(*stream, text);
                }
                String::new()
            }
            EventKind::TaskEnded { task, .. }
            | EventKind::TaskRetries { task, .. }
            | EventKind::UndoEnded { task, .. } => {
                for (stream, text) in self.captured.take_open(task) {
                    self.pass_on(stream, text);
                }
                self.captured.take(task)
            }
            EventKind::Run { .. }
            | EventKind::TaskReady { .. }
            | EventKind::TaskWaits { .. }
            | EventKind::TaskStarted { .. }
            | EventKind::TaskProgress { .. }
            | EventKind::TaskServes { .. }
            | EventKind::Limit { .. }
            | EventKind::TaskDecided { .. }
            | EventKind::Notice { .. } => String::new(),
        }
    }

    /// Says a line for good.
    pub fn say(&mut self, line: Line) {
        self.pass_on(Stream::Stderr, line.whole(self.colour) + "\n");
    }

    fn pass_on(&mut self, stream: Stream, text: String) {
        match &mut self.view {
            View::Live { pending, .. } => pending.push((stream, text)),
            View::Plain | View::Quiet | View::Json => write_out(stream, &text),
        }
    }

    fn pulsed(&mut self, status: &Status) {
        self.board.stand(status);
        let now = Timestamp::from_millis(now());
        for waiter in &self.board.waiters {
            self.watch.kept(now, &waiter.task, Cause::of_reason(&waiter.reason));
        }
        if let Some(expectation) = self.expectation.as_ref().and_then(|later| later.try_recv().ok()) {
            self.expect(expectation);
        }
        match self.view {
            View::Live { .. } => self.draw(),
            View::Plain => self.mention_long_ones(now.millis()),
            View::Quiet | View::Json => {}
        }
    }

    fn expect(&mut self, expectation: Expectation) {
        self.expectation = None;
        self.board.expected_end = expectation.makespan.map(|makespan| self.board.since + makespan);
        for running in &mut self.board.running {
            running.expected_ms =
                running.expected_ms.or_else(|| expectation.history.get(&*running.task).copied());
        }
        self.board.history = expectation.history;
    }

    fn mention_long_ones(&mut self, now: u64) {
        let mut lines = Vec::new();
        for running in &self.board.running {
            let mentioned = self.mentioned.get(&running.task).copied().unwrap_or(running.since);
            let pause = if mentioned == running.since { LONG } else { 6 * LONG };
            if now.saturating_sub(mentioned) >= pause {
                lines.push(talk::still_running(&running.task, running.since, now));
                self.mentioned.insert(running.task.clone(), now);
            }
        }
        for line in lines {
            self.say(line);
        }
    }

    fn draw(&mut self) {
        let View::Live { screen, pending } = &mut self.view else { return };
        if self.ended.is_some() {
            return;
        }
        let size = terminal_size();
        let above = pass_stdout(screen, pending);
        screen.draw(&above, &block::block(&self.board, now(), size), size);
    }

    /// Removes the block; what was said stays. What comes now is said plainly.
    pub fn close(&mut self) {
        if let View::Live { screen, pending } = &mut self.view {
            let said = pass_stdout(screen, pending);
            screen.clear(terminal_size());
            write_out(Stream::Stderr, &said);
            self.view = View::Plain;
        }
    }

    /// How the run ended, if it has, and what was seen of it.
    pub fn result(&self) -> (Option<&Ended>, &Watch) {
        (self.ended.as_ref(), &self.watch)
    }
}

/// What is said on standard error in one piece; what belongs on standard output is written there, above the block.
fn pass_stdout(screen: &mut Screen<std::io::Stderr>, pending: &mut Vec<(Stream, String)>) -> String {
    if pending.iter().all(|(stream, _)| *stream == Stream::Stderr) {
        return pending.drain(..).map(|(_, text)| text).collect();
    }
    screen.clear(terminal_size());
    for (stream, text) in pending.drain(..) {
        write_out(stream, &text);
    }
    String::new()
}

fn write_out(stream: Stream, text: &str) {
    // Whoever has closed the other end wants no more of it; the run goes on.
    let _ = match stream {
        Stream::Stdout => {
            let mut out = std::io::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        }
        Stream::Stderr => std::io::stderr().lock().write_all(text.as_bytes()),
    };
}

fn print_json(event: &Event) {
    let line = serde_json::to_string(event).expect("an event is plain data");
    write_out(Stream::Stdout, &(line + "\n"));
}

/// The wall clock.
pub fn moment() -> Timestamp {
    Timestamp::from_millis(now())
}

/// The wall clock, in milliseconds since the Unix epoch.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
