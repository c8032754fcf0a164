//! Tasks that declare what they read and write, run again and again in one directory.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Gave, Place, until};

const FLOW: &str = "
name: demo
tasks:
  cut:
    run: echo cut >> log; cut -c1-3 in > mid
    reads: [in]
    writes: [mid]
  upper:
    needs: [cut]
    run: |
      echo upper >> log
      tr a-z A-Z < mid > out
      echo '{\"n\": 5}'
    reads: [mid]
    writes: [out]
outputs: { n: \"${upper.output.n}\" }
";

fn place() -> Place {
    let place = Place::new(FLOW);
    place.write("in", "hello\n");
    place
}

/// What is told with `--explain`, without times.
fn explained(place: &Place, args: &[&str]) -> String {
    let gave = place.expect(0, &[&["run", "flow.yaml", "--explain"], args].concat());
    gave.err.lines().filter(|line| line.starts_with("? ")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_second_run_has_nothing_to_do_and_yields_the_same() {
    let place = place();
    assert_eq!(place.expect(0, &["run", "flow.yaml"]).out, "{\"n\":5}\n");
    let again = place.expect(0, &["run", "flow.yaml"]);
    insta::assert_snapshot!(again.err, @"nothing to do: all 2 tasks are up to date, as run 1 left them");
    assert_eq!((again.out.as_str(), place.read("log").as_str()), ("{\"n\":5}\n", "cut\nupper\n"));
    let told: serde_json::Value =
        serde_json::from_str(&place.expect(0, &["run", "flow.yaml", "--json"]).out).unwrap();
    assert_eq!(
        (&told["event"], &told["tasks"], &told["output"]["n"]),
        (&"up-to-date".into(), &2.into(), &5.into())
    );
    assert_eq!(place.expect(0, &["runs"]).out.lines().count(), 2, "no run was made for it");
    place.expect(0, &["run", "flow.yaml", "--force"]);
    assert_eq!(place.read("log"), "cut\nupper\ncut\nupper\n");
}

#[test]
fn it_is_said_why_each_task_runs_or_not() {
    let place = place();
    insta::assert_snapshot!(explained(&place, &[]), @r"
    ? cut  runs: no success of it is known
    ? upper  runs: no success of it is known
    ");
    place.write("in", "help\n");
    insta::assert_snapshot!(explained(&place, &[]), @r"
    ? cut  runs: in changed
    ? upper  up to date
    ");
    std::fs::remove_file(place.path().join("out")).unwrap();
    insta::assert_snapshot!(explained(&place, &[]), @r"
    ? cut  up to date
    ? upper  restored: out was brought back
    ");
    place.write(
        "flow.yaml",
        &FLOW.replace("-c1-3", "-c1-2").replace("tasks:\n", "tasks:\n  plain: { run: 'true' }\n"),
    );
    let told = explained(&place, &[]);
    assert!(told.contains("? cut  runs: its command changed\n"), "{told}");
    assert!(told.contains("? upper  runs: mid changed, cut wrote something else\n"), "{told}");
    assert!(
        told.contains("? plain  runs: each time, for it does not declare what it reads and writes\n"),
        "{told}"
    );
    let shown = place.expect(0, &["show", "3"]).out;
    assert_eq!(shown.matches("ms  up to date").count(), 2, "{shown}");
    assert!(shown.contains("2 succeeded · 2 up to date\n"), "{shown}");
}

#[test]
fn a_rehearsal_says_what_would_run_and_changes_nothing() {
    let place = place();
    let foretold = |place: &Place| {
        let out = place.expect(0, &["run", "flow.yaml", "--dry-run", "--explain"]).out;
        out.split_once("if it ran now").expect("it is told").1.to_owned()
    };
    insta::assert_snapshot!(foretold(&place), @r"
    : 1 executed, 0 spared, 1 depends on what comes of that
      cut    runs: no success of it is known
      upper  depends on what cut produces
    ");
    assert!(!place.path().join(".partitur").exists(), "nothing is left behind");
    place.expect(0, &["run", "flow.yaml"]);
    insta::assert_snapshot!(foretold(&place), @r"
    : 0 executed, 2 spared
      cut    up to date
      upper  up to date
    ");
    std::fs::remove_file(place.path().join("out")).unwrap();
    insta::assert_snapshot!(foretold(&place), @r"
    : 0 executed, 2 spared
      cut    up to date
      upper  restored: out is missing
    ");
    assert!(!place.path().join("out").exists(), "nothing is brought back");
    place.write("in", "help\n");
    insta::assert_snapshot!(foretold(&place), @r"
    : 1 executed, 0 spared, 1 depends on what comes of that
      cut    runs: in changed
      upper  depends on what cut produces
    ");
    let told = place.expect(0, &["run", "flow.yaml", "--dry-run", "--explain", "--json"]).out;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["decisions"][1]["verdict"], "depends");
    assert_eq!(place.read("log"), "cut\nupper\n");
    // It is as was said: the result is the same, and what follows is restored.
    insta::assert_snapshot!(explained(&place, &[]), @r"
    ? cut  runs: in changed
    ? upper  restored: out was brought back
    ");
}

#[test]
fn a_rehearsal_goes_through_lists_values_and_conditions_and_over_locks() {
    let place = Place::new(
        "
name: wide
inputs: { deep: { default: false } }
tasks:
  parts: { for-each: [x, y], key: '${each.value}', run: 'cp ${each.value}.in ${each.value}.out', reads: ['${each.value}.in'], writes: ['${each.value}.out'], locks: ['file:db'] }
  join: { needs: [parts], run: 'cat x.out y.out > all', reads: [x.out, y.out], writes: [all] }
  deep: { needs: [join], when: inputs.deep, run: 'cp all deep', reads: [all], writes: [deep] }
  last: { needs: [join], run: 'cat all', locks: ['file:db'] }
  end: { needs: [last], run: 'cp all end', reads: [all], writes: [end] }
",
    );
    place.write("x.in", "1");
    place.write("y.in", "2");
    place.expect(0, &["run", "flow.yaml"]);
    let foretold = || {
        let out = place.expect(0, &["run", "flow.yaml", "--dry-run", "--explain"]).out;
        out.split_once("if it ran now").expect("it is told").1.to_owned()
    };
    insta::assert_snapshot!(foretold(), @r"
    : 1 executed, 3 spared, 1 depends on what comes of that
      parts[x]  up to date
      parts[y]  up to date
      join      up to date
      deep      left out
      last      runs: each time, for it does not declare what it reads and writes
      end       depends on what last produces
    ");
    place.write("x.in", "3");
    place.write("y.in", "4");
    insta::assert_snapshot!(foretold(), @r"
    : 2 executed, 0 spared, 4 depend on what comes of that
      parts[x]  runs: x.in changed
      parts[y]  runs: y.in changed
      join      depends on what parts produces
      deep      depends on what join produces
      last      depends on what join produces
      end       depends on what last produces
    ");
}

/// Two chains that meet, and others beside them.
fn wide() -> Place {
    let mut flow = String::from("name: wide\ntasks:\n");
    for at in 0..12 {
        flow += &format!(
            "  t{at}: {{ run: 'echo t{at} >> log; cp s{at} o{at}', reads: [s{at}], writes: [o{at}] }}\n"
        );
    }
    flow += "
  count:
    run: |
      echo count >> log
      cp s-count o-count
      echo '{\"n\": 5, \"text\": \"x\"}'
    reads: [s-count]
    writes: [o-count]
  meet:
    needs: [t0, count]
    run: echo meet >> log; echo $N > meet; cat o0 >> meet
    env: { N: '${count.output.n}' }
    reads: [o0]
    writes: [meet]
";
    let place = Place::new(&flow);
    (0..12).for_each(|at| place.write(&format!("s{at}"), &at.to_string()));
    place.write("s-count", "1");
    place.expect(0, &["run", "flow.yaml"]);
    place
}

fn log_of(place: &Place) -> Vec<String> {
    let mut lines: Vec<String> = place.read("log").lines().map(str::to_owned).collect();
    place.write("log", "");
    lines.sort();
    lines
}

#[test]
fn after_a_change_only_what_it_reaches_is_asked_about() {
    let place = wide();
    log_of(&place);
    place.write("s0", "changed");
    let gave = place.expect(0, &["run", "flow.yaml"]);
    assert!(
        gave.err.starts_with("12 of 14 tasks are up to date, and what has changed does not reach them\n"),
        "{}",
        gave.err
    );
    assert_eq!(log_of(&place), ["meet", "t0"]);
    assert_eq!(place.read("meet"), "5\nchanged");
    let again = place.expect(0, &["run", "flow.yaml"]).err;
    assert_eq!(again, "nothing to do: all 14 tasks are up to date, as run 2 left them\n");
    // What was made of it is missing; and what makes it is asked, and those that follow.
    std::fs::remove_file(place.path().join("o3")).unwrap();
    place.expect(0, &["run", "flow.yaml"]);
    assert_eq!((log_of(&place), place.read("o3")), (vec![], "3".to_owned()));
    // The run of a part failed: nothing is forgotten.
    place.write("s0", "again");
    std::fs::remove_file(place.path().join("s0")).unwrap();
    place.expect(1, &["run", "flow.yaml", "--new"]);
    place.write("s0", "again");
    place.expect(0, &["run", "flow.yaml", "--new"]);
    assert_eq!(place.read("meet"), "5\nagain");
    // Whoever asks about all of them is told about all of them.
    place.write("s1", "1 and more");
    assert_eq!(explained(&place, &["--new"]).lines().count(), 14);
}

#[test]
fn another_path_on_which_the_same_programs_are_found_changes_nothing_and_others_do() {
    let place = wide();
    log_of(&place);
    let path = std::env::var("PATH").unwrap();
    let with = |path: String| -> Gave {
        place.command(&["run", "flow.yaml"]).env("PATH", path).output().unwrap().into()
    };
    let gave = with(format!("{path}:/nowhere"));
    assert!(gave.err.starts_with("nothing to do"), "{}", gave.err);
    let own = place.path().join("bin");
    std::fs::create_dir(&own).unwrap();
    std::fs::copy("/bin/cat", own.join("cat")).unwrap();
    let gave = with(format!("{}:{path}", own.display()));
    assert!(gave.err.starts_with("13 of 14 tasks are up to date"), "{}", gave.err);
    assert_eq!(log_of(&place), ["meet"]);
}

#[test]
fn a_task_that_opts_out_and_one_that_names_its_run_are_executed_each_time() {
    let place = Place::new(
        "
name: always
tasks:
  free: { run: 'echo free >> log; cp in a', reads: [in], writes: [a], cache: false }
  named: { run: 'echo ${run.number} >> log; cp in b', reads: [in], writes: [b] }
",
    );
    place.write("in", "1");
    (0..2).for_each(|_| drop(place.expect(0, &["run", "flow.yaml", "-j", "1"])));
    let mut lines: Vec<String> = place.read("log").lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["1", "2", "free", "free"]);
}

#[test]
fn a_process_that_is_killed_while_a_task_writes_leaves_nothing_that_counts() {
    let place = Place::new(
        "
name: slow
tasks:
  write:
    run: |
      echo begun >> log
      printf half > out
      if [ -e slow ]; then touch there; sleep 30; fi
      printf whole > out
    reads: [in]
    writes: [out]
",
    );
    place.write("in", "1");
    place.expect(0, &["run", "flow.yaml"]);
    place.write("slow", "");
    place.write("in", "2");
    let run = place.start(&["run", "flow.yaml"]);
    place.await_file("there");
    run.signal(Signal::KILL);
    run.end();
    assert_eq!(place.read("out"), "half");
    std::fs::remove_file(place.path().join("slow")).unwrap();
    place.expect(0, &["run", "flow.yaml", "--new"]);
    assert_eq!(place.read("out"), "whole");
    // Killed once more, and what it read is as it was before that: the success of that time is brought back.
    place.write("slow", "");
    std::fs::remove_file(place.path().join("there")).unwrap();
    place.write("in", "3");
    let run = place.start(&["run", "flow.yaml"]);
    place.await_file("there");
    run.signal(Signal::KILL);
    run.end();
    place.write("in", "1");
    let told = explained(&place, &["--new"]);
    assert_eq!(
        (told.as_str(), place.read("out").as_str()),
        ("? write  restored: out was brought back\n", "whole")
    );
}

#[test]
fn two_terminals_at_once_leave_a_state_that_is_right() {
    let place = place();
    for round in 0..5 {
        place.write("in", &format!("{round}\n"));
        let (one, two) = (place.start(&["run", "flow.yaml"]), place.start(&["run", "flow.yaml"]));
        assert_eq!((one.end().code, two.end().code), (0, 0));
        assert_eq!(place.read("out"), format!("{round}\n"));
    }
    place.expect(0, &["run", "flow.yaml"]);
    let log = place.read("log");
    explained(&place, &[]);
    assert_eq!(place.read("log"), log, "nothing was left to be done");
}

#[test]
fn clean_removes_what_tasks_have_written_and_nothing_else() {
    let place = place();
    place.expect(0, &["run", "flow.yaml"]);
    place.write("mid", "mine");
    let would = place.expect(0, &["clean", "flow.yaml", "--dry-run"]);
    assert_eq!((would.out.as_str(), place.read("out").as_str()), ("out\n", "HEL\n"));
    let gave = place.expect(0, &["clean", "flow.yaml"]);
    insta::assert_snapshot!(gave.out + &gave.err, @r"
    out
    mid stays: it is not as `cut` left it
    1 removed, 1 changed since and kept (--force removes them)
    ");
    assert_eq!(place.expect(0, &["clean", "flow.yaml", "--force", "--cache"]).out, "mid\n");
    assert_eq!(place.read("in"), "hello\n");
    assert!(explained(&place, &[]).contains("no success of it is known"));
}

#[test]
fn what_no_task_declares_is_told_when_somebody_asks() {
    let place = Place::new(
        "
name: leaky
tasks:
  build: { run: 'mkdir -p out; echo 1 > out/a; echo 2 > tmp.txt', reads: [in], writes: [out] }
",
    );
    place.write("in", "1");
    let gave = place.expect(0, &["run", "flow.yaml", "--check-writes"]);
    let told: Vec<&str> = gave.err.lines().filter(|line| line.starts_with('!')).collect();
    assert_eq!(told, ["! tmp.txt was written, and no task declares it: while build ran"]);
}

#[test]
fn a_change_runs_what_it_affects_again_until_somebody_ends_it() {
    let place = place();
    let run = place.start(&["run", "flow.yaml", "--watch"]);
    until("the first run is over", || place.read("out") == "HEL\n");
    std::thread::sleep(Duration::from_millis(300));
    place.write("in", "world\n");
    until("the second run is over", || place.read("out") == "WOR\n");
    std::thread::sleep(Duration::from_millis(300));
    run.signal(Signal::TERM);
    let gave = run.end();
    assert_eq!(gave.code, 0, "{}", gave.err);
    let words: Vec<&str> = gave.err.lines().filter(|line| line.starts_with("──")).collect();
    assert_eq!(
        words,
        ["── watching 2 files; Ctrl-C ends", "── in changed", "── watching 2 files; Ctrl-C ends"],
        "{}",
        gave.err
    );
}

/// A stream of numbers that a seed determines.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

const SOURCES: usize = 3;

/// A task of a random graph: what it reads, and what it makes of that.
#[derive(Clone)]
struct Step {
    sources: Vec<usize>,
    needs: Vec<usize>,
    /// It keeps the first characters only, so that different inputs may yield the same.
    first: usize,
    word: usize,
}

/// A tree and its document, as somebody sees it who executes everything.
struct Model {
    steps: Vec<Step>,
    sources: [String; SOURCES],
    /// By task: from what it has succeeded, the latest last.
    known: BTreeMap<usize, Vec<String>>,
}

impl Model {
    fn new(dice: &mut Dice) -> Model {
        let count = 2 + dice.roll(4);
        let steps = (0..count).map(|at| Step {
            sources: (0..SOURCES).filter(|_| dice.roll(2) == 0).chain([at % SOURCES]).collect(),
            needs: (0..at).filter(|_| dice.roll(2) == 0).collect(),
            first: [1, 9][dice.roll(2)],
            word: 0,
        });
        Model { steps: steps.collect(), sources: ["a", "b", "c"].map(str::to_owned), known: BTreeMap::new() }
    }

    fn document(&self) -> String {
        let mut document = "name: random\ntasks:\n".to_owned();
        for (at, step) in self.steps.iter().enumerate() {
            let files = |prefix: &str, list: &[usize]| -> Vec<String> {
                list.iter().map(|index| format!("{prefix}{index}")).collect()
            };
            let reads = [files("s", &step.sources), files("o", &step.needs)].concat();
            document += &format!(
                "  t{at}: {{ needs: [{}], run: 'echo t{at} >> log; (cat {} | tr -d \"\\n\" | cut -c1-{}; echo {}) > o{at}', reads: [{}], writes: [o{at}] }}\n",
                files("t", &step.needs).join(", "),
                reads.join(" "),
                step.first,
                step.word,
                reads.join(", "),
            );
        }
        document
    }

    /// What every task makes, and which have to be executed.
    fn build(&mut self) -> (Vec<String>, Vec<String>) {
        let (mut outputs, mut executed): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        for (at, step) in self.steps.iter().enumerate() {
            let sources = step.sources.iter().map(|&index| self.sources[index].as_str());
            let text: String =
                sources.chain(step.needs.iter().map(|&index| outputs[index].as_str())).collect();
            let text = text.replace('\n', "");
            let output = format!("{}\n{}\n", text.chars().take(step.first).collect::<String>(), step.word);
            let inputs: Vec<&str> = step.sources.iter().map(|&index| self.sources[index].as_str()).collect();
            let before: Vec<&String> = step.needs.iter().map(|&index| &outputs[index]).collect();
            let from = format!("{} {inputs:?} {before:?}", step.word);
            let known = self.known.entry(at).or_default();
            if !known.contains(&from) {
                executed.push(format!("t{at}"));
            }
            known.retain(|other| *other != from);
            known.push(from);
            if known.len() > 4 {
                known.remove(0);
            }
            outputs.push(output);
        }
        (outputs, executed)
    }

    fn edit(&mut self, dice: &mut Dice, place: &Place) {
        match dice.roll(6) {
            0 | 1 => {
                let source = dice.roll(SOURCES);
                self.sources[source] = ["a", "b", "ab", "abcd"][dice.roll(4)].to_owned();
            }
            2 => self.steps.last_mut().unwrap().word = dice.roll(3),
            3 => drop(std::fs::remove_file(place.path().join(format!("o{}", dice.roll(self.steps.len()))))),
            4 => place.write(&format!("o{}", dice.roll(self.steps.len())), "altered"),
            _ => {}
        }
    }
}

#[test]
fn what_is_executed_is_what_must_be_and_the_tree_is_that_of_a_full_build() {
    for seed in 0..12 {
        let mut dice = Dice(seed);
        let mut model = Model::new(&mut dice);
        let place = Place::new("");
        for round in 0..6 {
            (0..=round.min(2)).for_each(|_| {
                if round > 0 {
                    model.edit(&mut dice, &place)
                }
            });
            (0..SOURCES).for_each(|index| place.write(&format!("s{index}"), &model.sources[index]));
            place.write("flow.yaml", &model.document());
            place.write("log", "");
            place.expect(0, &["run", "flow.yaml"]);
            let (outputs, executed) = model.build();
            let mut log: Vec<String> = place.read("log").lines().map(str::to_owned).collect();
            log.sort();
            assert_eq!(log, executed, "seed {seed}, round {round}\n{}", model.document());
            for (at, output) in outputs.iter().enumerate() {
                assert_eq!(place.read(&format!("o{at}")), *output, "seed {seed}, round {round}, o{at}");
            }
        }
    }
}
