//! Makes the table of error pages that `partitur explain` shows.

use std::fmt::Write as _;
use std::path::PathBuf;

fn main() {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let pages = root.join("../../docs/errors");
    println!("cargo::rerun-if-changed={}", pages.display());
    let mut names: Vec<String> = std::fs::read_dir(&pages)
        .map(|entries| {
            let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            names.filter(|name| name.ends_with(".md") && name.starts_with('P')).collect()
        })
        .unwrap_or_default();
    names.sort();
    let mut table = String::from("&[\n");
    for name in names {
        let path = pages.join(&name);
        let code = name.trim_end_matches(".md");
        writeln!(table, "    ({code:?}, include_str!({:?})),", path.display().to_string())
            .expect("a string takes everything");
    }
    table.push(']');
    let out = PathBuf::from(std::env::var("OUT_DIR").expect("cargo sets it")).join("pages.rs");
    std::fs::write(out, table).expect("the build directory can be written");
}
