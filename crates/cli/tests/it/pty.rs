//! The live view, on a real pseudo-terminal.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::{Place, until};

/// A terminal with the binary in it.
pub struct Terminal {
    child: Child,
    control: OwnedFd,
    seen: Arc<Mutex<String>>,
}

impl Terminal {
    fn open(place: &Place, args: &[&str], columns: u16) -> Terminal {
        Terminal::of(place.command(args), columns)
    }

    /// With a shell's manners: the keys that ask for an end reach all processes in it.
    pub fn in_a_session(place: &Place, args: &[&str], env: &[(&str, &str)], columns: u16) -> Terminal {
        let plain = place.command(args);
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait"]).arg(plain.get_program()).args(plain.get_args());
        command.current_dir(place.path()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.envs(env.iter().copied());
        Terminal::of(command, columns)
    }

    fn of(mut command: Command, columns: u16) -> Terminal {
        let control = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&control).unwrap();
        unlockpt(&control).unwrap();
        resize(&control, columns);
        let name = ptsname(&control, Vec::new()).unwrap();
        let side = || -> Stdio {
            OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap().into()
        };
        command.env("TERM", "xterm-256color").stdin(side()).stdout(side()).stderr(side());
        let child = command.spawn().unwrap();
        let seen = Arc::new(Mutex::new(String::new()));
        read_on_a_thread(control.try_clone().unwrap(), seen.clone());
        Terminal { child, control, seen }
    }

    pub fn seen(&self) -> String {
        self.seen.lock().unwrap().clone()
    }

    /// Presses a key.
    pub fn key(&self, key: u8) {
        rustix::io::write(&self.control, &[key]).unwrap();
    }

    /// Waits until the process in it has ended.
    pub fn end(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    #[track_caller]
    pub fn shows(&self, text: &str) {
        until(&format!("the terminal shows {text:?}: {:?}", self.seen()), || self.seen().contains(text));
    }
}

fn resize(terminal: &OwnedFd, columns: u16) {
    tcsetwinsize(terminal, Winsize { ws_col: columns, ws_row: 24, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
}

fn read_on_a_thread(control: OwnedFd, seen: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        let mut file = File::from(control);
        let mut bytes = [0; 4096];
        let mut pending = Vec::new();
        // The other side closes with an error when the last process has gone.
        while let Ok(count @ 1..) = file.read(&mut bytes) {
            pending.extend_from_slice(&bytes[..count]);
            let whole = match std::str::from_utf8(&pending) {
                Ok(_) => pending.len(),
                Err(error) => error.valid_up_to(),
            };
            let text: Vec<u8> = pending.drain(..whole).collect();
            seen.lock().unwrap().push_str(&String::from_utf8(text).unwrap());
        }
    });
}

const FLOW: &str = "
name: nightly
tasks:
  stock: { run: 'touch begun; until [ -e go ]; do sleep 0.02; done', locks: [file:erp.db] }
  prices: { run: 'true', locks: [file:erp.db] }
  broken: { run: 'echo the disk is on fire; exit 3' }
  report: { needs: [stock], run: 'true' }
";

#[test]
fn the_block_shows_what_runs_and_waits_failures_stand_above_it_and_the_cursor_comes_back() {
    let place = Place::new(FLOW);
    let mut terminal = Terminal::open(&place, &["run", "flow.yaml"], 100);
    place.await_file("begun");
    terminal.shows("\x1b[?25l");
    terminal.shows("the disk is on fire");
    terminal.shows("waits for lock file:erp.db, held by stock");
    terminal.shows(" 1/4");
    // Narrower, to less than any line has: nothing breaks, and the block is drawn in what there is.
    resize(&terminal.control, 20);
    let before = terminal.seen().len();
    until("it is drawn again", || terminal.seen()[before..].contains("…"));
    place.write("go", "");
    let status = terminal.child.wait().unwrap();
    assert_eq!(status.code(), Some(1));
    terminal.shows("nightly");
    terminal.shows("critical path");
    let seen = terminal.seen();
    let (hidden, shown) = (seen.rfind("\x1b[?25l").unwrap(), seen.rfind("\x1b[?25h").unwrap());
    assert!(shown > hidden, "the cursor is given back");
    assert!(seen.rfind("\x1b[?25h").unwrap() < seen.rfind("critical path").unwrap());
}

#[test]
fn an_interrupted_view_gives_the_cursor_back_too() {
    let place = Place::new("tasks: { a: { run: touch begun; sleep 60 } }");
    let mut terminal = Terminal::open(&place, &["run", "flow.yaml"], 80);
    place.await_file("begun");
    terminal.shows("\x1b[?25l");
    kill_process(Pid::from_child(&terminal.child), Signal::INT).unwrap();
    assert_eq!(terminal.child.wait().unwrap().code(), Some(4));
    terminal.shows("was cancelled");
    let seen = terminal.seen();
    assert!(seen.rfind("\x1b[?25h") > seen.rfind("\x1b[?25l"));
}

#[test]
fn no_color_and_color_never_are_heeded() {
    let place = Place::new("tasks: { a: { run: 'exit 1' } }");
    let mut terminal = Terminal::open(&place, &["--color", "never", "run", "flow.yaml"], 80);
    terminal.child.wait().unwrap();
    terminal.shows("partitur resume");
    assert!(!terminal.seen().contains("\x1b[1;31m"), "{:?}", terminal.seen());
    let mut terminal = Terminal::open(&place, &["run", "flow.yaml"], 80);
    terminal.child.wait().unwrap();
    terminal.shows("partitur resume");
    assert!(terminal.seen().contains("\x1b[1;31m"), "{:?}", terminal.seen());
}

/// What Ctrl-C sends.
const END: u8 = 3;

#[test]
fn a_watch_shows_each_run_as_a_run_is_shown_and_ends_with_the_key_that_ends_runs() {
    let place = Place::new(
        "tasks: { copy: { run: 'until [ ! -e slow ]; do touch there; sleep 0.02; done; cp in out', reads: [in], writes: [out] } }",
    );
    place.write("in", "1");
    let mut terminal = Terminal::in_a_session(&place, &["run", "flow.yaml", "--watch"], &[], 100);
    terminal.shows("watching 2 files; Ctrl-C ends");
    let before = terminal.seen().len();
    place.write("slow", "");
    place.write("in", "2");
    place.await_file("there");
    until("the run is shown while it goes on", || terminal.seen()[before..].contains("\x1b[?25l"));
    std::fs::remove_file(place.path().join("slow")).unwrap();
    until("it watches again", || terminal.seen()[before..].contains("watching 2 files"));
    let seen = terminal.seen()[before..].to_owned();
    assert!(seen.contains("in changed") && seen.contains("1 succeeded"), "{seen:?}");
    assert!(seen.rfind("\x1b[?25h") > seen.rfind("\x1b[?25l"), "the cursor is given back: {seen:?}");
    assert_eq!(place.read("out"), "2");
    terminal.key(END);
    assert_eq!(terminal.end(), Some(0));

    // While a run is under way the key ends both.
    place.write("slow", "");
    place.write("in", "3");
    std::fs::remove_file(place.path().join("there")).unwrap();
    let mut terminal = Terminal::in_a_session(&place, &["run", "flow.yaml", "--watch"], &[], 100);
    place.await_file("there");
    terminal.shows("\x1b[?25l");
    terminal.key(END);
    assert_eq!(terminal.end(), Some(4));
    terminal.shows("was cancelled");
    let seen = terminal.seen();
    assert!(!seen.contains("watching") && seen.rfind("\x1b[?25h") > seen.rfind("\x1b[?25l"), "{seen:?}");
}
