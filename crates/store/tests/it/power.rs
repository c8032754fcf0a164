//! The power goes: what was acknowledged is there, if the disk was told to keep it.

use partitur_model::catalogue::EntryKind;
use partitur_model::change::{BatchNo, Change};
use partitur_model::record::NodeRecord;
use partitur_model::{Payload, TaskSeq};
use partitur_store::recording_vfs::{RecordingVfs, VfsFault};
use partitur_store::{Completion, Options, Reader, RunFilter, SqliteStore, Store, StoreError, Synchronous};
use tempfile::TempDir;

use crate::support::*;

const BATCHES: u64 = 150;
const CUTS: u64 = 60;

fn options(vfs: &str, synchronous: Synchronous) -> Options {
    // Often, so that cuts fall into checkpoints, and behind them into a log that is written from the start again.
    Options { synchronous, checkpoint_pages: 60, vfs: Some(vfs.to_owned()), ..Options::default() }
}

/// The caller writes what is little, the thread the rest.
fn at_once(options: Options) -> Options {
    Options { at_once_max: usize::MAX, ..options }
}

/// A task each in two runs, lines about one, a document, and the number in the node's row: they are there together or not at all.
fn batch(number: u64) -> Vec<Change> {
    let mut with_output = succeeded(1, number as u32, number);
    with_output.output = Some(Payload::string(&long_text(number, (number as usize * 97) % 9_000)));
    let node = NodeRecord { epoch: 1, last_run: number, ..NodeRecord::default() };
    let log = Change::Log(run_id(1), TaskSeq(number as u32), vec![line("one"), line("two")]);
    let document = add_entry(entry(EntryKind::Workflow, "w", number as u32, "{}"));
    vec![Change::Node(node), add_task(with_output), add_task(task(2, number as u32)), log, document]
}

/// The first batch: the runs of the others.
fn first_batch() -> Vec<Change> {
    let node = NodeRecord { epoch: 1, last_run: 1, ..NodeRecord::default() };
    vec![Change::Node(node), add_definition(), add_run(run(1)), add_run(run(2))]
}

/// What happened, and how far it was when each batch was acknowledged.
struct Story {
    vfs: RecordingVfs,
    acknowledged: Vec<usize>,
}

fn story(name: &str, options: Options) -> Story {
    let vfs = RecordingVfs::register(name);
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("partitur.db");
    let mut store = SqliteStore::open(path, options, || ()).unwrap();
    commit(&mut store, 1, first_batch());
    let mut acknowledged = vec![vfs.len()];
    for number in 2..=BATCHES {
        commit(&mut store, number, batch(number));
        acknowledged.push(vfs.len());
    }
    drop(store);
    Story { vfs, acknowledged }
}

/// The last batch there after a power cut; what is wrong with what is there, if something is.
fn after_power_cut(story: &Story, cut: usize, seed: u64) -> Result<u64, String> {
    let dir = TempDir::new().unwrap();
    story.vfs.replay(cut, seed, dir.path()).unwrap();
    let path = dir.path().join("partitur.db");
    let mut store = SqliteStore::open(path, Options::default(), || ()).map_err(|error| error.to_string())?;
    let recovered = store.recover().map_err(|error| error.to_string())?;
    let last = recovered.node.last_run;
    if !recovered.quarantined.is_empty() || recovered.runs.len() != if last == 0 { 0 } else { 2 } {
        return Err(format!("batch {last}: {} runs, {:?}", recovered.runs.len(), recovered.quarantined));
    }
    for stored in &recovered.runs {
        if !stored.tasks.iter().map(|task| u64::from(task.seq.0)).eq(2..=last) {
            return Err(format!("run {} has not the tasks 2 to {last}", stored.run.id.number()));
        }
    }
    let reader = Reader::open(dir.path().join("partitur.db")).map_err(|error| error.to_string())?;
    let documents = reader.catalogue().map_err(|error| error.to_string())?.entries.len() as u64;
    let lines = reader.task_log(run_id(1), TaskSeq(last as u32)).map_err(|error| error.to_string())?.len();
    if last > 1 && (documents, lines) != (last - 1, 2) {
        return Err(format!("batch {last}: {documents} documents, {lines} lines"));
    }
    Ok(last)
}

/// What is wrong after power cuts at random moments: damage, and acknowledged batches that are lost.
fn faults(synchronous: Synchronous) -> (Vec<String>, Vec<String>) {
    let name = format!("recording-{synchronous:?}");
    faults_of(&story(&name, options(&name, synchronous)))
}

fn faults_of(story: &Story) -> (Vec<String>, Vec<String>) {
    let (first, end) = (story.acknowledged[0], story.vfs.len());
    let (mut damage, mut losses) = (Vec::new(), Vec::new());
    for seed in 0..CUTS {
        let cut = first + (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) as usize % (end - first);
        let acknowledged = story.acknowledged.iter().filter(|&&at| at <= cut).count() as u64;
        match after_power_cut(story, cut, seed) {
            Ok(last) if last >= acknowledged => {}
            Ok(last) => losses.push(format!("cut {cut}: {acknowledged} acknowledged, {last} there")),
            Err(reason) => damage.push(format!("cut {cut}: {reason}")),
        }
    }
    (damage, losses)
}

#[test]
fn with_full_a_power_cut_loses_nothing_that_was_acknowledged() {
    assert_eq!(faults(Synchronous::Full), (vec![], vec![]));
}

#[test]
fn a_power_cut_loses_nothing_that_the_caller_wrote_itself() {
    let name = "recording-at-once";
    let story = story(name, at_once(options(name, Synchronous::Full)));
    assert_eq!(faults_of(&story), (vec![], vec![]));
}

