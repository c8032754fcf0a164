//! What tasks start shares the places of the host, and the host those of whoever started it.

use crate::support::Place;

/// A client as make, cargo and ninja are: a job in the place that it was started with, others in places from the fifo.
const CLIENT: &str = r"
import os, re, threading, time

fifo = os.open(re.search(r'--jobserver-auth=fifo:(\S+)', os.environ['MAKEFLAGS'])[1], os.O_RDWR)
left = threading.Semaphore(4)

def say(word):
    with open('log', 'a') as log:
        log.write(word + '\n')

def jobs():
    while left.acquire(blocking=False):
        say('+')
        time.sleep(0.3)
        say('-')

def in_a_place_of_the_fifo():
    place = os.read(fifo, 1)
    jobs()
    os.write(fifo, place)

for _ in range(3):
    threading.Thread(target=in_a_place_of_the_fifo).start()
jobs()
";

/// A server as make is: so many places beyond the one in which it starts us.
const SERVER: &str = r"
import os, subprocess, sys

os.mkfifo('jobs')
fifo = os.open('jobs', os.O_RDWR)
os.write(fifo, b'+' * int(sys.argv[1]))
os.environ['MAKEFLAGS'] = '-j --jobserver-auth=fifo:' + os.path.abspath('jobs')
code = subprocess.call(sys.argv[2:])
os.set_blocking(fifo, False)
sys.exit(code or len(os.read(fifo, 100)) != int(sys.argv[1]))
";

/// The most that lived at once.
fn most(log: &str) -> i32 {
    let mut living = 0;
    let after = log.lines().map(|line| {
        living += if line == "+" { 1 } else { -1 };
        living
    });
    after.max().unwrap_or(0)
}

#[test]
fn tasks_and_what_they_start_have_no_more_places_together_than_there_are() {
    let place = Place::new("tasks:\n  one: { run: python3 client.py }\n  two: { run: python3 client.py }\n");
    place.write("client.py", CLIENT);
    place.expect(0, &["run", "flow.yaml", "-j", "3", "--jobserver"]);
    let log = place.read("log");
    assert_eq!((log.lines().count(), most(&log)), (16, 3), "{log}");
    assert!(!place.path().join(".partitur/jobserver").exists(), "the fifo is cleared away");
}

#[test]
fn places_of_whoever_started_us_are_used_and_given_back() {
    let task = |at| format!("  t{at}: {{ run: 'echo + >> log; sleep 0.2; echo - >> log' }}\n");
    let place = Place::new(&format!("tasks:\n{}", (0..6).map(task).collect::<String>()));
    place.write("server.py", SERVER);
    let binary = env!("CARGO_BIN_EXE_partitur");
    let mut server = std::process::Command::new("python3");
    server.args(["server.py", "1", binary, "run", "flow.yaml", "-j", "6"]).current_dir(place.path());
    let gave = server.output().unwrap();
    assert!(gave.status.success(), "{}", String::from_utf8_lossy(&gave.stderr));
    let log = place.read("log");
    assert_eq!((log.lines().count(), most(&log)), (12, 2), "{log}");
}
