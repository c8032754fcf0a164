//! What tasks get into each other's way over: paths, patterns of paths, and names.
//!
//! Paths are text here; nobody looks at a disk. A plain path stands for a file or for a directory with all that lies
//! below it, since the text does not tell. A pattern stands for the files that it finds.

mod kinds;
mod pattern;

use std::fmt;

pub use kinds::{KINDS, Kind, Misuse, kind_of, normal_name};

/// A thing that several tasks may touch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// Files.
    Path(PathPattern),
    /// Anything else; equal only to itself.
    Name(String),
}

impl Resource {
    /// A path or a pattern, as it stands under `reads` and `writes`.
    pub fn path(text: &str) -> Resource {
        Resource::Path(PathPattern::new(text))
    }

    /// The resource of a lock: `file:…` and `dir:…` are paths, everything else is a name.
    pub fn of_lock(text: &str) -> Resource {
        match text.strip_prefix("file:").or_else(|| text.strip_prefix("dir:")) {
            Some(path) => Resource::path(path),
            // What is misused is equal to nothing but itself.
            None => {
                Resource::Name(normal_name(text).map_or_else(|_| text.to_owned(), |name| name.into_owned()))
            }
        }
    }

    /// Whether there may be something that belongs to both.
    pub fn overlaps(&self, other: &Resource) -> bool {
        match (self, other) {
            (Resource::Path(a), Resource::Path(b)) => a.overlaps(b),
            (Resource::Name(a), Resource::Name(b)) => a == b,
            (Resource::Path(_), Resource::Name(_)) | (Resource::Name(_), Resource::Path(_)) => false,
        }
    }

    /// Whether everything that belongs to `other` surely belongs to this one.
    pub fn covers(&self, other: &Resource) -> bool {
        match (self, other) {
            (Resource::Path(a), Resource::Path(b)) => a.covers(b),
            (Resource::Name(a), Resource::Name(b)) => a == b,
            (Resource::Path(_), Resource::Name(_)) | (Resource::Name(_), Resource::Path(_)) => false,
        }
    }

    /// A lock that covers the resource, as a document names it.
    pub fn lock(&self) -> String {
        match self {
            Resource::Path(path) if path.is_plain() => format!("file:{path}"),
            Resource::Path(path) => format!("dir:{}", path.plain_directory()),
            Resource::Name(name) => name.clone(),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resource::Path(path) => path.fmt(f),
            Resource::Name(name) => f.write_str(name),
        }
    }
}

/// A normalised path, perhaps with wildcards.
///
/// `*` stands for any text within a component, `?` for one character, `[a-z]` and `[!a-z]` for one of or none of a
/// set, `**` as a component for any number of components. `${…}` is a value that nobody knows yet: it stands for any
/// text within its component, and for any number of components where it is the whole of one.
///
/// Paths that climb above where they begin (`../x`) and absolute ones are compared as they stand; whoever knows the
/// directory makes them relative to it first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathPattern {
    /// Components joined by slashes, without `.`, empty ones, inner `..`, or a last `**`. Empty: the whole tree.
    text: String,
    /// So many bytes stand before the first wildcard.
    plain: usize,
}

impl PathPattern {
    /// Normalises the text.
    pub fn new(text: &str) -> PathPattern {
        let text = pattern::without_values(text);
        let mut parts: Vec<&str> = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." if parts.last().is_some_and(|&last| last != ".." && last != "**") => {
                    parts.pop();
                }
                // Above the root is the root.
                ".." if text.starts_with('/') && parts.is_empty() => {}
                part => parts.push(part),
            }
        }
        // Everything below a directory is what a plain directory stands for.
        while parts.last() == Some(&"**") {
            parts.pop();
        }
        let root = if text.starts_with('/') { "/" } else { "" };
        let text = format!("{root}{}", parts.join("/"));
        let plain = pattern::plain_prefix(&text);
        PathPattern { text, plain }
    }

    /// Whether it has no wildcards, and so stands for everything below it too.
    pub fn is_plain(&self) -> bool {
        self.plain == self.text.len()
    }

    /// Whether some path may belong to both.
    pub fn overlaps(&self, other: &PathPattern) -> bool {
        match (self.is_plain(), other.is_plain()) {
            (true, true) => is_below(&other.text, &self.text) || is_below(&self.text, &other.text),
            (true, false) | (false, true) | (false, false) => pattern::meet(self, other),
        }
    }

    /// Whether every path that belongs to `other` surely belongs to this one. A pattern is sure to cover its equal, and
    /// a plain path that it finds, which is taken for a file.
    pub fn covers(&self, other: &PathPattern) -> bool {
        match (self.is_plain(), other.is_plain()) {
            (true, true) => is_below(&other.text, &self.text),
            (true, false) => is_below(other.plain_directory(), &self.text),
            (false, true) => pattern::finds(self, other),
            (false, false) => self == other,
        }
    }

    /// The text before the first wildcard: both of two that overlap begin with the shorter of these.
    pub(crate) fn plain_prefix(&self) -> &str {
        &self.text[..self.plain]
    }

    /// Whether a plain path is among the ancestors of something that begins so. Everything begins with nothing.
    pub(crate) fn leads_to(&self, prefix: &str) -> bool {
        self.text.is_empty() || is_below(prefix, &self.text)
    }

    /// The directory that holds everything that belongs here; `.` is the whole tree.
    fn plain_directory(&self) -> &str {
        let end = if self.is_plain() { self.plain } else { self.plain_prefix().rfind('/').unwrap_or(0) };
        match &self.text[..end] {
            "" if self.text.starts_with('/') => "/",
            "" => ".",
            directory => directory,
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.text.is_empty() { "." } else { &self.text })
    }
}

