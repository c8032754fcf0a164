//! A state directory that is damaged, read-only, or on a disk that is full: a clear word and an exit code, never a
//! panic, and work goes on when there is room again.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use partitur_tests::{Dice, Ended, Place, Terminal, number, wait_for};
use serde_json::json;

/// The exit codes that have a meaning for users; the last one says that the state cannot be used.
const KNOWN: std::ops::RangeInclusive<i32> = 0..=7;
const STATE: Option<i32> = Some(7);

/// Every command that reads or writes the state.
const COMMANDS: &[&[&str]] = &[
    &["runs"],
    &["show", "1"],
    &["show", "1", "--json"],
    &["logs", "1"],
    &["status"],
    &["cancel", "2"],
    &["resume", "2", "-q"],
    &["run", "flow.json", "-q"],
];

/// It may fail, but in words, and with a code that is documented.
fn assert_civil(ended: &Ended, what: &str) {
    let known = ended.code.is_some_and(|code| KNOWN.contains(&code));
    assert!(known, "{what}: exit code {:?}: {}", ended.code, ended.stderr);
    assert!(!ended.stderr.contains("panicked"), "{what}: {}", ended.stderr);
    if matches!(ended.code, Some(2..=7)) {
        assert!(ended.stderr.contains("error"), "{what}: it failed without a word");
    }
}

fn flow(tasks: usize) -> String {
    let mut all = json!({});
    for index in 0..tasks {
        let needs: Vec<String> =
            index.checked_sub(1).map(|before| format!("t{before}")).into_iter().collect();
        all[format!("t{index}")] = json!({ "run": ["./task", "work", "--list", "300"], "needs": needs });
    }
    json!({ "name": "chain", "tasks": all }).to_string()
}

/// A state with a run that has ended and one that was killed.
fn used_state() -> Place {
    let place = Place::new();
    place.write("flow.json", flow(6));
    assert_eq!(place.run(&["run", "flow.json", "-q"]).code, Some(0));
    let host = place.start(&["run", "flow.json", "--json"]);
    wait_for("something finished", || {
        host.events().iter().any(|event| event["event"] == "task-ended").then_some(())
    });
    host.kill();
    place
}

fn copy_state(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a state").flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_state(&source, &target);
        } else if source.is_file() {
            std::fs::copy(&source, &target).expect("a file");
        }
    }
}

/// The same state again, in another place.
fn copy(used: &Place) -> Place {
    let place = Place::new();
    place.write("flow.json", flow(6));
    copy_state(&used.state(), &place.state());
    place
}

/// What is still in the log goes to the database itself, so that damage to either is met.
fn all_in_one_file(place: &Place) {
    let script =
        "import sqlite3; sqlite3.connect('.partitur/partitur.db').execute('PRAGMA wal_checkpoint(TRUNCATE)')";
    let mut python = Command::new("python3");
    python.args(["-c", script]).current_dir(place.path());
    assert_eq!(Terminal::start(python).wait().code, Some(0));
}

fn edit(file: PathBuf, change: impl FnOnce(&mut Vec<u8>)) {
    if let Ok(mut bytes) = std::fs::read(&file) {
        change(&mut bytes);
        std::fs::write(file, bytes).expect("a file");
    }
}

#[test]
fn a_damaged_database_gives_a_clear_error_and_never_a_panic() {
    let used = used_state();
    let mut codes = std::collections::BTreeMap::new();
    for seed in 0..number("DAMAGE_SEEDS", 16) as u64 {
        let mut dice = Dice::new(seed);
        let place = copy(&used);
        if dice.once_in(2) {
            all_in_one_file(&place);
        }
        let file = ["partitur.db", "partitur.db-wal"][dice.below(2)];
        edit(place.state().join(file), |bytes| match dice.below(3) {
            _ if bytes.is_empty() => {}
            0 => bytes.truncate(dice.below(bytes.len())),
            1 => (0..dice.between(1, 400)).for_each(|_| {
                let at = dice.below(bytes.len());
                bytes[at] ^= 1 << dice.below(8);
            }),
            _ => {
                let (at, length) = (dice.below(bytes.len()), dice.between(100, 9000));
                bytes.iter_mut().skip(at).take(length).for_each(|byte| *byte = dice.roll() as u8);
            }
        });
        for command in COMMANDS {
            let ended = place.run(command);
            assert_civil(&ended, &format!("seed {seed}, {command:?}"));
            *codes.entry(ended.code).or_insert(0) += 1;
        }
    }
    println!("exit codes: {codes:?}");
}

