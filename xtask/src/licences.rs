//! The licences of everything that is built.

use std::collections::BTreeSet;

use crate::metadata::Metadata;

const ALLOWED: &[&str] = &[
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "BSL-1.0",
    "CC0-1.0",
    "0BSD",
    "Unlicense",
    "Unicode-3.0",
    "OpenSSL",
    "MPL-2.0",
    "CDLA-Permissive-2.0",
];

/// Packages under licences that are not allowed.
pub fn problems(metadata: &Metadata) -> Vec<String> {
    let mut problems = BTreeSet::new();
    for package in metadata.packages.values() {
        match &package.licence {
            Some(licence) if is_allowed(licence) => {}
            Some(licence) => {
                problems.insert(format!("the licence of `{}` is not allowed: {licence}", package.name));
            }
            None => {
                problems.insert(format!("`{}` does not name its licence", package.name));
            }
        }
    }
    problems.into_iter().collect()
}

/// An expression of SPDX: one choice of each `OR` must be allowed, every part of an `AND`.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let flat = expression.replace(['(', ')'], " ");
    // Parentheses in practice group either the choices or the parts: reading `AND` as the weaker of the two can only
    // refuse too much.
    flat.split(" AND ").all(|part| {
        part.split(" OR ").any(|choice| {
            let choice = choice.split_whitespace().collect::<Vec<_>>().join(" ");
            ALLOWED.contains(&choice.as_str())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn choices_and_parts_are_told_apart() {
        assert!(is_allowed("MIT OR Apache-2.0"));
        assert!(is_allowed("MIT/Apache-2.0"));
        assert!(is_allowed("(MIT OR GPL-3.0) AND Unicode-3.0"));
        assert!(is_allowed("Apache-2.0 WITH LLVM-exception OR GPL-2.0"));
        assert!(!is_allowed("MIT AND GPL-3.0"));
        assert!(!is_allowed("GPL-3.0"));
    }
}
