//! Every error code has its page, and every page its code.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Codes without a page, pages without a code.
pub fn problems(root: &Path) -> Vec<String> {
    let mut used = BTreeSet::new();
    collect_codes(&root.join("crates"), &mut used);
    let pages: BTreeSet<String> = fs::read_dir(root.join("docs/errors"))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().strip_suffix(".md")?.to_owned()))
        .filter(|name| is_code(name))
        .collect();
    let unexplained = used.difference(&pages).map(|code| format!("{code} has no page docs/errors/{code}.md"));
    let unused =
        pages.difference(&used).map(|code| format!("docs/errors/{code}.md explains a code nobody uses"));
    unexplained.chain(unused).collect()
}

fn is_code(text: &str) -> bool {
    text.len() == 5 && text.starts_with('P') && text[1..].bytes().all(|byte| byte.is_ascii_digit())
}

/// Codes in string literals of the sources; tests may quote any.
fn collect_codes(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if name != "tests" && name != "benches" && name != "target" {
                collect_codes(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            found.extend(code.split('"').filter(|part| is_code(part)).map(str::to_owned));
        }
    }
}