#[test]
fn what_is_no_database_of_ours_is_refused_with_a_code_and_a_remedy() {
    let used = used_state();
    let garbage = |bytes: &mut Vec<u8>| *bytes = vec![b'x'; 40_000];
    let empty_of_another = |bytes: &mut Vec<u8>| bytes[68..72].copy_from_slice(&[1, 2, 3, 4]);
    for (what, change) in [("garbage", garbage as fn(&mut Vec<u8>)), ("another program's", empty_of_another)]
    {
        let place = copy(&used);
        all_in_one_file(&place);
        edit(place.state().join("partitur.db"), change);
        for command in [&["run", "flow.json"][..], &["runs"], &["resume", "2"]] {
            let ended = place.run(command);
            assert_eq!(ended.code, STATE, "{what}, {command:?}: {}", ended.stderr);
            assert!(ended.stderr.contains("error[P05"), "{what}, {command:?}: {}", ended.stderr);
            assert!(ended.stderr.contains("hint:"), "{what}, {command:?}: {}", ended.stderr);
        }
    }
}

/// Somebody to whom nothing belongs, for whom permissions count even if the tests are root's.
const NOBODY: u32 = 65_534;

#[test]
fn a_directory_that_may_not_be_written_to_is_named_in_the_error() {
    let place = Place::new();
    place.write("flow.json", flow(1));
    // A place that nobody may enter would be another error.
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o555)).expect("it is ours");
    let ended = as_nobody(&place, &["run", "flow.json"]);
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).expect("it is ours");
    assert_eq!(ended.code, STATE, "{}", ended.stderr);
    assert!(ended.stderr.contains("error[P0511]"), "{}", ended.stderr);
    assert!(ended.stderr.contains(".partitur") && ended.stderr.contains("hint:"), "{}", ended.stderr);

    // The directory is there, and was somebody else's.
    assert_eq!(place.run(&["run", "flow.json", "-q"]).code, Some(0));
    set_all(&place.state(), 0o555, 0o444);
    for command in COMMANDS {
        assert_civil(&as_nobody(&place, command), &format!("{command:?}"));
    }
    let ended = as_nobody(&place, &["run", "flow.json"]);
    assert_eq!(ended.code, STATE, "{}", ended.stderr);
    assert!(ended.stderr.contains("error[P05"), "{}", ended.stderr);
    set_all(&place.state(), 0o755, 0o644);
}

fn as_nobody(place: &Place, arguments: &[&str]) -> Ended {
    let command = place.command(arguments);
    if rustix::process::geteuid().is_root() {
        // The binary may lie where nobody may go. Copied by another process: while this one had the copy open, no test
        // beside this one could start anything without keeping it busy.
        let reachable = place.path().join("partitur");
        if !reachable.exists() {
            let copied = Command::new("cp").arg(command.get_program()).arg(&reachable).status();
            assert!(copied.expect("cp is there").success());
        }
        let program = reachable.to_str().expect("plain");
        let mut again = on(program, &[], &command, command.get_args());
        again.uid(NOBODY).gid(NOBODY);
        return Terminal::start(again).wait();
    }
    Terminal::start(command).wait()
}

fn set_all(dir: &Path, of_dirs: u32, of_files: u32) {
    std::fs::set_permissions(dir, PermissionsExt::from_mode(0o755)).expect("it is ours");
    for entry in std::fs::read_dir(dir).expect("a directory").flatten() {
        if entry.path().is_dir() {
            set_all(&entry.path(), of_dirs, of_files);
        } else {
            std::fs::set_permissions(entry.path(), PermissionsExt::from_mode(of_files)).expect("it is ours");
        }
    }
    std::fs::set_permissions(dir, PermissionsExt::from_mode(of_dirs)).expect("it is ours");
}

/// A document of which the state needs some hundred thousand bytes.
const BULKY: usize = 40;

#[test]
fn when_files_may_not_grow_the_run_waits_says_so_and_goes_on_when_they_may() {
    let place = Place::new();
    place.write("flow.json", flow(BULKY));
    let mut command = place.command(&["run", "flow.json", "--json"]);
    // SAFETY: one system call.
    unsafe { command.pre_exec(|| limit_files(0, 260_000)) };
    let terminal = Terminal::start(command);
    let trouble = wait_for("trouble", || trouble(&place, &place.state()));
    assert!(trouble.contains("the disk refuses to write"), "{trouble}");
    limit_files(terminal.pid() as i32, libc::RLIM_INFINITY).expect("it is our child");
    assert_every_task_ran_once(&place, &terminal.wait());
}