#[test]
fn with_normal_a_power_cut_loses_the_last_moments_and_damages_nothing() {
    let (damage, losses) = faults(Synchronous::Normal);
    assert_eq!(damage, [""; 0]);
    assert!(!losses.is_empty(), "the test does not see losses that have to happen");
}

#[test]
fn with_off_a_power_cut_loses_what_was_acknowledged_and_the_test_sees_it() {
    let (damage, losses) = faults(Synchronous::Off);
    assert!(damage.len() + losses.len() > CUTS as usize / 2, "{damage:?} {losses:?}");
}

#[test]
fn a_power_cut_while_the_file_is_created_leaves_one_that_can_be_opened() {
    let vfs = RecordingVfs::register("creating");
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("partitur.db");
    drop(SqliteStore::open(path, options("creating", Synchronous::Normal), || ()).unwrap());
    assert!(vfs.len() > 20, "{}", vfs.len());
    for cut in 0..=vfs.len() {
        for seed in 0..4 {
            let dir = TempDir::new().unwrap();
            vfs.replay(cut, seed, dir.path()).unwrap();
            // Whoever only reads comes first, and finds nothing, or no run.
            match Reader::open(dir.path().join("partitur.db")) {
                Ok(reader) => assert!(reader.runs(&RunFilter::default()).unwrap().runs.is_empty()),
                Err(error) => {
                    assert!(matches!(error, StoreError::Absent(_)), "cut {cut}, seed {seed}: {error}")
                }
            }
            let mut store = sqlite(&dir.path().join("partitur.db"));
            commit(&mut store, 1, vec![add_definition(), add_run(run(1))]);
            assert_eq!(store.recover().unwrap().runs.len(), 1, "cut {cut}, seed {seed}");
        }
    }
}

#[test]
fn a_failed_sync_poisons_the_store_and_the_next_start_reads_what_is_there() {
    let vfs = RecordingVfs::register("failing-sync");
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("partitur.db");
    let mut store = SqliteStore::open(&path, options("failing-sync", Synchronous::Full), || ()).unwrap();
    commit(&mut store, 1, first_batch());
    vfs.set_fault(VfsFault::Sync);
    submit(&mut store, 2, batch(2));
    let first = completions(&mut store, 1);
    assert!(matches!(first[..], [Completion::Failed(BatchNo(2), StoreError::Poisoned(_))]), "{first:?}");
    vfs.set_fault(VfsFault::None);
    submit(&mut store, 3, batch(3));
    let second = completions(&mut store, 1);
    assert!(matches!(second[..], [Completion::Failed(BatchNo(3), StoreError::Poisoned(_))]), "{second:?}");
    drop(store);
    let recovered = sqlite(&path).recover().unwrap();
    assert_eq!(recovered.runs.len(), 2);
    assert!(recovered.node.last_run <= 2);
}

#[test]
fn a_disk_that_fills_up_during_a_commit_refuses_it_and_works_again_with_room() {
    let vfs = RecordingVfs::register("full");
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("partitur.db");
    let mut store = SqliteStore::open(&path, options("full", Synchronous::Full), || ()).unwrap();
    commit(&mut store, 1, first_batch());
    vfs.set_fault(VfsFault::Full);
    submit(&mut store, 2, batch(2));
    assert_eq!(completions(&mut store, 1), [Completion::Failed(BatchNo(2), StoreError::Full)]);
    vfs.set_fault(VfsFault::None);
    commit(&mut store, 3, batch(2));
    drop(store);
    assert_eq!(sqlite(&path).recover().unwrap().node.last_run, 2);
}

#[test]
fn a_write_that_fails_during_a_commit_refuses_it_and_works_again_later() {
    // A file that may not grow, a quota, a disk with a bad spot: none of it has written the end of the commit.
    for synchronous in [Synchronous::Normal, Synchronous::Full] {
        let name = format!("failing-write-{synchronous:?}");
        let vfs = RecordingVfs::register(&name);
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("partitur.db");
        let mut store = SqliteStore::open(&path, at_once(options(&name, synchronous)), || ()).unwrap();
        commit(&mut store, 1, first_batch());
        vfs.set_fault(VfsFault::Write);
        // The caller tries the first one itself, and leaves the second to the thread.
        for number in [2, 3] {
            submit(&mut store, number, batch(2));
            let refused = completions(&mut store, 1);
            assert!(matches!(refused[..], [Completion::Failed(_, StoreError::Io(_))]), "{refused:?}");
        }
        vfs.set_fault(VfsFault::None);
        commit(&mut store, 4, batch(2));
        drop(store);
        assert_eq!(sqlite(&path).recover().unwrap().node.last_run, 2);
    }
}

#[test]
fn a_sync_that_fails_while_the_log_is_copied_poisons_the_store() {
    let vfs = RecordingVfs::register("failing-checkpoint");
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("partitur.db");
    // With NORMAL only checkpoints sync.
    let options = options("failing-checkpoint", Synchronous::Normal);
    let mut store = SqliteStore::open(&path, options, || ()).unwrap();
    commit(&mut store, 1, first_batch());
    vfs.set_fault(VfsFault::Sync);
    let mut durable = 1;
    loop {
        submit(&mut store, durable + 1, batch(durable + 1));
        match completions(&mut store, 1).remove(0) {
            Completion::Durable(_) => durable += 1,
            Completion::Failed(_, StoreError::Poisoned(_)) => break,
            Completion::Failed(_, error) => panic!("{error}"),
        }
        assert!(durable < 1_000, "no checkpoint was made");
    }
    vfs.set_fault(VfsFault::None);
    drop(store);
    assert_eq!(sqlite(&path).recover().unwrap().node.last_run, durable);
}