/// Whether some path may belong to both: one lies below the other, or a pattern finds it.
///
/// ```
/// use partitur_graph::paths_overlap;
/// assert!(paths_overlap("data", "data/orders/1.csv"));
/// assert!(paths_overlap("data/**/*.csv", "./data/orders/[0-9].csv"));
/// assert!(!paths_overlap("data/*.csv", "data/*.json"));
/// ```
pub fn paths_overlap(a: &str, b: &str) -> bool {
    PathPattern::new(a).overlaps(&PathPattern::new(b))
}

/// Whether `path` is `directory` or lies below it; both are normalised.
fn is_below(path: &str, directory: &str) -> bool {
    match directory {
        "" | "." => !path.starts_with('/'),
        "/" => path.starts_with('/'),
        directory => {
            path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_as_what_they_mean() {
        for (written, normal) in [
            ("./data//orders.csv", "data/orders.csv"),
            ("data/../out/", "out"),
            ("../x/./y", "../x/y"),
            ("a/../../b", "../b"),
            ("/../etc", "/etc"),
            ("src/**", "src"),
            (".", "."),
            ("", "."),
            ("out/${each.value}.csv", "out/*.csv"),
            ("${inputs.dir}/x", "**/x"),
            ("out/${a}-${b.c}", "out/*-*"),
            ("cost-${", "cost-${"),
        ] {
            assert_eq!(PathPattern::new(written).to_string(), normal, "{written}");
        }
    }

    #[test]
    fn a_directory_overlaps_with_what_lies_below_it() {
        for (a, b, overlap) in [
            ("data", "data", true),
            ("data", "data/x/y", true),
            ("data", "data-old/x", false),
            (".", "data", true),
            (".", "/data", false),
            ("/", "/data", true),
            ("data/*.csv", "data/a.csv", true),
            ("data/*.csv", "data", true),
            ("data/*.csv", "data/a.csv/part", false),
            ("data/*.csv", "data/sub/a.csv", false),
            ("data/**/*.csv", "data/sub/deep/a.csv", true),
            ("data/**/*.csv", "data/a.csv", true),
            ("data/**/*.csv", "data/sub", true),
            ("data/*.csv", "data/*.json", false),
            ("data/a*.csv", "data/*b.csv", true),
            ("data/a*.csv", "data/b*.csv", false),
            ("data/?.csv", "data/10.csv", false),
            ("data/[a-c].csv", "data/[c-e].csv", true),
            ("data/[a-c].csv", "data/[d-e].csv", false),
            ("data/[!a-c].csv", "data/b.csv", false),
            ("data/[!a-c].csv", "data/[a-d].csv", true),
            ("data/[c-a].csv", "data/b.csv", true),
            ("pages/[id.tsx", "pages/[id.tsx", true),
            ("out/${each.value}.csv", "out/total.csv", true),
            ("out/part-${each.value}.csv", "out/total.csv", false),
            ("*", "data/x", false),
            ("**/x", "/data/x", false),
            ("*/x", "data", true),
        ] {
            assert_eq!(paths_overlap(a, b), overlap, "{a} and {b}");
            assert_eq!(paths_overlap(b, a), overlap, "{b} and {a}");
        }
    }

    #[test]
    fn a_lock_covers_what_surely_lies_in_it() {
        for (lock, touched, covered) in [
            ("dir:data", "data/*.csv", true),
            ("dir:data", "data/sub/x", true),
            ("file:data/x", "data", false),
            ("file:data/x", "data/*", false),
            ("dir:.", "**/x", true),
            ("dir:data/a", "data/a*", false),
            ("file:data/*.csv", "data/x.csv", true),
            ("file:data/*.csv", "data/*.csv", true),
            ("file:data/*", "data", false),
            ("file:data/*", "data/x/y", false),
            ("service:data", "data", false),
        ] {
            assert_eq!(
                Resource::of_lock(lock).covers(&Resource::path(touched)),
                covered,
                "{lock} and {touched}"
            );
        }
    }

    #[test]
    fn the_lock_of_a_resource_covers_it() {
        for path in ["data/x.csv", "data/*.csv", "data/a*", "**/x", "/*", "/a/b*", ".", "a/${x}/b"] {
            let resource = Resource::path(path);
            assert!(Resource::of_lock(&resource.lock()).covers(&resource), "{path}: {}", resource.lock());
        }
    }
}
