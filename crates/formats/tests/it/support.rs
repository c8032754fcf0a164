//! Short ways into the reader.

use partitur_formats::{Document, render};

/// Reads a YAML document without sub-flows, or shows what is wrong with it.
pub fn yaml(text: &str) -> Result<Document, String> {
    read("flow.yaml", text.as_bytes(), &[])
}

/// Reads a document whose sub-flows are `files`.
pub fn read(path: &str, bytes: &[u8], files: &[(&str, &str)]) -> Result<Document, String> {
    let mut resolve = |path: &str| match files.iter().find(|(name, _)| *name == path) {
        Some((_, text)) => Ok(text.as_bytes().to_vec()),
        None => Err("no such file".to_owned()),
    };
    partitur_formats::read(path, bytes, &mut resolve)
        .map_err(|faults| render(&faults.faults, &faults.places, false))
}

/// What is told about a YAML document that is refused.
pub fn refused(text: &str) -> String {
    yaml(text).expect_err("the document should be refused")
}
