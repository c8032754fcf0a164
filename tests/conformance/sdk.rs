//! The published clients, and what makes requests up, installed once below the target directory: `target/sdk/python-…`.
//!
//! What is there is used without the network. The pinned versions stand in `python/requirements.txt`,
//! `openapi/requirements.txt` and `javascript/package-lock.json`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::HERE;

/// The interpreter that has the Python client.
pub fn python() -> PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(install_python).clone()
}

fn install_python() -> PathBuf {
    python_with("python-conductor-2.0.0", "python/requirements.txt").join("bin/python")
}

/// The program that makes requests from an OpenAPI document.
pub fn schemathesis() -> PathBuf {
    python_with("python-schemathesis-4.32.5", "openapi/requirements.txt").join("bin/schemathesis")
}

/// A home of Python's with these packages and no others.
fn python_with(name: &str, requirements: &str) -> PathBuf {
    installed(name, &pinned(requirements), |home| {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(home));
        let mut pip = Command::new(home.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"]);
        run(pip.arg(format!("{HERE}/{requirements}")));
    })
}

/// The directory in whose `node_modules` the JavaScript client lies.
pub fn javascript() -> PathBuf {
    let wanted = pinned("javascript/package-lock.json");
    installed("javascript-conductor-4.0.0", &wanted, |home| {
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(format!("{HERE}/javascript/{file}"), home.join(file))
                .expect("the directory takes a file");
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        run(npm.current_dir(home));
    })
}

/// The directory `target/sdk/NAME`, made anew if it is not complete or was made of something else.
fn installed(name: &str, wanted: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let home = target().join("sdk").join(name);
    let complete = home.join("installed-from");
    if std::fs::read_to_string(&complete).is_ok_and(|found| found == wanted) {
        return home;
    }
    std::fs::create_dir_all(&home).expect("the target directory takes a directory");
    install(&home);
    std::fs::write(complete, wanted).expect("the target directory takes a file");
    home
}

fn pinned(file: &str) -> String {
    std::fs::read_to_string(format!("{HERE}/{file}")).expect("the pinned versions")
}

/// The directory that cargo builds into: a test program lies in its `PROFILE/deps`.
fn target() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this program");
    test.ancestors().nth(3).expect("target/PROFILE/deps/TEST").to_owned()
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
