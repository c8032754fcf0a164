//! Sub-flows: which file a document means, from where it stands.

use partitur_model::{Fault, Place};

use crate::codes;
use crate::reader::shorten;

/// A sub-flow that a file names.
pub(crate) struct FlowUse {
    /// Relative to the main file's directory, without `.` and inner `..`.
    pub(crate) path: String,
    pub(crate) place: Place,
}

/// The path of `named`, as the file `from` writes it, relative to the main file's directory.
///
/// A document may lie beside or above another (`../shared/close.yaml`), but a document that was sent somewhere must
/// not choose files of that machine by their absolute path.
pub(crate) fn resolve_path(from: &str, named: &str, place: Place) -> Result<String, Fault> {
    let bad = |message: String, hint: &str| {
        Err(Fault::error(codes::FLOW_PATH, place.clone(), message).label("no path to a sub-flow").hint(hint))
    };
    let shown = shorten(named);
    if named.contains(['\0', '\n', '\\']) || named.contains("${") {
        let hint = "sub-flows are read before the run starts: write the path as it is, with `/`";
        return bad(format!("`{}` cannot be a path to a sub-flow", shown), hint);
    }
    if named.starts_with('/') || named.as_bytes().get(1) == Some(&b':') {
        return bad(format!("the path `{shown}` is absolute"), "write it relative to this file");
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in named.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    if parts.last().is_none_or(|last| *last == "..") {
        return bad(format!("`{shown}` names a directory"), "name a file");
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(from: &str, named: &str) -> Result<String, String> {
        resolve_path(from, named, Place::root()).map_err(|fault| fault.message)
    }

    #[test]
    fn paths_are_relative_to_the_file_that_names_them() {
        assert_eq!(resolved("flow.yaml", "sub/a.yaml").unwrap(), "sub/a.yaml");
        assert_eq!(resolved("sub/a.yaml", "b.yaml").unwrap(), "sub/b.yaml");
        assert_eq!(resolved("sub/a.yaml", "./../b.yaml").unwrap(), "b.yaml");
        assert_eq!(resolved("flow.yaml", "../../x/b.yaml").unwrap(), "../../x/b.yaml");
        assert_eq!(resolved("../x/b.yaml", "../c.yaml").unwrap(), "../c.yaml");
    }

    #[test]
    fn tricks_are_refused() {
        for named in ["/etc/passwd", "C:/x.yaml", "a\0b", "..", "sub/..", "", ".", "${inputs.x}.yaml", "a\\b"]
        {
            assert!(resolved("flow.yaml", named).is_err(), "{named:?}");
        }
    }
}
