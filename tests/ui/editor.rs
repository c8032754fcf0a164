//! The text editor that the pages load from elsewhere, installed once below the target directory.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::HERE;

/// The directory of the editor's package.
pub fn installed() -> PathBuf {
    let home = target().join("sdk/ui-editor-0.55.1");
    let package = home.join("node_modules/monaco-editor");
    if !package.join("package.json").exists() {
        std::fs::create_dir_all(&home).expect("the target directory takes a directory");
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(format!("{HERE}/editor/{file}"), home.join(file))
                .expect("the directory takes a file");
        }
        install(&home);
    }
    package
}

fn install(home: &Path) {
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    let status = npm.current_dir(home).status().expect("npm starts");
    assert!(status.success(), "the editor cannot be installed: {status}");
}

/// The directory that cargo builds into: a test program lies in its `PROFILE/deps`.
fn target() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this program");
    test.ancestors().nth(3).expect("target/PROFILE/deps/TEST").to_owned()
}
