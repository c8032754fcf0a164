//! Backup, restore, migrate, doctor and support-bundle, on what a run has left.

use std::time::Duration;

use serde_json::Value;

use crate::support::Place;

const FLOW: &str = "
name: flow
inputs: { token: { type: string, default: 'hunter2' } }
tasks:
  a: { run: 'echo {\\\"x\\\":\\\"hunter3\\\"}' }
  b: { needs: [a], run: 'echo hunter4 >&2; exit 3' }
";

fn with_a_run() -> Place {
    let place = Place::new(FLOW);
    place.expect(1, &["run", "flow.yaml"]);
    place
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn what_is_backed_up_is_verified_and_restored() {
    let place = with_a_run();
    let gave = place.expect(0, &["backup", "copy.db"]);
    assert!(gave.out.starts_with("1 runs (0 not ended) of 2 tasks"), "{}", gave.out);
    assert_eq!(json(&place.expect(0, &["restore", "--verify", "copy.db", "--json"]).out)["runs"], 1);
    assert!(place.expect(7, &["backup", "copy.db"]).err.contains("there is a file of that name already"));
    assert!(place.expect(2, &["restore", "copy.db"]).err.contains("nobody says where"));
    place.expect(0, &["restore", "copy.db", "--data", "other"]);
    assert!(
        place
            .expect(7, &["restore", "copy.db", "--data", "other"])
            .err
            .contains("there is a database already")
    );
    let runs = place.expect(0, &["runs", "--state-dir", "other"]).out;
    assert_eq!(runs, place.expect(0, &["runs"]).out);
    std::fs::write(
        place.path().join("torn.db"),
        &std::fs::read(place.path().join("copy.db")).unwrap()[..9_000],
    )
    .unwrap();
    assert_eq!(place.run(&["restore", "--verify", "torn.db"]).code, 7);
}

#[test]
fn a_backup_that_is_killed_never_has_the_name_of_a_whole_one() {
    let place = with_a_run();
    for micros in [0, 500, 1_500, 3_000, 5_000, 8_000] {
        let name = format!("copy-{micros}.db");
        let mut child =
            place.command(&["backup", &name]).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(micros));
        child.kill().unwrap();
        child.wait().unwrap();
        if place.path().join(&name).exists() {
            place.expect(0, &["restore", "--verify", &name]);
        }
        // What was left of it is in nobody's way.
        if !place.path().join(&name).exists() {
            place.expect(0, &["backup", &name]);
        }
    }
}

#[test]
fn an_old_state_is_migrated_in_rehearsal_first() {
    let place = Place::new(FLOW);
    std::fs::create_dir(place.path().join("old")).unwrap();
    let sql = include_str!("../../../store/tests/it/format_2.sql");
    rusqlite::Connection::open(place.path().join("old/partitur.db")).unwrap().execute_batch(sql).unwrap();
    let before = std::fs::read(place.path().join("old/partitur.db")).unwrap();
    let told = json(&place.expect(0, &["migrate", "--dry-run", "--data", "old", "--json"]).out);
    assert_eq!(
        (&told["from"], &told["open"], &told["dryRun"]),
        (&2.into(), &3.into(), &true.into()),
        "{told}"
    );
    assert_eq!(std::fs::read(place.path().join("old/partitur.db")).unwrap(), before, "nothing has changed");
    // A process that dies in the middle of it leaves the old state or the new one.
    for micros in [0, 1_000, 2_000, 4_000, 6_000] {
        let mut child =
            place.command(&["migrate", "--data", "old"]).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(micros));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let told = json(&place.expect(0, &["migrate", "--data", "old", "--json"]).out);
    assert_eq!((&told["open"], &told["quarantined"]), (&3.into(), &Value::Array(Vec::new())), "{told}");
    assert!(place.expect(0, &["migrate", "--data", "old"]).out.starts_with("format 3 already"));
    place.expect(0, &["restore", "--verify", "old/partitur.db.format-2"]);
}

#[test]
fn the_doctor_says_what_is_wrong_and_what_to_do() {
    let place = with_a_run();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let checks = json(&place.expect(0, &["doctor", "--json", "--full", "--listen", &port]).out);
    let verdict = |checks: &Value, name: &str| {
        let check = checks.as_array().unwrap().iter().find(|check| check["check"] == name).cloned();
        check.unwrap_or_else(|| panic!("no check `{name}` in {checks}"))
    };
    for name in ["directory", "host", "database", "rows", "log", "port", "version"] {
        assert_eq!(verdict(&checks, name)["verdict"], "good", "{checks}");
    }
    place.expect(0, &["backup", "copy.db"]);
    place.expect(0, &["restore", "copy.db", "--data", "other"]);
    let database = place.path().join("other/partitur.db");
    let mut bytes = std::fs::read(&database).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8_192].fill(0xa5);
    std::fs::write(&database, bytes).unwrap();
    let gave = place.expect(7, &["doctor", "--json", "--full", "--listen", &port, "--data", "other"]);
    let damaged = verdict(&json(&gave.out), "database");
    assert_eq!((&damaged["verdict"], damaged["remedy"].is_string()), (&"bad".into(), true), "{damaged}");
}

#[test]
fn a_bundle_for_support_holds_no_payloads_unless_they_are_asked_for() {
    let place = with_a_run();
    place.expect(0, &["support-bundle", "bundle.json"]);
    let bundle = place.read("bundle.json");
    assert_eq!(json(&bundle)["rows"]["newest"][0]["name"], "flow");
    assert!(!bundle.contains("hunter"), "{bundle}");
    assert!(place.expect(0, &["support-bundle", "--with-payloads"]).out.contains("hunter2"));
}
