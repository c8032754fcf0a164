//! What a process is given, and what becomes of what it gives.

use std::time::{Duration, Instant};

use partitur_model::definition::OutputMode;
use partitur_model::dispatch::{Process, Work};
use partitur_worker::log::Stream;
use partitur_worker::{Options, WorkerEvent};

use crate::harness::{Harness, failure, output};

#[test]
fn a_process_is_told_who_it_is_and_where() {
    let mut harness = Harness::new();
    std::fs::create_dir(harness.path("sub")).unwrap();
    let argv =
        ["sh", "-c", "echo $PARTITUR_RUN_ID $PARTITUR_TASK $PARTITUR_ATTEMPT $PARTITUR_TOKEN $A; pwd; cat"];
    let mut dispatch = harness.dispatch(Process {
        argv: argv.map(String::from).into(),
        dir: Some("sub".into()),
        stdin: Some("what it reads".into()),
        output: OutputMode::Lines,
        env_files: Vec::new(),
        clean_env: false,
        service: None,
    });
    dispatch.env = vec![("A".into(), "1".into()), ("A".into(), "2".into())];
    let (token, run) = (dispatch.attempt.token, harness.run);
    let ending = harness.run(dispatch);
    let here = harness.path("sub").canonicalize().unwrap();
    let expected = serde_json::json!([format!("{run} task-1 1 {token} 2"), here, "what it reads"]);
    assert_eq!(output(&ending), expected.to_string());
    let (from, to) = ending.span.unwrap();
    assert!(from <= to);
    assert!(ending.usage.rss_max > 100_000, "{:?}", ending.usage);
}

#[test]
fn nothing_is_inherited_with_a_clean_environment_and_no_descriptor_ever() {
    let mut harness = Harness::new();
    let argv = ["sh", "-c", "env | sort | cut -d= -f1; ls /proc/self/fd | wc -l"].map(String::from).into();
    let dispatch =
        harness.dispatch(Process { argv, clean_env: true, output: OutputMode::Text, ..Process::default() });
    let inherited = std::fs::File::open("/dev/null").unwrap();
    rustix::io::fcntl_setfd(&inherited, rustix::io::FdFlags::empty()).unwrap();
    let text = output(&harness.run(dispatch));
    let names = ["ATTEMPT", "OUTPUT", "PROGRESS", "RUN_ID", "TASK", "TOKEN", "WITHIN"]
        .map(|name| format!("PARTITUR_{name}\\n"));
    // Three for the streams, one with which `ls` reads the directory.
    let expected = format!("\"{}PWD\\n", names.concat());
    assert!(text.starts_with(&expected), "{text}");
    assert!(text.ends_with("\\n4\""), "{text}");
}

#[test]
fn results_come_from_the_file_or_the_last_line() {
    let mut harness = Harness::new();
    assert_eq!(output(&harness.sh("echo 'x'; echo '{\"rows\": 0.10}'")), "{\"rows\": 0.10}");
    assert_eq!(output(&harness.sh("echo '{\"a\":1}'; echo '[1, 2]' > $PARTITUR_OUTPUT")), "[1, 2]");
    assert_eq!(output(&harness.sh("echo hello")), "");
    assert_eq!(failure(&harness.sh("echo '{' > $PARTITUR_OUTPUT")).0, "output-invalid");
    assert_eq!(failure(&harness.sh_with("echo no", OutputMode::Json)).0, "output-invalid");
    assert_eq!(output(&harness.sh_with("printf '\\377\\n'", OutputMode::Text)), "\"\u{fffd}\"");
    let large = harness.sh_with("head -c 20000000 /dev/zero", OutputMode::Text);
    assert_eq!(failure(&large).0, "output-too-large");
    let large = harness.sh("head -c 20000000 /dev/zero > $PARTITUR_OUTPUT");
    assert_eq!(failure(&large).0, "output-too-large");
}

#[test]
fn failures_say_how_and_with_which_last_words() {
    let mut harness = Harness::new();
    let ending = harness.sh("echo fine; echo 'cannot open x' >&2; exit 75");
    assert_eq!(failure(&ending), ("exit-75", "exit code 75: cannot open x"));
    assert!(ending.result.unwrap_err().retriable);
    assert_eq!(failure(&harness.sh("kill -ABRT $$")), ("signal-6", "killed by SIGABRT"));
}

