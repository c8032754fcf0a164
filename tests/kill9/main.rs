//! `kill -9` of the host at random moments, again and again; then the run is resumed.
//!
//! `KILL9_KILLS=5000 cargo test -p partitur-tests --test kill9` kills so often; `KILL9_SEED=…` begins with another seed.

mod flow;
mod judge;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use flow::AT_ONCE;
use judge::Case;
use partitur_tests::journal::{Line, in_flight, note};
use partitur_tests::{Dice, Place, Process, Terminal, living, number, wait_for};
use serde_json::Value;

/// A task may be lost ten times and not oftener; a run is killed less often.
const KILLS_OF_A_RUN: usize = 9;

/// So soon after a kill nothing of the tasks is left.
const GONE_WITHIN: Duration = Duration::from_secs(1);

/// What the kills met.
#[derive(Default)]
struct Tally {
    kills: usize,
    amid: usize,
    slowest: Duration,
    tasks: usize,
}

#[test]
fn a_run_that_is_killed_at_any_moment_goes_on_as_if_nothing_had_been() {
    let kills = number("KILL9_KILLS", 54);
    let first = number("KILL9_SEED", 1) as u64;
    let mut tally = Tally::default();
    for seed in first.. {
        if tally.kills >= kills {
            break;
        }
        Torture::new(seed).run(&mut tally);
    }
    let Tally { kills, amid, slowest, tasks } = tally;
    println!(
        "{kills} kills, {amid} of them with tasks both finished and in flight; {tasks} tasks in flight were killed;"
    );
    println!("the last process was gone after at most {slowest:?}");
    assert!(amid * 10 >= kills * 8, "only {amid} of {kills} kills met tasks both finished and in flight");
}

/// One run that is killed again and again.
struct Torture {
    seed: u64,
    dice: Dice,
    place: Place,
    told: Vec<BTreeSet<String>>,
    /// Whether somebody has heard of the run.
    is_known: bool,
    /// The processes that the last kill left to the next host, and when that was.
    left: Option<(Vec<Process>, Instant)>,
}

impl Torture {
    fn new(seed: u64) -> Torture {
        let place = Place::new();
        lay_out(&place, seed);
        Torture { seed, dice: Dice::new(!seed), place, told: Vec::new(), is_known: false, left: None }
    }

    fn run(mut self, tally: &mut Tally) {
        for life in 0..=KILLS_OF_A_RUN {
            let mut terminal = self.start();
            self.what_was_left_is_gone();
            if life < KILLS_OF_A_RUN && self.await_the_moment(&mut terminal) {
                self.kill(terminal, tally);
                continue;
            }
            let ended = terminal.wait();
            assert_eq!(ended.code, Some(0), "seed {}: {}\n{}", self.seed, ended.stderr, ended.stdout);
            self.told.push(ended.tasks("success").into_iter().collect());
            return self.judge(&ended.output());
        }
    }

    /// The same command again goes on with the run, and so does `resume`, once the run is known to be there.
    fn start(&mut self) -> Terminal {
        if self.is_known && self.dice.once_in(2) {
            return self.place.start(&["resume", "1", "--json"]);
        }
        self.place.start(&["run", "flow.json", "--json", "-j", AT_ONCE])
    }

    /// Waits until something is finished and something in flight, and then a little longer; sometimes not at all. Says
    /// whether there still is something to kill.
    fn await_the_moment(&mut self, terminal: &mut Terminal) -> bool {
        if self.dice.once_in(16) {
            std::thread::sleep(Duration::from_micros(self.dice.below(40_000) as u64));
            return !terminal.has_ended();
        }
        let already = self.place.journal().len();
        let further = self.dice.between(1, 12);
        let told_before = self.told.iter().any(|told| !told.is_empty());
        let is_due = |terminal: &Terminal| {
            let journal = self.place.journal();
            let is_busy = journal.len() >= already + further && !in_flight(&journal).is_empty();
            is_busy && (told_before || terminal.events().iter().any(is_success))
        };
        wait_for("the moment", || (terminal.has_ended() || is_due(terminal)).then_some(()));
        std::thread::sleep(Duration::from_micros(self.dice.below(2_000) as u64));
        !terminal.has_ended()
    }

    fn kill(&mut self, terminal: Terminal, tally: &mut Tally) {
        let ended = terminal.kill();
        let killed = Instant::now();
        let journal = self.place.journal();
        note(self.place.path(), &Line::Kill);
        self.is_known |= !ended.events().is_empty();
        self.told.push(ended.tasks("success").into_iter().collect());
        let finished = self.told.iter().any(|told| !told.is_empty());
        let lost = in_flight(&journal).len();
        tally.kills += 1;
        tally.tasks += lost;
        tally.amid += usize::from(finished && lost > 0);
        let left = || living(self.place.path());
        // Now and then the next host comes at once and meets what the last one left.
        if self.dice.once_in(3) {
            self.left = Some((left(), killed));
            return;
        }
        while !left().is_empty() {
            assert!(killed.elapsed() < GONE_WITHIN, "seed {}: still alive: {:#?}", self.seed, left());
            std::thread::sleep(Duration::from_millis(1));
        }
        tally.slowest = tally.slowest.max(killed.elapsed());
    }

