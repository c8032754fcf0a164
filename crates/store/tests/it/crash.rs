//! The process dies in the middle of commits: what it was told is durable is there, and nothing by halves.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use partitur_model::catalogue::EntryKind;
use partitur_model::change::{BatchNo, Change};
use partitur_model::record::NodeRecord;
use partitur_model::{Payload, TaskSeq};
use partitur_store::{Completion, Options, Reader, SqliteStore, Store, Synchronous};
use tempfile::TempDir;

use crate::support::*;

const DIR: &str = "PARTITUR_TEST_CRASH_DIR";

/// A batch of rows that belong together: one task each in two runs, lines about one of them, a document, and the number
/// in the node's row.
fn batch(number: u64) -> Vec<Change> {
    let mut with_output = succeeded(1, number as u32, number);
    with_output.output = Some(Payload::string(&long_text(number, (number as usize * 37) % 4_000)));
    let node = NodeRecord { epoch: 1, last_run: number, ..NodeRecord::default() };
    let log = Change::Log(run_id(1), TaskSeq(number as u32), vec![line("one"), line("two")]);
    let document = add_entry(entry(EntryKind::Workflow, "w", number as u32, "{}"));
    vec![Change::Node(node), add_task(with_output), add_task(task(2, number as u32)), log, document]
}

/// Not a test of its own: what the killed process does. Without the variable it has nothing to do.
#[test]
fn the_process_that_is_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let options = Options { synchronous: Synchronous::Normal, ..Options::default() };
    let mut store = SqliteStore::open(Path::new(&dir).join("partitur.db"), options, || ()).unwrap();
    let first = store.recover().unwrap().node.last_run + 1;
    let mut out = Vec::new();
    for number in first..first + 1_000_000 {
        submit(&mut store, number, batch(number));
        if number % 5 == 0 {
            store.wait();
        }
        store.completions(&mut out);
        for completion in out.drain(..) {
            let Completion::Durable(BatchNo(number)) = completion else { panic!("{completion:?}") };
            // One write to a pipe, so that no half a line is ever seen.
            std::io::stderr().write_all(format!("durable {number}\n").as_bytes()).unwrap();
        }
    }
}

fn start(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::the_process_that_is_killed", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills the process some time after its first commit; gives the last batch that it was told is durable.
fn kill_after(mut child: Child, delay: Duration) -> u64 {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let number = |line: String| line.strip_prefix("durable ").map(|number| number.parse::<u64>().unwrap());
    let first = lines.find_map(number).expect("it commits something");
    std::thread::sleep(delay);
    child.kill().unwrap();
    child.wait().unwrap();
    lines.filter_map(number).last().unwrap_or(first)
}

#[test]
fn what_was_reported_durable_survives_kill_9() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("partitur.db");
    commit(&mut sqlite(&path), 1, vec![add_definition(), add_run(run(1)), add_run(run(2))]);
    let mut survived = Vec::new();
    for delay in [0, 3, 8, 15, 40, 60, 90, 130, 200, 300] {
        let reported = kill_after(start(dir.path()), Duration::from_millis(delay));
        let recovered = sqlite(&path).recover().unwrap();
        let last = recovered.node.last_run;
        assert!(last >= reported, "{reported} was reported durable, {last} is the last there");
        assert_eq!(recovered.quarantined, []);
        for stored in &recovered.runs {
            let seqs: Vec<u64> = stored.tasks.iter().map(|task| u64::from(task.seq.0)).collect();
            assert_eq!(seqs, (1..=last).collect::<Vec<_>>(), "a batch is there by halves");
        }
        let reader = Reader::open(&path).unwrap();
        assert_eq!(reader.catalogue().unwrap().entries.len() as u64, last);
        assert_eq!(reader.task_log(run_id(1), TaskSeq(last as u32)).unwrap(), [line("one"), line("two")]);
        survived.push(last);
    }
    assert!(survived.is_sorted() && survived.last() > survived.first(), "{survived:?}");
}
