//! Where the programs are that the tests start.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The binary `partitur`, built once for each test program.
pub fn partitur() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("PARTITUR_BINARY") {
        Some(path) => PathBuf::from(path),
        None => build(),
    })
}

/// What the tasks of the tests execute; cargo builds it with the tests.
pub fn task() -> PathBuf {
    profile_dir().join("partitur-test-task")
}

fn build() -> PathBuf {
    let profile = profile_dir();
    let target = profile.parent().expect("a profile has a directory of its own");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--locked", "-p", "partitur-cli", "--bin", "partitur", "--target-dir"])
        .arg(target);
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().expect("cargo starts").success(), "partitur cannot be built");
    profile.join("partitur")
}

/// `target/debug`: a test program lies in its directory `deps`.
fn profile_dir() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this program");
    test.ancestors().nth(2).expect("target/PROFILE/deps/TEST").to_owned()
}