#[test]
fn a_process_that_cannot_be_started_says_why() {
    let mut harness = Harness::new();
    std::fs::write(harness.path("plain"), "echo").unwrap();
    std::fs::write(harness.path("script"), "#!/no/such/interpreter\n").unwrap();
    std::fs::write(harness.path("garbage"), "\0\0\0").unwrap();
    for name in ["script", "garbage"] {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(harness.path(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let long = "x".repeat(200_000);
    let table: [(&[&str], Option<&str>, &str, &str); 10] = [
        (&[], None, "start-not-found", "there is no program to start: the command is empty"),
        (&["no-such-program"], None, "start-not-found", "program `no-such-program` not found on PATH"),
        (&["./missing"], None, "start-not-found", "program `./missing` does not exist"),
        (&["./plain"], None, "start-permission", "permission denied: `./plain` is not executable"),
        (&["./script"], None, "start-interpreter", "the interpreter that `./script` names does not exist"),
        (
            &["./garbage"],
            None,
            "start-format",
            "`./garbage` is no program: a script begins with a line such as `#!/bin/sh`",
        ),
        (&["true"], Some("nowhere"), "start-directory", "directory `nowhere` does not exist"),
        (&["true"], Some("plain"), "start-directory", "`plain` is not a directory"),
        (&["true", "a\0b"], None, "start-argument", "an argument holds a zero byte"),
        (
            &["true", &long],
            None,
            "start-too-large",
            "arguments and environment together are larger than the system allows: use `stdin` or a file",
        ),
    ];
    for (argv, dir, code, message) in table {
        let dispatch = harness.dispatch(Process {
            argv: argv.iter().map(|&argument| argument.to_owned()).collect(),
            dir: dir.map(String::from),
            ..Process::default()
        });
        let ending = harness.run(dispatch);
        let here = format!("{}/", harness.dir.path().display());
        let (found_code, found_message) = failure(&ending);
        assert_eq!((found_code, found_message.replace(&here, "").as_str()), (code, message));
        assert!(!ending.result.unwrap_err().retriable);
    }
    assert_eq!(harness.executor.live(), 0);
}

#[test]
fn output_is_logged_by_stream_and_can_be_followed_while_it_grows() {
    let mut harness = Harness::new();
    let dispatch = harness.script("echo one; echo two >&2; read line < fifo; echo three");
    let attempt = dispatch.attempt;
    rustix::fs::mkfifoat(rustix::fs::CWD, harness.path("fifo"), rustix::fs::Mode::RWXU).unwrap();
    harness.executor.start(dispatch);
    harness.wait_until(|events| events.len() >= 2);
    assert_eq!(harness.logged(1, Stream::Stdout), b"one\n");
    assert_eq!(harness.logged(1, Stream::Stderr), b"two\n");
    std::fs::write(harness.path("fifo"), "\n").unwrap();
    let ending = harness.wait(attempt);
    assert_eq!(harness.logged(1, Stream::Stdout), b"one\nthree\n");
    let size = std::fs::metadata(harness.path("run.log")).unwrap().len();
    let span = ending.log.unwrap();
    assert_eq!((span.from, span.to), (0, size));
    assert_eq!(harness.sh("true").log, None);
}

#[test]
fn progress_is_reported_and_leaves_the_output() {
    let mut harness = Harness::new();
    let ending = harness.sh_with("echo ::progress 0.5 half; echo '[1]'", OutputMode::Json);
    assert_eq!(output(&ending), "[1]");
    assert_eq!(harness.words(), ["0.5 half"]);
    harness.events.clear();
    harness.sh("for i in 1 2 3 4 5; do echo ::progress 0.$i; sleep 0.01; done; echo ::progress 1 done");
    let words = harness.words();
    assert!(words.len() <= 4, "ten a second are enough: {words:?}");
    assert_eq!(words.last().unwrap(), "1 done");
    harness.events.clear();
    harness.sh("echo '0.25 by file' >> $PARTITUR_PROGRESS; sleep 0.2");
    assert_eq!(harness.words(), ["0.25 by file"]);
}

#[test]
fn signs_of_life_are_sent_for_a_child_unless_it_must_send_them_itself() {
    let mut harness = Harness::new();
    let mut silent = harness.script("sleep 0.5");
    silent.heartbeat = Some(Duration::from_millis(150));
    let mut own = silent.clone();
    harness.run(silent);
    let beats = harness.words().len();
    assert!((5..=10).contains(&beats), "{beats} signs of life in 0.5 s, one each 50 ms");
    harness.events.clear();
    own.heartbeat_by_child = true;
    harness.run(own);
    assert_eq!(harness.words().len(), 0);
}

#[test]
fn a_wait_for_a_file_ends_when_the_file_is_there() {
    let mut harness = Harness::new();
    let dispatch = harness.work(Work::AwaitFile { path: "later/there".into() });
    let (attempt, other) = (dispatch.attempt, harness.work(Work::AwaitFile { path: "never".into() }));
    harness.executor.start(dispatch);
    let stopped = other.attempt;
    harness.executor.start(other);
    harness.poll(Duration::from_millis(300));
    assert_eq!(harness.executor.live(), 2);
    std::fs::create_dir(harness.path("later")).unwrap();
    std::fs::write(harness.path("later/there"), "").unwrap();
    let began = Instant::now();
    assert_eq!(output(&harness.wait(attempt)), "");
    assert!(began.elapsed() < Duration::from_secs(2));
    harness.executor.stop(stopped);
    assert_eq!(failure(&harness.wait(stopped)).0, "stopped");
}

#[test]
fn secrets_come_as_private_files_and_are_masked_everywhere() {
    let secret = "tok\"en/42 x";
    let mut harness = Harness::with(Options::default(), &[("ERP_TOKEN", secret)]);
    let script = "stat -c %a $ERP_TOKEN_FILE; echo $ERP_TOKEN_FILE > where; env | grep -c SECRET_; \
                  s=$(cat $ERP_TOKEN_FILE); printf 'tok\"e'; sleep 0.1; printf 'n/42 x!\\n'; echo \"$s\" | base64; \
                  echo \"::progress 0.5 $s\"; echo \"{\\\"k\\\": \\\"tok\\\\\\\"en/42 x\\\"}\" > $PARTITUR_OUTPUT; \
                  echo \"bad: $s\" >&2";
    let mut good = harness.script(script);
    good.secrets = vec!["erp-token".into()];
    let mut bad = harness.script(&format!("{script}; exit 3"));
    bad.secrets = good.secrets.clone();
    let mut unknown = harness.script("true");
    unknown.secrets = vec!["other".into()];
    assert_eq!(output(&harness.run(good)), "{\"k\": \"***\"}");
    assert_eq!(failure(&harness.run(bad)), ("exit-3", "exit code 3: bad: ***"));
    assert_eq!(failure(&harness.run(unknown)).0, "secret-missing");
    let shown = String::from_utf8(harness.logged(1, Stream::Stdout)).unwrap();
    assert!(shown.starts_with("600\n0\n***!\n***"), "{shown}");
    assert_eq!(harness.words(), ["0.5 ***", "0.5 ***"]);
    let everything = format!("{:?}", harness.events);
    assert!(!everything.contains("en/42") && !everything.contains("dG9rImVuLzQy"), "{everything}");
    let file = std::fs::read_to_string(harness.path("where")).unwrap();
    assert!(!std::path::Path::new(file.trim()).exists(), "the file goes with the attempt");
}

#[test]
fn an_owner_is_woken_from_other_threads_and_by_its_own_descriptors() {
    let mut harness = Harness::new();
    let waker = harness.executor.waker();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        waker.wake();
        waker.wake();
    });
    harness.executor.poll(None, &mut harness.events).unwrap();
    thread.join().unwrap();
    assert_eq!(harness.events[0], WorkerEvent::Woken);
    harness.poll(Duration::from_millis(1));
    harness.events.clear();
    let (ours, theirs) = rustix::pipe::pipe().unwrap();
    harness.executor.watch_fd(std::os::fd::AsFd::as_fd(&ours), 42).unwrap();
    harness.poll(Duration::from_millis(1));
    assert_eq!(harness.events, []);
    rustix::io::write(&theirs, b"x").unwrap();
    harness.poll(Duration::from_secs(5));
    assert_eq!(harness.events, [WorkerEvent::Readable(42)]);
    harness.executor.unwatch_fd(42);
    harness.events.clear();
    harness.poll(Duration::from_millis(1));
    assert_eq!(harness.events, []);
}
