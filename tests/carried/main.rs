//! Runs that one version of the server has left in flight are finished by another: those of this version after `kill -9`,
//! and those that an earlier version has left in `in-flight.tar.gz` (`README.md` says how it was written).

mod stories;

use std::path::Path;
use std::process::Command;

use partitur_tests::{Place, Server};
use serde_json::Value;
use stories::STORIES;

/// What is told about the runs in a directory, beside its state.
const TOLD: &str = "told.json";

#[test]
fn runs_in_flight_are_carried_on() {
    let place = Place::new();
    let server = Server::start(&place);
    let told = stories::begin(&mut server.client());
    server.kill();
    place.write(TOLD, told.to_string());
    if let Some(file) = std::env::var_os("CARRIED_WRITE") {
        all_in_one_file(&place);
        tar(&place, &["-czf"], Path::new(&file), &["data/partitur.db", TOLD]);
    }
    carry_on(&place);
}

#[test]
fn runs_that_an_earlier_version_left_in_flight_are_carried_on() {
    let place = Place::new();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/carried/in-flight.tar.gz");
    tar(&place, &["-xzf"], Path::new(file), &[]);
    carry_on(&place);
}

fn carry_on(place: &Place) {
    let told = std::fs::read_to_string(place.path().join(TOLD)).expect("it was written");
    let told: Value = serde_json::from_str(&told).expect("it is JSON");
    let server = Server::start(place);
    let mut client = server.client();
    for story in STORIES {
        (story.finish)(&mut client, &told[story.name]);
    }
    stories::nothing_is_left(&mut client);
    assert!(!server.said().contains("set aside"), "{}", server.said());
    server.stop();
}

/// What is still in the log of the database moves into it: that is a tenth of the size.
fn all_in_one_file(place: &Place) {
    let script =
        "import sqlite3; sqlite3.connect('data/partitur.db').execute('PRAGMA wal_checkpoint(TRUNCATE)')";
    let status = Command::new("python3").args(["-c", script]).current_dir(place.path()).status();
    assert!(status.expect("python3 starts").success());
}

fn tar(place: &Place, how: &[&str], file: &Path, what: &[&str]) {
    let status = Command::new("tar").args(how).arg(file).args(what).current_dir(place.path()).status();
    assert!(status.expect("tar starts").success(), "{}", file.display());
}
