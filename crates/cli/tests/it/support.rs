//! A directory with a document, and the binary at work in it.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Nothing here takes longer, also on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A directory with a document.
pub struct Place {
    dir: tempfile::TempDir,
}

/// What a command gave.
#[derive(Debug)]
pub struct Gave {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Place {
    /// A directory with this `flow.yaml`.
    pub fn new(document: &str) -> Place {
        let place = Place { dir: tempfile::tempdir().unwrap() };
        place.write("flow.yaml", document);
        place
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap_or_default()
    }

    /// The binary with these arguments, in the directory, in an environment that says nothing of the tester.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partitur"));
        command.args(args).current_dir(self.path()).stdin(Stdio::null());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path()).env("USER", "tester");
        command
    }

    /// Runs the binary to its end.
    pub fn run(&self, args: &[&str]) -> Gave {
        self.command(args).output().unwrap().into()
    }

    /// Runs it and expects this exit code.
    #[track_caller]
    pub fn expect(&self, code: i32, args: &[&str]) -> Gave {
        let gave = self.run(args);
        assert_eq!(gave.code, code, "{args:?}\n{}\n{}", gave.out, gave.err);
        gave
    }

    /// Starts it and lets it run.
    pub fn start(&self, args: &[&str]) -> Started {
        let child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Started { child: Some(child) }
    }

    /// Waits until a file is there.
    #[track_caller]
    pub fn await_file(&self, name: &str) {
        let path = self.path().join(name);
        until(&format!("{name} is there"), || path.exists());
    }

    /// The log without what differs from run to run.
    pub fn plain(&self, text: &str) -> String {
        let dir = self.path().display().to_string();
        text.replace(&dir, "[DIR]")
    }
}

impl From<Output> for Gave {
    fn from(output: Output) -> Gave {
        Gave {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A process that runs; it is killed if the test fails before its end.
pub struct Started {
    child: Option<Child>,
}

impl Started {
    pub fn signal(&self, signal: rustix::process::Signal) {
        let child = self.child.as_ref().expect("it has not been awaited");
        let pid = rustix::process::Pid::from_child(child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub fn end(mut self) -> Gave {
        let mut child = self.child.take().expect("it ends once");
        let mut err = child.stderr.take().unwrap();
        let errors = std::thread::spawn(move || {
            let mut text = String::new();
            err.read_to_string(&mut text).unwrap();
            text
        });
        let mut out = String::new();
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        let status = child.wait().unwrap();
        Gave { code: status.code().unwrap_or(-1), out, err: errors.join().unwrap() }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits until something holds.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Snapshots without times.
pub fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d+(\.\d)?(ms|s)\b|\d+m \d\ds\b", "[time]");
    settings.add_filter(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "[moment]");
    settings.add_filter(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "[id]");
    settings.add_filter(r" +\n", "\n");
    settings.add_filter(r"  +\[time\]", "  [time]");
    settings
}

/// The state directory that a place has.
pub fn state(place: &Place) -> PathBuf {
    place.path().join(".partitur")
}
