//! Commands that copy or convert a server's state are killed in the middle.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use partitur_tests::{Dice, Place, Server};
use serde_json::{Value, json};

/// How long these arguments keep `partitur` at work, when nobody kills it; `before` each time.
fn time_of(place: &Place, arguments: &[&str], before: impl Fn()) -> Duration {
    let times = (0..3).map(|_| {
        before();
        let begun = Instant::now();
        let ended = place.run(arguments);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        begun.elapsed()
    });
    times.min().expect("three of them")
}

/// Starts `partitur` with these arguments and kills it after a part of `time`; whether it was still at work.
fn is_killed_amid(place: &Place, arguments: &[&str], time: Duration, dice: &mut Dice) -> bool {
    let mut command = place.command(arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    sleep(time.mul_f64(dice.below(900) as f64 / 1_000.0));
    let is_at_work = child.try_wait().expect("it is our child").is_none();
    // It may have ended since.
    let _ = child.kill();
    child.wait().expect("it is our child");
    is_at_work
}

fn fill(place: &Place) {
    let server = Server::start(place);
    let mut client = server.client();
    let tasks = json!([{"name": "x", "taskReferenceName": "x", "type": "SIMPLE"}]);
    let definition =
        json!({"name": "held", "version": 1, "schemaVersion": 2, "ownerEmail": "a@b.cd", "tasks": tasks});
    assert_eq!(client.post("/api/metadata/workflow", &definition).status, 200);
    let noise = "noise ".repeat(300);
    let some: Vec<Value> = (0..250).map(|_| json!({"name": "held", "input": {"noise": noise}})).collect();
    for _ in 0..8 {
        assert_eq!(client.post("/v1/runs", &json!({"runs": some})).status, 200);
    }
    server.kill();
}

#[test]
fn a_copy_whose_making_is_killed_is_none_and_the_next_one_is_whole() {
    let (place, mut dice) = (Place::new(), crate::dice());
    fill(&place);
    // The server works meanwhile.
    let server = Server::start(&place);
    let mut client = server.client();
    let backup = ["backup", "--data", "data", "copy.db"];
    let copy = place.path().join("copy.db");
    let time = time_of(&place, &backup, || drop(std::fs::remove_file(&copy)));
    let kills = crate::kills();
    let (mut amid, mut left) = (0, 0);
    for _ in 0..kills {
        std::fs::remove_file(&copy).expect("the copy is there");
        amid += usize::from(is_killed_amid(&place, &backup, time, &mut dice));
        assert_eq!(client.post("/api/workflow", &json!({"name": "held"})).status, 200);
        // What has the name of a copy is one.
        if copy.exists() {
            left += 1;
        } else {
            let again = place.run(&backup);
            assert_eq!(again.code, Some(0), "what was left of the last one is in the way: {again:?}");
        }
        let verified = place.run(&["restore", "--verify", "copy.db", "--json"]);
        assert_eq!(verified.code, Some(0), "{verified:?}");
    }
    println!(
        "{kills} kills of a backup of {time:?}, {amid} of them met it at work; {left} copies were there already"
    );
    assert!(amid * 2 >= kills, "only {amid} of {kills} kills met it at work");
    // A server that is killed while it is copied does the copy no harm.
    std::fs::remove_file(&copy).expect("the copy is there");
    let mut copying = place.command(&backup).stdout(Stdio::null()).spawn().expect("it starts");
    sleep(time / 3);
    server.kill();
    assert!(copying.wait().expect("it is our child").success());
    assert_eq!(place.run(&["restore", "--verify", "copy.db"]).code, Some(0));
    assert_eq!(place.run(&["restore", "--data", "again", "copy.db"]).code, Some(0));
}

#[test]
fn a_restore_that_is_killed_leaves_nothing_that_pretends_to_be_whole() {
    let (place, mut dice) = (Place::new(), crate::dice());
    fill(&place);
    assert_eq!(place.run(&["backup", "--data", "data", "copy.db"]).code, Some(0));
    let (mut amid, kills) = (0, crate::kills() / 3);
    let first = ["restore", "--data", "again0", "copy.db"];
    let time = time_of(&place, &first, || drop(std::fs::remove_dir_all(place.path().join("again0"))));
    for at in 1..=kills {
        let dir = format!("again{at}");
        let restore = ["restore", "--data", &dir, "copy.db"];
        amid += usize::from(is_killed_amid(&place, &restore, time, &mut dice));
        let again = place.run(&restore);
        let is_there = again.code != Some(0);
        let verified = place.run(&["doctor", "--data", &dir, "--json"]);
        assert!(!is_there || place.path().join(&dir).join("partitur.db").exists(), "{again:?}");
        let faults = verified.stdout.contains("damaged") || verified.stdout.contains("not whole");
        assert!(!faults, "{verified:?}");
        let database = format!("{dir}/partitur.db");
        let looked = place.run(&["restore", "--verify", &database, "--json"]);
        let found: Value = serde_json::from_str(&looked.stdout).unwrap_or_else(|_| panic!("{looked:?}"));
        assert_eq!(found["runs"], 2_000, "{looked:?}");
        std::fs::remove_dir_all(place.path().join(&dir)).expect("it is there");
    }
    println!("{kills} kills of a restore of {time:?}, {amid} of them met it at work");
    assert!(amid * 2 >= kills, "only {amid} of {kills} kills met it at work");
}

#[test]
fn a_migration_that_is_killed_is_done_by_the_next_one() {
    let (place, mut dice) = (Place::new(), crate::dice());
    let older = concat!(env!("CARGO_MANIFEST_DIR"), "/carried/in-flight.tar.gz");
    let unpack = || {
        let _ = std::fs::remove_dir_all(place.path().join("data"));
        let status = Command::new("tar").args(["-xzf", older]).current_dir(place.path()).status();
        assert!(status.expect("tar starts").success());
    };
    let migrate = ["migrate", "--data", "data", "--json"];
    unpack();
    let undisturbed = place.json(&migrate);
    let time = time_of(&place, &migrate, unpack);
    assert!(undisturbed["from"].as_u64() < undisturbed["to"].as_u64(), "{undisturbed}");
    let kills = crate::kills();
    let mut amid = 0;
    for _ in 0..kills {
        unpack();
        amid += usize::from(is_killed_amid(&place, &migrate, time, &mut dice));
        let next = place.json(&migrate);
        assert_eq!(next["to"], undisturbed["to"], "{next}");
        assert_eq!(next["open"], undisturbed["open"], "{next}");
        assert_eq!(next["quarantined"], json!([]), "{next}");
        no_half_copy_is_left(&place.path().join("data"), &place);
    }
    println!("{kills} kills of a migration of {time:?}, {amid} of them met it at work");
    assert!(amid * 2 >= kills, "only {amid} of {kills} kills met it at work");
    let server = Server::start(&place);
    assert_eq!(server.client().get("/health").status, 200);
    assert!(!server.said().contains("set aside"), "{}", server.said());
    server.stop();
}

/// The copy of the old state, if there is one, is whole.
fn no_half_copy_is_left(data: &Path, place: &Place) {
    let files = std::fs::read_dir(data).expect("a directory").flatten();
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    for name in names.filter(|name| name.starts_with("partitur.db.format-") && !name.ends_with(".partial")) {
        let verified = place.run(&["restore", "--verify", &format!("data/{name}")]);
        assert_eq!(verified.code, Some(0), "{name}: {verified:?}");
    }
}
