//! Where what was asked for goes: a file, or standard output.

use std::path::Path;

use crate::failure::Failure;

/// Writes the text into the file; `-` is standard output.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if path == Path::new("-") {
        print!("{text}");
        return Ok(());
    }
    let refused = |error| Failure::Io { what: format!("{} cannot be written", path.display()), error };
    std::fs::write(path, text).map_err(refused)
}
