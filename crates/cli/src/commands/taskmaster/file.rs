//! Which file and which tag are meant.

use std::path::{Path, PathBuf};

use partitur_formats::taskmaster::{Backlog, Rule, Source, Tag};
use partitur_formats::{Faults, render};
use partitur_model::fault::did_you_mean;
use serde_json::Value;

use crate::failure::Failure;
use crate::ink::Colour;

/// Where Taskmaster keeps its tasks, the newest place first.
const USUAL: [&str; 3] = [".taskmaster/tasks/tasks.json", "tasks/tasks.json", "tasks.json"];

/// The file that is meant.
#[derive(Debug, clap::Args)]
pub struct File {
    /// The file [default: `.taskmaster/tasks/tasks.json`, `tasks/tasks.json` or `tasks.json`, here or above]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// A task that somebody depends on and that was cancelled holds up whoever depends on it
    #[arg(long)]
    cancelled_holds: bool,
}

/// The file and the tag that are meant.
#[derive(Debug, clap::Args)]
pub struct Selection {
    #[command(flatten)]
    pub file: File,
    /// The tag [default: the current one of Taskmaster's state, else `master`, else the first]
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
}

/// A file that was read.
pub struct Opened {
    /// Where it is.
    pub path: PathBuf,
    /// The directory of the project: what paths in it are relative to.
    pub root: PathBuf,
    /// Its text.
    pub source: Source,
}

impl File {
    /// What can be chosen about the rule.
    pub fn rule(&self) -> Rule {
        Rule { cancelled_satisfies: !self.cancelled_holds }
    }

    /// Reads it.
    ///
    /// # Errors
    /// There is none; it is no JSON.
    pub fn open(&self, colour: Colour) -> Result<Opened, Failure> {
        let path = self.path()?;
        let bytes = read(&path)?;
        let root = root_of(&path);
        let source = parse(&path, &bytes, colour)?;
        Ok(Opened { path, root, source })
    }

    fn path(&self) -> Result<PathBuf, Failure> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        let here = std::env::current_dir().map_err(|error| Failure::Io {
            what: "the current directory cannot be used".to_owned(),
            error,
        })?;
        let found = here
            .ancestors()
            .find_map(|dir| USUAL.iter().map(|usual| dir.join(usual)).find(|path| path.is_file()));
        found.map(|path| path.strip_prefix(&here).map(Path::to_owned).unwrap_or(path)).ok_or_else(|| {
            Failure::refused(
                "there is no file of Taskmaster here or above",
                format!("name it: `partitur taskmaster check FILE`; looked for {}", USUAL.join(", ")),
            )
        })
    }
}

impl Selection {
    /// The tag that is meant.
    ///
    /// # Errors
    /// There is no such tag.
    pub fn tag<'b, 's>(&self, opened: &Opened, backlog: &'b Backlog<'s>) -> Result<&'b Tag<'s>, Failure> {
        let find = |name: &str| backlog.tags.iter().find(|tag| tag.name == name);
        if let Some(wanted) = &self.tag {
            return find(wanted).ok_or_else(|| no_tag(wanted, backlog));
        }
        let current = current_tag(&opened.root);
        let found = current.as_deref().and_then(find).or_else(|| find("master")).or(backlog.tags.first());
        found.ok_or_else(|| {
            Failure::refused(
                "the file holds no list of tasks",
                format!("`partitur taskmaster check {}` says more", opened.path.display()),
            )
        })
    }
}

fn no_tag(wanted: &str, backlog: &Backlog<'_>) -> Failure {
    let names: Vec<&str> = backlog.tags.iter().map(|tag| tag.name).collect();
    let hint = match did_you_mean(wanted, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", names.join(", ")),
    };
    Failure::refused(format!("there is no tag `{wanted}`"), hint)
}

/// The file's bytes.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        let text = error.to_string();
        let reason = text.split(" (os error").next().unwrap_or_default().to_lowercase();
        Failure::Unreadable { path: path.display().to_string(), reason, near: None }
    })
}

/// The file's text.
///
/// # Errors
/// It is no JSON.
pub fn parse(path: &Path, bytes: &[u8], colour: Colour) -> Result<Source, Failure> {
    let colour = colour.for_stream(&std::io::stderr());
    let faulty = |Faults { faults, places }| Failure::Faulty(render(&faults, &places, colour));
    Source::parse(&path.display().to_string(), bytes).map_err(faulty)
}

/// The directory of the project that a file belongs to.
pub fn root_of(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let depth = USUAL.iter().find(|usual| path.ends_with(usual)).map_or(1, |usual| usual.split('/').count());
    path.ancestors().nth(depth).map(Path::to_owned).unwrap_or_default()
}

/// The tag that Taskmaster was switched to last.
fn current_tag(root: &Path) -> Option<String> {
    let text = std::fs::read_to_string(root.join(".taskmaster/state.json")).ok()?;
    let state: Value = serde_json::from_str(&text).ok()?;
    Some(state.get("currentTag")?.as_str()?.to_owned())
}