    fn what_was_left_is_gone(&mut self) {
        let Some((left, killed)) = self.left.take() else { return };
        while left.iter().any(Process::lives) {
            assert!(killed.elapsed() < GONE_WITHIN, "seed {}: still alive: {left:#?}", self.seed);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn judge(self, output: &Value) {
        let journal = self.place.journal();
        Case { seed: self.seed, journal: &journal, told: &self.told }.judge();
        assert_eq!(output, &undisturbed(self.seed), "seed {}: another output", self.seed);
        every_task_has_succeeded(&self.place.json(&["show", "1", "--json"]), self.seed);
        let left = living(self.place.path());
        assert!(left.is_empty(), "seed {}: the run has ended, and these live: {left:#?}", self.seed);
    }
}

fn is_success(event: &Value) -> bool {
    event["event"] == "task-ended" && event["outcome"] == "success"
}

fn lay_out(place: &Place, seed: u64) {
    let flow = flow::random(seed);
    place.write("flow.json", serde_json::to_vec_pretty(&flow.document).expect("plain data"));
    for (name, document) in flow.sub_flows {
        place.write(&name, document.to_string());
    }
}

/// What the run yields when nobody disturbs it.
fn undisturbed(seed: u64) -> Value {
    let place = Place::new();
    lay_out(&place, seed);
    let ended = place.run(&["run", "flow.json", "--json", "-j", AT_ONCE]);
    assert_eq!(ended.code, Some(0), "seed {seed}: {}\n{}", ended.stderr, ended.stdout);
    let journal = place.journal();
    Case { seed, journal: &journal, told: &[ended.tasks("success").into_iter().collect()] }.judge();
    ended.output()
}

fn every_task_has_succeeded(shown: &Value, seed: u64) {
    assert_eq!(shown["state"], "succeeded", "seed {seed}");
    for task in shown["tasks"].as_array().expect("a run has tasks") {
        assert_eq!(task["state"], "success", "seed {seed}: {task}");
    }
    for child in shown["children"].as_array().expect("a list") {
        every_task_has_succeeded(child, seed);
    }
}

#[test]
fn if_the_host_is_killed_a_terminal_that_has_joined_takes_over_and_finishes() {
    for seed in 100..100 + number("KILL9_TAKEOVERS", 3) as u64 {
        let place = Place::new();
        lay_out(&place, seed);
        place.write("other.json", other_flow().to_string());
        let host = place.start(&["run", "flow.json", "--json", "-j", AT_ONCE]);
        wait_for("the host", || place.state().join("host.sock").exists().then_some(()));
        let second = place.start(&["run", "other.json", "--json"]);
        wait_for("both runs", || {
            let journal = place.journal();
            let is = |name: &str| in_flight(&journal).iter().any(|attempt| attempt.task.starts_with(name));
            (is("t") && is("other")).then_some(())
        });
        let third = place.start(&["resume", "1", "--json"]);
        wait_for("the third terminal", || (!third.events().is_empty()).then_some(()));
        assert_eq!(place.json(&["status", "--json"])["status"]["pid"], host.pid());

        let told_before = kill_and_look(&place, host);
        let (second, third) = (second.wait(), third.wait());
        assert_eq!(second.code, Some(0), "seed {seed}: {}", second.stderr);
        assert_eq!(third.code, Some(0), "seed {seed}: {}", third.stderr);
        assert_eq!(third.output(), undisturbed(seed), "seed {seed}: another output");
        let journal = place.journal();
        let told_after =
            third.tasks("success").into_iter().filter(|task| !told_before.contains(task)).collect();
        Case { seed, journal: &journal, told: &[told_before, told_after] }.judge();
    }
}

/// Kills the host; the processes that it had are gone in time. Says what it had told.
fn kill_and_look(place: &Place, host: Terminal) -> BTreeSet<String> {
    let alive: Vec<Process> = living(place.path());
    let ended = host.kill();
    let killed = Instant::now();
    note(place.path(), &Line::Kill);
    while alive.iter().any(Process::lives) {
        assert!(killed.elapsed() < GONE_WITHIN, "still alive: {alive:#?}");
        std::thread::sleep(Duration::from_millis(1));
    }
    ended.tasks("success").into_iter().collect()
}

/// Long enough to be there when the host is killed, and in want of the same locks.
fn other_flow() -> Value {
    let work =
        |ms: &str| serde_json::json!(["./task", "work", "--children", "--ms", ms, "--alone", "shared:0"]);
    serde_json::json!({
        "name": "other",
        "tasks": {
            "other1": { "run": work("200"), "locks": ["file:shared/0"] },
            "other2": { "run": work("200"), "locks": ["file:shared/0"] },
            "other3": { "run": work("200"), "locks": ["file:shared/0"], "needs": ["other1", "other2"] },
        },
    })
}
