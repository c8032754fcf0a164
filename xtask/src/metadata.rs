//! What cargo knows of the workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// The packages of the workspace and all they depend on.
pub struct Metadata {
    pub root: PathBuf,
    pub members: BTreeSet<String>,
    pub packages: BTreeMap<String, Package>,
}

/// A package, by cargo's id.
pub struct Package {
    pub name: String,
    pub licence: Option<String>,
    /// What it needs to be built and run; not what its tests need.
    pub needs: Vec<String>,
}

/// Asks cargo.
pub fn read() -> Metadata {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .output()
        .expect("cargo is what runs this");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut packages: BTreeMap<String, Package> = list(&tree["packages"])
        .iter()
        .map(|package| {
            let licence = package["license"].as_str().map(str::to_owned);
            (text(&package["id"]), Package { name: text(&package["name"]), licence, needs: Vec::new() })
        })
        .collect();
    for node in list(&tree["resolve"]["nodes"]) {
        let is_needed = |dependency: &Value| {
            list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].as_str() != Some("dev"))
        };
        let needs =
            list(&node["deps"]).iter().filter(|dep| is_needed(dep)).map(|dep| text(&dep["pkg"])).collect();
        packages.get_mut(&text(&node["id"])).expect("every node is a package").needs = needs;
    }
    Metadata {
        root: PathBuf::from(text(&tree["workspace_root"])),
        members: list(&tree["workspace_members"]).iter().map(text).collect(),
        packages,
    }
}

impl Metadata {
    /// The packages of the workspace.
    pub fn members(&self) -> impl Iterator<Item = &Package> {
        self.members.iter().map(|id| &self.packages[id])
    }
}