#[test]
fn where_there_is_no_room_for_a_state_or_a_document_nothing_is_started() {
    let mut dice = Dice::new(7);
    let noise: String = (0..20_000).map(|_| format!("{:016x}", dice.roll())).collect();
    // Neither does the state fit, then it does, but not what is submitted.
    for (limit, description) in [(40_000, ""), (200_000, noise.as_str())] {
        let place = Place::new();
        let task = json!({ "description": description, "run": ["./task", "work"] });
        place.write("flow.json", json!({ "tasks": { "only": task } }).to_string());
        let mut command = place.command(&["run", "flow.json"]);
        // SAFETY: one system call.
        unsafe { command.pre_exec(move || limit_files(0, limit)) };
        let refused = Terminal::start(command).wait();
        assert_eq!(refused.code, STATE, "{limit}: {}", refused.stderr);
        assert!(refused.stderr.contains("error[P0503]"), "{limit}: {}", refused.stderr);
        assert!(refused.stderr.contains("hint:"), "{limit}: {}", refused.stderr);
        assert!(place.journal().is_empty(), "nothing has been started");
    }
}

/// No file of a process may grow beyond this; zero is the process itself.
fn limit_files(pid: i32, bytes: u64) -> std::io::Result<()> {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the limit is a local that is only read, and nothing is written for the null pointer.
    match unsafe { libc::prlimit(pid, libc::RLIMIT_FSIZE, &limit, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// What the host of a state directory complains of.
fn trouble(place: &Place, state: &Path) -> Option<String> {
    let status = place.run(&["status", "--json", "--state-dir", state.to_str().expect("plain")]);
    let status: serde_json::Value = serde_json::from_str(&status.stdout).ok()?;
    let health = status["status"]["health"].as_str()?.to_owned();
    (health != "ok").then_some(health)
}

fn assert_every_task_ran_once(place: &Place, ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("nothing is lost"), "{}", ended.stderr);
    assert!(ended.stderr.contains("the disk writes again"), "{}", ended.stderr);
    assert_eq!(ended.tasks("success").len(), BULKY);
    assert_eq!(place.journal().len(), 2 * BULKY, "each task ran once");
}

#[test]
fn when_the_disk_is_full_the_run_waits_says_so_and_goes_on_when_there_is_room() {
    let place = Place::new();
    place.write("flow.json", flow(BULKY));
    std::fs::create_dir(place.state()).expect("a directory");
    let script = "mount -t tmpfs -o size=3m none .partitur || exit 99
head -c 2600k /dev/zero > .partitur/ballast
exec \"$@\"";
    let partitur = place.command(&["run", "flow.json", "--json"]);
    let inner = std::iter::once(partitur.get_program()).chain(partitur.get_args());
    let mut terminal = Terminal::start(on("unshare", &["-rm", "sh", "-c", script, "sh"], &partitur, inner));
    // The file system that only that process sees.
    let inside = PathBuf::from(format!("/proc/{}/root{}", terminal.pid(), place.state().display()));
    let found = wait_for("trouble", || match terminal.has_ended() {
        true => Some(None),
        false => trouble(&place, &inside).map(Some),
    });
    let Some(trouble) = found else {
        let ended = terminal.wait();
        assert!(ended.code != Some(0), "there was room enough");
        let may_not = ended.code == Some(99) || ended.stderr.contains("unshare");
        assert!(may_not, "{:?}: {}", ended.code, ended.stderr);
        println!("no file system can be mounted here: a limit on the size of files has to do");
        return;
    };
    assert!(trouble.contains("the disk is full"), "{trouble}");
    std::fs::remove_file(inside.join("ballast")).expect("it is ours");
    assert_every_task_ran_once(&place, &terminal.wait());
}

/// Another program with these arguments, in the place and with the environment of a command.
fn on<'a>(
    program: &str,
    arguments: &[&str],
    like: &Command,
    more: impl IntoIterator<Item = &'a OsStr>,
) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).args(more);
    command.current_dir(like.get_current_dir().expect("it has a place"));
    for (name, value) in like.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}
