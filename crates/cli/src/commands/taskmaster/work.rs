//! `partitur taskmaster work`: one task of a run, with its status written before and after.
//!
//! It is the command of every node of the document that `run` makes, so that statuses are part of an attempt: they are
//! written wherever the attempt is executed, also after a crash, by whichever terminal goes on.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;

use partitur_formats::taskmaster::{Rule, Source, Standing, Status, StatusError, Tag};
use serde_json::{Value, json};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::file::{parse, read};
use super::run::status;
use super::save;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ink::Colour;

/// Work on one task
#[derive(Debug, clap::Args)]
pub struct Work {
    /// The file
    file: PathBuf,
    #[arg(long)]
    tag: String,
    /// Its full id
    #[arg(long)]
    task: String,
    #[arg(long, default_value = "whole")]
    part: Part,
    #[arg(long, default_value = "pending", value_parser = status)]
    failed: Status,
    #[arg(last = true)]
    command: Vec<String>,
}

/// What of a task is worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// All of it.
    Whole,
    /// The beginning of one with subtasks.
    Begin,
    /// Its end.
    End,
}

impl Work {
    pub fn run(self) -> Result<Exit, Failure> {
        outlive_the_command()?;
        match self.part {
            Part::Begin => self.begin().map(|_| Exit::Success),
            Part::End => self.write(Status::Done).map(|()| Exit::Success),
            Part::Whole if self.begin()? => self.work(),
            Part::Whole => Ok(Exit::Success),
        }
    }

    /// Says that it has begun; tells whether there is anything to do.
    fn begin(&self) -> Result<bool, Failure> {
        match self.set(Status::InProgress) {
            Err(StatusError::Changed { found: Status::Done, task }) => {
                eprintln!("task {task} is done already");
                Ok(false)
            }
            Err(error) => Err(self.refused(&error)),
            Ok(result) => result.map(|()| true),
        }
    }

    fn work(&self) -> Result<Exit, Failure> {
        let handed = Handed::of(self)?;
        let status = self.execute(&handed)?;
        if status.success() {
            self.write(Status::Done)?;
            return Ok(Exit::Success);
        }
        if let Err(failure) = self.write(self.failed) {
            eprintln!("{failure}");
        }
        drop(handed);
        // The exit code of the command is this process's own, so that rules about retries see it.
        std::process::exit(code(status));
    }

    /// Writes a status, unless somebody else has written another one meanwhile: what they say stands.
    fn write(&self, to: Status) -> Result<(), Failure> {
        match self.set(to) {
            Ok(result) => result,
            Err(error) => Err(self.refused(&error)),
        }
    }

    /// The outer result is the file's word on it, the inner one that of whoever reads and writes.
    fn set(&self, to: Status) -> Result<Result<(), Failure>, StatusError> {
        let mut refused = None;
        let written = save::update_patiently(&self.file, |source: &Source| {
            match source.with_status(&self.tag, &self.task, &self.from(), to) {
                Ok(bytes) => Ok(bytes),
                Err(error) => {
                    refused = Some(error);
                    Ok(None)
                }
            }
        });
        match refused {
            Some(error) => Err(error),
            None => Ok(written.map(drop)),
        }
    }

    /// How far the task may be: open, or what an earlier try has left.
    fn from(&self) -> [Status; 3] {
        [Status::Pending, Status::InProgress, self.failed]
    }

    fn refused(&self, error: &StatusError) -> Failure {
        Failure::refused(
            error.to_string(),
            format!("{} was changed while it was worked on", self.file.display()),
        )
    }

    fn execute(&self, handed: &Handed) -> Result<ExitStatus, Failure> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(Failure::usage("no command is given", "name one behind `--`"));
        };
        let failed = |error| Failure::Io { what: format!("cannot start {program}"), error };
        let mut child = Command::new(program)
            .args(arguments)
            .envs(handed.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (mut stdin, text) = (child.stdin.take().expect("it is piped"), handed.json.clone());
        // Whoever does not read it ends all the same.
        std::thread::spawn(move || drop(stdin.write_all(text.as_bytes())));
        child.wait().map_err(failed)
    }
}

/// Who stops the attempt stops the command too: when that has ended, there is a status to write.
fn outlive_the_command() -> Result<(), Failure> {
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        signal_hook::flag::register(signal, Arc::default())
            .map_err(|error| Failure::Io { what: "cannot wait for signals".to_owned(), error })?;
    }
    Ok(())
}

/// As the shell has it.
fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// What the command of a task is given.
struct Handed {
    variables: Vec<(&'static str, String)>,
    json: String,
    file: PathBuf,
}

impl Handed {
    fn of(work: &Work) -> Result<Handed, Failure> {
        let source = parse(&work.file, &read(&work.file)?, Colour::Never)?;
        let backlog = source.backlog();
        let gone = || Failure::refused(format!("there is no task {}", work.task), "it was removed meanwhile");
        let tag = backlog.tag(&work.tag).ok_or_else(gone)?;
        let task = tag.find(&work.task).ok_or_else(gone)?;
        let json = json_of(work, tag, task);
        let file = private_file(&json)?;
        let parent = tag.tasks[task as usize].parent.map(|parent| tag.name_of(parent));
        let variables = vec![
            ("TASKMASTER_ID", work.task.clone()),
            ("TASKMASTER_TITLE", clean(tag.tasks[task as usize].title)),
            ("TASKMASTER_TAG", work.tag.clone()),
            ("TASKMASTER_PRIORITY", tag.priority(task).word().to_owned()),
            ("TASKMASTER_PARENT", parent.unwrap_or_default()),
            ("TASKMASTER_FILE", work.file.display().to_string()),
            ("TASKMASTER_JSON", file.display().to_string()),
        ];
        Ok(Handed { variables, json, file })
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        // Whoever has removed it was quicker.
        let _ = std::fs::remove_file(&self.file);
    }
}

/// The task as it stands in the file, its parent, and what it depended on.
fn json_of(work: &Work, tag: &Tag<'_>, task: u32) -> String {
    let references = tag.references();
    let standing = Standing::of(tag, &references, Rule::default());
    let own = references.iter().filter(|reference| reference.task == task);
    let dependency = |target: u32| json!({"id": tag.name_of(target), "title": tag.tasks[target as usize].title, "complete": standing.is_complete(target)});
    let dependencies: Vec<Value> =
        own.filter_map(|reference| reference.meaning.task()).map(dependency).collect();
    let parent = tag.tasks[task as usize].parent.map_or("null", |parent| tag.json_of(parent));
    format!(
        "{{\"version\":1,\"id\":{},\"tag\":{},\"file\":{},\"dependencies\":{},\"task\":{},\"parent\":{parent}}}\n",
        json!(work.task),
        json!(work.tag),
        json!(work.file.display().to_string()),
        json!(dependencies),
        tag.json_of(task),
    )
}

/// A title as a variable can hold it.
fn clean(text: &str) -> String {
    text.replace('\0', "")
}

/// A file that only its owner can read.
fn private_file(text: &str) -> Result<PathBuf, Failure> {
    let path = std::env::temp_dir().join(format!("partitur-task-{}.json", std::process::id()));
    let written = write_private(&path, text);
    written.map(|()| path).map_err(|error| Failure::Io { what: "cannot write the task".to_owned(), error })
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    // What is there under this name was left by a dead process.
    let _ = std::fs::remove_file(path);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
