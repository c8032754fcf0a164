//! A terminal in which `partitur` was started.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::wait_for;

/// A started process, of which every line of output is kept as it comes.
pub struct Terminal {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    stdout: Option<JoinHandle<()>>,
    stderr: Option<JoinHandle<String>>,
}

/// How it ended, and what it said.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The exit code; nothing if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Terminal {
    /// Starts a command.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(mut command: Command) -> Terminal {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command starts");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let stdout = child.stdout.take().expect("it is piped");
        let mut stderr = child.stderr.take().expect("it is piped");
        let kept = lines.clone();
        Terminal {
            child,
            lines,
            stdout: Some(std::thread::spawn(move || keep(stdout, &kept))),
            stderr: Some(std::thread::spawn(move || {
                let mut bytes = Vec::new();
                let _ = stderr.read_to_end(&mut bytes);
                String::from_utf8_lossy(&bytes).into_owned()
            })),
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_some()
    }

    /// The events that it has told so far (`--json`).
    pub fn events(&self) -> Vec<Value> {
        let lines = self.lines.lock().expect("the reader does not panic");
        lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// `kill -9`.
    pub fn kill(mut self) -> Ended {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        self.wait()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: the child is ours and has not been waited for, so the number is its own.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it does not end.
    pub fn wait(mut self) -> Ended {
        let status = wait_for("the end of a command", || self.child.try_wait().expect("it is our child"));
        let join = "the reader does not panic";
        self.stdout.take().expect("it is waited for once").join().expect(join);
        let stderr = self.stderr.take().expect("it is waited for once").join().expect(join);
        let stdout = self.lines.lock().expect(join).concat();
        Ended { code: status.code(), stdout, stderr }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A test that has failed leaves nothing behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// The events that it told (`--json`).
    pub fn events(&self) -> Vec<Value> {
        self.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The output of the run, as its last event told it (`--json`).
    pub fn output(&self) -> Value {
        let last = self.events().into_iter().rfind(|event| event["event"] == "run" && event["ended"] == true);
        last.map_or(Value::Null, |event| event["output"].clone())
    }

    /// The tasks that ended with this outcome (`--json`).
    pub fn tasks(&self, outcome: &str) -> Vec<String> {
        let events = self.events();
        let ends =
            events.iter().filter(|event| event["event"] == "task-ended" && event["outcome"] == outcome);
        ends.filter_map(|event| event["task"].as_str().map(str::to_owned)).collect()
    }
}

fn keep(stdout: ChildStdout, lines: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stdout);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
        let line = String::from_utf8_lossy(&bytes).into_owned();
        lines.lock().expect("nobody panics with it").push(line);
        bytes.clear();
    }
}
