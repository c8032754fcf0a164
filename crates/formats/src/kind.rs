//! What a JSON text is, before it is read: the first telling key at its top says.

use partitur_model::record::SourceFormat;

/// Each task of a definition of Conductor has this key, and nothing of ours has.
const TELLTALE: &[u8] = b"\"taskReferenceName\"";

/// Which reader a JSON text needs.
pub(crate) fn of_json(text: &[u8]) -> SourceFormat {
    let is_list = text.trim_ascii_start().first() == Some(&b'[');
    let (mut depth, mut at) = (0_u32, 0);
    while at < text.len() && !is_list {
        match text[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let end = string_end(text, at);
                if depth == 1
                    && let Some(value) = value_of(text, end)
                {
                    match text.get(at + 1..end) {
                        Some(b"nodes" | b"edges") => return SourceFormat::NodesEdges,
                        Some(b"workflowDef" | b"workflowDefs") => return SourceFormat::Conductor,
                        Some(b"tasks") => return of_tasks(value),
                        Some(_) | None => {}
                    }
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    if is_list { of_tasks(text.trim_ascii_start()) } else { SourceFormat::Json }
}

/// Our tasks have names of their own; Conductor's are a list.
fn of_tasks(tasks: &[u8]) -> SourceFormat {
    let is_conductors =
        tasks.first() == Some(&b'[') && tasks.windows(TELLTALE.len()).any(|part| part == TELLTALE);
    if is_conductors { SourceFormat::Conductor } else { SourceFormat::Json }
}

/// Where the closing quote of the string is that begins at `at`.
fn string_end(text: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while at < text.len() && text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    at
}

/// The text from the value on, if the string that ends here is a key.
fn value_of(text: &[u8], quote: usize) -> Option<&[u8]> {
    let rest = text.get(quote + 1..)?.trim_ascii_start();
    rest.strip_prefix(b":").map(<[u8]>::trim_ascii_start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_telling_key_at_the_top_says_what_it_is() {
        let is = |text: &str| of_json(text.as_bytes());
        assert_eq!(is(r#"{"name":"nodes","tasks":{}}"#), SourceFormat::Json);
        assert_eq!(is(r#"{"x":{"tasks":[]},"nodes":[]}"#), SourceFormat::NodesEdges);
        assert_eq!(is(r#"{"tasks":[]}"#), SourceFormat::Json);
        assert_eq!(is(r#"{"name":"w","tasks":[{"taskReferenceName":"a"}]}"#), SourceFormat::Conductor);
        assert_eq!(is(r#"{"tasks":{"a":{"run":"\"taskReferenceName\""}}}"#), SourceFormat::Json);
        assert_eq!(is(r#"{"workflowDef":{}}"#), SourceFormat::Conductor);
        assert_eq!(is(r#" [{"tasks":[{"taskReferenceName":"a"}]}]"#), SourceFormat::Conductor);
        assert_eq!(is("[1, 2]"), SourceFormat::Json);
        assert_eq!(is(r#"{"a": "\"nodes\":"}"#), SourceFormat::Json);
        for broken in ["", "{", r#"{""#, r#"{"nodes"#, r#"{"nodes\"#, r#"{"tasks"#] {
            assert_eq!(is(broken), SourceFormat::Json, "{broken}");
        }
    }
}
