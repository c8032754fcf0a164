//! Who may import whom: arrows point down only.

use std::process::Command;

use crate::metadata::Metadata;

/// Each crate, and the crates of ours that it may import.
const TABLE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("formats", &["model", "graph"]),
    ("conductor", &["model"]),
    ("expr", &["model"]),
    ("graph", &["model"]),
    ("store", &["model"]),
    ("api", &["model"]),
    ("report", &["model", "graph"]),
    ("script", &["model"]),
    ("engine", &["model", "expr", "graph"]),
    ("runtime", &["model", "engine", "store"]),
    ("worker", &["model", "expr", "script"]),
    (
        "server",
        &[
            "model",
            "api",
            "conductor",
            "engine",
            "expr",
            "formats",
            "graph",
            "report",
            "runtime",
            "script",
            "store",
            "worker",
        ],
    ),
    (
        "partitur",
        &[
            "model",
            "expr",
            "graph",
            "engine",
            "api",
            "conductor",
            "formats",
            "runtime",
            "script",
            "store",
            "worker",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "expr",
            "graph",
            "engine",
            "api",
            "formats",
            "runtime",
            "store",
            "worker",
            "report",
            "partitur",
            "conductor",
            "script",
            "server",
        ],
    ),
    ("simulation", &["model", "api", "conductor", "formats", "expr", "graph", "engine", "store", "runtime"]),
    // They know the binary, and nothing that is inside.
    ("tests", &[]),
];

/// What the library brings by default, itself included, may be so much.
const DEFAULT_PACKAGES_MAX: usize = 40;

/// Everything that breaks the table.
pub fn problems(metadata: &Metadata) -> Vec<String> {
    let mut problems = Vec::new();
    for package in metadata.members() {
        let name = short(&package.name);
        if name == "xtask" {
            continue;
        }
        let Some((_, allowed)) = TABLE.iter().find(|(known, _)| *known == name) else {
            problems.push(format!("crate `{name}` is not in the import table of xtask/src/imports.rs"));
            continue;
        };
        for needed in &package.needs {
            let is_ours = metadata.members.contains(needed);
            let needed = short(&metadata.packages[needed].name);
            if is_ours && !allowed.contains(&needed) {
                problems.push(format!("crate `{name}` must not import `{needed}`"));
            }
        }
    }
    let brought = default_packages();
    if brought > DEFAULT_PACKAGES_MAX {
        problems
            .push(format!("`partitur` brings {brought} packages by default; at most {DEFAULT_PACKAGES_MAX}"));
    }
    problems
}

fn short(name: &str) -> &str {
    name.strip_prefix("partitur-").unwrap_or(name)
}

fn default_packages() -> usize {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "-p", "partitur", "-e", "normal", "--prefix", "none", "--format", "{p}"])
        .output()
        .expect("cargo is what runs this");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut names: Vec<&str> = text.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    names.sort_unstable();
    names.dedup();
    names.len()
}
