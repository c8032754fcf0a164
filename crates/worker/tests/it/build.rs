//! Tasks that declare what they read and write are executed only if something has changed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use partitur_model::dispatch::{BuildRequest, Dispatch, Ending};
use partitur_worker::build::{BuildContext, Nothing, Remains, Seal, Standing, Verdict, build_dir};
use partitur_worker::log::Stream;
use partitur_worker::{Options, WorkerEvent};

use crate::harness::{Harness, failure, output};

/// A directory with a tree and the state beside it; each harness is another start in it.
struct Tree {
    home: tempfile::TempDir,
}

impl Tree {
    fn new() -> Tree {
        let tree = Tree { home: tempfile::tempdir().unwrap() };
        fs::write(tree.path("in"), "1").unwrap();
        tree
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.home.path().join(name)
    }

    fn dir(&self) -> std::path::PathBuf {
        build_dir(&self.path(".partitur"), self.home.path())
    }

    fn start(&self) -> Harness {
        self.start_with(false, &[])
    }

    fn start_with(&self, force: bool, env: &[(&str, &str)]) -> Harness {
        let mut harness = Harness::within(Options::default(), self.home.path(), env);
        let context = BuildContext { dir: self.dir(), name: "flow".into(), force, only: None };
        harness.executor.build_incrementally(harness.run, context);
        harness
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// How often scripts that end in `; echo run >> runs` were executed.
    fn runs(&self) -> usize {
        self.read("runs").lines().count()
    }
}

fn task(harness: &mut Harness, path: &str, script: &str, reads: &[&str], writes: &[&str]) -> Dispatch {
    let mut dispatch = harness.script(&format!("set -e; echo run >> runs; {script}"));
    let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
    dispatch.path = path.into();
    dispatch.build = Some(BuildRequest::default());
    (dispatch.reads, dispatch.writes) = (texts(reads), texts(writes));
    dispatch
}

const COPY: &str = "echo talk >&2; cp in out; echo '{\"a\":0.10}'";

fn copy(harness: &mut Harness) -> Ending {
    let dispatch = task(harness, "copy", COPY, &["in"], &["out"]);
    harness.run(dispatch)
}

/// The last decision: what, and why.
fn decided(harness: &Harness) -> (Verdict, String) {
    let decision = harness.events.iter().rev().find_map(|event| match event {
        WorkerEvent::Decided { decision, .. } => Some(decision),
        WorkerEvent::Report(_)
        | WorkerEvent::Output { .. }
        | WorkerEvent::Woken
        | WorkerEvent::Readable(_) => None,
    });
    let decision = decision.expect("something was decided");
    let reasons: Vec<String> = decision.reasons.iter().map(ToString::to_string).collect();
    (decision.verdict, reasons.join("; "))
}

#[test]
fn what_is_up_to_date_is_not_executed_and_its_result_and_output_are_those_of_before() {
    let tree = Tree::new();
    let mut harness = tree.start();
    let first = copy(&mut harness);
    assert_eq!(decided(&harness), (Verdict::Runs, "no success of it is known".into()));
    drop(harness);
    let mut harness = tree.start();
    let second = copy(&mut harness);
    assert_eq!(decided(&harness), (Verdict::UpToDate, String::new()));
    assert_eq!((first.cached, second.cached, tree.runs()), (false, true, 1));
    assert_eq!(output(&first), output(&second));
    assert_eq!(harness.logged(1, Stream::Stdout), b"{\"a\":0.10}\n");
    assert_eq!(harness.logged(1, Stream::Stderr), b"talk\n");
}

#[test]
fn what_changes_is_named_and_touching_a_file_changes_nothing() {
    let tree = Tree::new();
    let mut harness = tree.start();
    copy(&mut harness);
    fs::write(tree.path("in"), "1").unwrap();
    assert!(copy(&mut harness).cached, "written anew with the same content");
    fs::write(tree.path("in"), "2").unwrap();
    copy(&mut harness);
    assert_eq!(decided(&harness), (Verdict::Runs, "in changed".into()));
    fs::set_permissions(tree.path("in"), fs::Permissions::from_mode(0o755)).unwrap();
    copy(&mut harness);
    assert_eq!(decided(&harness), (Verdict::Runs, "in changed".into()));
    fs::remove_file(tree.path("in")).unwrap();
    assert_eq!(failure(&copy(&mut harness)).0, "exit-1");
    assert_eq!(decided(&harness), (Verdict::Runs, "in changed".into()));
    let other = task(&mut harness, "copy", "touch out", &["in"], &["out"]);
    harness.run(other);
    assert_eq!(decided(&harness), (Verdict::Runs, "its command changed; in changed".into()));
}

#[test]
fn missing_and_altered_outputs_are_brought_back_with_their_modes() {
    let tree = Tree::new();
    let mut harness = tree.start();
    let script = "cp in out; chmod 750 out; mkdir -p deep/er; echo x > deep/er/file; ln -sf out deep/link";
    let run = |harness: &mut Harness| {
        let dispatch = task(harness, "make", script, &["in"], &["out", "deep"]);
        harness.run(dispatch).cached
    };
    assert!(!run(&mut harness));
    fs::remove_file(tree.path("out")).unwrap();
    fs::remove_dir_all(tree.path("deep")).unwrap();
    assert!(run(&mut harness));
    let back = "deep was brought back; deep/er/file was brought back; deep/link was brought back; out was brought back";
    assert_eq!(decided(&harness), (Verdict::Restored, back.into()));
    assert_eq!(fs::metadata(tree.path("out")).unwrap().permissions().mode() & 0o777, 0o750);
    assert_eq!(fs::read_link(tree.path("deep/link")).unwrap(), std::path::Path::new("out"));
    assert_eq!(tree.read("deep/er/file"), "x\n");
    fs::write(tree.path("out"), "2").unwrap();
    assert!(run(&mut harness));
    assert_eq!((tree.read("out"), tree.runs()), ("1".into(), 1));
    fs::remove_dir_all(tree.path(".partitur/build/objects")).unwrap();
    fs::remove_file(tree.path("out")).unwrap();
    assert!(!run(&mut harness));
    assert_eq!(decided(&harness), (Verdict::Runs, "out is missing".into()));
}

#[test]
fn whoever_goes_back_to_what_was_before_gets_what_there_was_before() {
    let tree = Tree::new();
    let mut harness = tree.start();
    for content in ["1", "2", "3"] {
        fs::write(tree.path("in"), content).unwrap();
        copy(&mut harness);
    }
    fs::write(tree.path("in"), "1").unwrap();
    assert!(copy(&mut harness).cached);
    assert_eq!((decided(&harness).0, tree.read("out"), tree.runs()), (Verdict::Restored, "1".into(), 3));
}

#[test]
fn files_that_come_to_a_glob_and_go_from_it_count_and_those_of_its_own_do_not() {
    let tree = Tree::new();
    fs::create_dir(tree.path("src")).unwrap();
    fs::write(tree.path("src/a.c"), "a").unwrap();
    let mut harness = tree.start();
    let run = |harness: &mut Harness| {
        let dispatch = task(harness, "all", "cat src/*.c > src/all.out", &["src/*"], &["src/all.out"]);
        harness.run(dispatch);
        decided(harness).1
    };
    assert_eq!(run(&mut harness), "no success of it is known");
    assert_eq!(run(&mut harness), "");
    fs::write(tree.path("src/b.c"), "b").unwrap();
    assert_eq!(run(&mut harness), "src/b.c is new");
    fs::remove_file(tree.path("src/a.c")).unwrap();
    assert_eq!(run(&mut harness), "src/a.c is gone");
    fs::write(tree.path("src/b.c"), "c").unwrap();
    assert_eq!(run(&mut harness), "src/b.c changed");
    assert_eq!((run(&mut harness).as_str(), tree.read("src/all.out").as_str()), ("", "c"));
}

#[test]
fn a_failure_is_not_known_and_neither_is_the_success_that_it_tried_to_repeat() {
    let tree = Tree::new();
    let mut harness = tree.start();
    copy(&mut harness);
    drop(harness);
    // Asked for, and this time it fails half way.
    let mut harness = tree.start_with(true, &[]);
    fs::create_dir(tree.path("bin")).unwrap();
    let dispatch = task(&mut harness, "copy", COPY, &["in"], &["out"]);
    let attempt = dispatch.attempt;
    fs::remove_file(tree.path("out")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, tree.path("out"), rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    harness.executor.start(dispatch);
    harness.wait_until(|events| events.iter().any(|event| matches!(event, WorkerEvent::Decided { .. })));
    harness.executor.stop(attempt);
    assert!(harness.wait(attempt).result.is_err());
    drop(harness);
    fs::remove_file(tree.path("out")).unwrap();
    let mut harness = tree.start();
    assert!(!copy(&mut harness).cached);
    assert_eq!(decided(&harness).1, "no success of it is known");
}

#[test]
fn variables_that_a_script_names_and_programs_that_it_uses_count() {
    let tree = Tree::new();
    let tool = tree.path("tool");
    let install = |content: &str| {
        fs::write(&tool, content).unwrap();
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    };
    install("#!/bin/sh\ncp in out\n");
    let run = |value: &str| {
        let mut harness = tree.start_with(false, &[("MODE", value), ("OTHER", value)]);
        let dispatch = task(&mut harness, "t", "MODE=$MODE ./tool", &["in"], &["out"]);
        harness.run(dispatch);
        decided(&harness).1
    };
    assert_eq!(run("a"), "no success of it is known");
    assert_eq!(run("a"), "");
    assert_eq!(run("b"), "$MODE changed");
    install("#!/bin/sh\ncp in out;\n");
    assert_eq!(run("b"), "the program tool changed");
}

#[test]
fn a_predecessor_that_yields_and_writes_the_same_changes_nothing() {
    let tree = Tree::new();
    let mut harness = tree.start();
    let run = |harness: &mut Harness| {
        let first = task(harness, "first", "cut -c1 in > cut", &["in"], &["cut"]);
        let first = harness.run(first);
        let mut second = task(harness, "second", "echo done > out", &["other"], &["out"]);
        second.build.as_mut().unwrap().results = vec![("first".into(), output(&first))];
        harness.run(second);
        decided(harness)
    };
    assert_eq!(run(&mut harness).0, Verdict::Runs);
    fs::write(tree.path("in"), "1 and more").unwrap();
    assert_eq!((run(&mut harness).0, tree.runs()), (Verdict::UpToDate, 3), "only the first was executed");
    fs::write(tree.path("in"), "2").unwrap();
    assert_eq!(run(&mut harness), (Verdict::Runs, "first wrote something else".into()));
}

#[test]
fn a_success_expires_a_declared_key_is_all_that_counts_and_force_is_force() {
    let tree = Tree::new();
    let mut harness = tree.start();
    let run = |harness: &mut Harness, ttl: Option<Duration>, key: Option<&str>| {
        let mut dispatch = task(harness, "t", "cp in out", &["in"], &["out"]);
        *dispatch.build.as_mut().unwrap() =
            BuildRequest { ttl, key: key.map(str::to_owned), results: Vec::new() };
        harness.run(dispatch);
        decided(harness).1
    };
    run(&mut harness, Some(Duration::from_millis(1)), None);
    std::thread::sleep(Duration::from_millis(5));
    assert_eq!(run(&mut harness, None, None), "its result is too old");
    assert_eq!(run(&mut harness, None, None), "");
    run(&mut harness, None, Some("1"));
    fs::write(tree.path("in"), "2").unwrap();
    assert_eq!(run(&mut harness, None, Some("1")), "");
    assert_eq!(run(&mut harness, None, Some("2")), "its key changed");
    let context = BuildContext { dir: tree.dir(), name: "flow".into(), force: true, only: None };
    harness.executor.build_incrementally(harness.run, context);
    assert_eq!(run(&mut harness, None, Some("2")), "asked for");
}

#[test]
fn what_reads_a_pipe_is_executed_each_time_and_nobody_hangs() {
    let tree = Tree::new();
    rustix::fs::mkfifoat(rustix::fs::CWD, tree.path("pipe"), rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let mut harness = tree.start();
    for _ in 0..2 {
        let dispatch = task(&mut harness, "t", "true", &["pipe"], &["out"]);
        assert!(!harness.run(dispatch).cached);
        assert!(
            decided(&harness).1.starts_with("what it depends on cannot be read: pipe"),
            "{:?}",
            decided(&harness)
        );
    }
}

fn seal() -> Seal {
    Seal::of(&[b"document"])
}

fn nothing(tree: &Tree, named: Option<&str>) -> Option<Nothing> {
    let variable = |name: &std::ffi::OsStr| match name.to_str() {
        Some("NAMED") => named.map(Into::into),
        Some(_) | None => std::env::var_os(name),
    };
    Nothing::look(&tree.dir(), tree.home.path(), seal(), variable)
}

/// A run of two tasks, sealed.
fn sealed(tree: &Tree) -> bool {
    let mut harness = tree.start();
    let copied = task(&mut harness, "copy", "cp in mid", &["in"], &["mid"]);
    harness.run(copied);
    let all = task(&mut harness, "all", "cat mid src/*.c > out; : $NAMED", &["mid", "src/*.c"], &["out"]);
    let all_cached = harness.run(all).cached;
    harness.executor.seal(harness.run, seal(), Some("5".into()));
    harness.executor.leave_run(harness.run);
    all_cached
}

#[test]
fn a_sealed_run_need_not_begin_again_until_anything_at_all_changes() {
    let tree = Tree::new();
    fs::create_dir(tree.path("src")).unwrap();
    fs::write(tree.path("src/a.c"), "a").unwrap();
    sealed(&tree);
    let found = nothing(&tree, None).expect("nothing has to be done");
    assert_eq!((found.tasks, found.output.as_deref()), (2, Some("5")));
    assert_eq!(nothing(&tree, Some("")), None, "a variable that a script names");
    assert!(
        Nothing::look(&tree.dir(), tree.home.path(), Seal::of(&[b"docu", b"ment"]), |_| None).is_none(),
        "another command"
    );
    let changes: [(&str, &dyn Fn()); 6] = [
        ("an input", &|| fs::write(tree.path("in"), "2").unwrap()),
        ("a result between", &|| fs::write(tree.path("mid"), "3").unwrap()),
        ("an output", &|| fs::remove_file(tree.path("out")).unwrap()),
        ("a new file for a glob", &|| fs::write(tree.path("src/b.c"), "b").unwrap()),
        ("one file fewer", &|| fs::remove_file(tree.path("src/b.c")).unwrap()),
        ("a mode", &|| fs::set_permissions(tree.path("in"), fs::Permissions::from_mode(0o700)).unwrap()),
    ];
    for (what, change) in changes {
        change();
        assert_eq!(nothing(&tree, None), None, "{what}");
        sealed(&tree);
        assert!(nothing(&tree, None).is_some(), "{what}, and built again");
    }
    fs::write(tree.path("src/other.txt"), "").unwrap();
    assert_eq!(nothing(&tree, None), None, "the directory has changed: all tasks are asked");
    assert!(sealed(&tree), "and they are up to date");
    assert!(nothing(&tree, None).is_some());
}

#[test]
fn a_run_with_a_task_that_always_runs_is_not_sealed() {
    let tree = Tree::new();
    let mut harness = tree.start();
    copy(&mut harness);
    harness.sh("true");
    harness.executor.seal(harness.run, seal(), None);
    harness.executor.leave_run(harness.run);
    drop(harness);
    assert_eq!(nothing(&tree, None), None);
}

#[test]
fn what_tasks_have_left_is_told_apart_from_what_somebody_has_changed() {
    let tree = Tree::new();
    let mut harness = tree.start();
    copy(&mut harness);
    let dir = task(&mut harness, "dir", "mkdir -p d; echo 1 > d/a; echo 2 > d/b", &["in"], &["d"]);
    harness.run(dir);
    let in_place = task(&mut harness, "in-place", "echo more >> data", &["data"], &["data"]);
    harness.run(in_place);
    drop(harness);
    fs::write(tree.path("d/b"), "mine").unwrap();
    fs::write(tree.path("d/c"), "mine").unwrap();
    let mut remains = Remains::open(&tree.dir(), tree.home.path()).unwrap();
    let listed = remains.list("flow").unwrap();
    let told: Vec<(String, Standing)> =
        listed.iter().map(|remnant| (remnant.path.display().to_string(), remnant.standing)).collect();
    let expected = [
        ("d/a", Standing::AsLeft),
        ("d/b", Standing::Changed),
        ("data", Standing::Read),
        ("out", Standing::AsLeft),
        ("d", Standing::Directory),
    ];
    assert_eq!(told, expected.map(|(path, standing)| (path.to_owned(), standing)));
    assert!(remains.list("other").unwrap().is_empty());
    for remnant in listed.iter().filter(|one| matches!(one.standing, Standing::AsLeft | Standing::Directory))
    {
        remains.remove(remnant).unwrap();
    }
    assert!(!tree.path("out").exists() && !tree.path("d/a").exists() && tree.path("d/c").exists());
}
