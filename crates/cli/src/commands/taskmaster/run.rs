//! `partitur taskmaster run`: a command for each task, as many at once as the dependencies allow.

use std::path::PathBuf;

use partitur::host::{Loaded, Session, environment};
use partitur_api::Submit;
use partitur_engine::compile;
use partitur_formats::taskmaster::{Backlog, Lowered, Lowering, Part, Role, Status, check, lower};
use partitur_formats::{Faults, Places, definition_record, render};
use partitur_graph::Resource;
use partitur_model::{Fault, Severity};

use super::file::{Opened, Selection};
use super::plan;
use super::shape::Shape;
use super::weights::Weights;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::follow::Scene;
use crate::host::{AT_ONCE, persist, settings};
use crate::progress::Look;
use crate::settings::{Global, make_state};

/// Run a command for each task, as many at once as the dependencies allow
///
/// The command finds its task as JSON on standard input and in the file $TASKMASTER_JSON, and in the variables TASKMASTER_ID,
/// TASKMASTER_TITLE, TASKMASTER_TAG, TASKMASTER_PRIORITY, TASKMASTER_PARENT and TASKMASTER_FILE. It runs in the directory of the
/// project. Tasks that create or modify the same file, as `relevantFiles` says, take turns. Statuses are written back:
/// in-progress, then done, or what --failed says; every other byte of the file stays as it is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur taskmaster run -j 3 -- claude -p 'Do the task that is described on standard input'
  partitur taskmaster run --shell 'make \"task-$TASKMASTER_ID\"' --failed blocked
  partitur taskmaster run --dry-run -- true     # the plan, nothing is executed

What has failed is pending again unless --failed says otherwise. After a crash, `partitur resume` goes on,
and so does the same command: what is done is not done again.")]
pub struct Run {
    #[command(flatten)]
    selection: Selection,
    /// So many tasks at once
    #[arg(short = 'j', long, value_name = "N", default_value_t = AT_ONCE, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    concurrency: u32,
    /// A script instead of a program
    #[arg(long, value_name = "SCRIPT", conflicts_with = "command")]
    shell: Option<String>,
    /// The status of a task whose command has failed
    #[arg(long, value_name = "STATUS", default_value = "pending", value_parser = status)]
    failed: Status,
    /// So often a task is tried
    #[arg(long, value_name = "N", default_value_t = 1)]
    attempts: u32,
    /// A try takes no longer, as 30m
    #[arg(long, value_name = "DURATION")]
    timeout: Option<String>,
    /// Run what can be run although the file has errors
    #[arg(long)]
    despite_errors: bool,
    /// Show the plan and execute nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    look: Look,
    /// The program of every task, and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// A status as it is named on the command line.
pub fn status(word: &str) -> Result<Status, String> {
    match Status::of(word) {
        Status::Unknown => Err(format!("it is one of {}", Status::ALL.map(Status::word).join(", "))),
        known => Ok(known),
    }
}

impl Run {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let command = self.command()?;
        let opened = self.selection.file.open(global.color)?;
        let backlog = opened.source.backlog();
        let tag = self.selection.tag(&opened, &backlog)?;
        self.refuse_errors(&opened, &backlog, tag.name)?;
        let shape = Shape::of(tag, Weights::of(tag, &opened.root), self.selection.file.rule(), Part::Open);
        if self.dry_run {
            print!("{}", plan::text(&shape));
            return Ok(Exit::Success);
        }
        let lowered = self.lower(&opened, &shape, &command)?;
        if lowered.nodes.is_empty() {
            println!("nothing can be run: `partitur taskmaster next` says why");
            return Ok(Exit::Success);
        }
        let loaded: &'static Loaded = Box::leak(Box::new(load(&lowered, &opened)?));
        self.submit(global, &opened, loaded)
    }

    /// The program of every task, and its arguments.
    fn command(&self) -> Result<Vec<String>, Failure> {
        match &self.shell {
            Some(script) => Ok(["sh", "-e", "-c", script].map(str::to_owned).to_vec()),
            None if self.command.is_empty() => Err(Failure::usage(
                "no command is given",
                "name one behind `--`: `partitur taskmaster run -- ./work.sh`, or with `--shell`",
            )),
            None => Ok(self.command.clone()),
        }
    }

    fn refuse_errors(&self, opened: &Opened, backlog: &Backlog<'_>, tag: &str) -> Result<(), Failure> {
        if self.despite_errors {
            return Ok(());
        }
        let findings = check(&opened.source, backlog, self.selection.file.rule());
        let errors =
            findings.iter().filter(|it| it.tag == tag && it.fault.severity == Severity::Error).count();
        match errors {
            0 => Ok(()),
            errors => Err(Failure::refused(
                format!("{} has {errors} error{}", opened.path.display(), if errors == 1 { "" } else { "s" }),
                "`partitur taskmaster check` shows them; --despite-errors runs what can be run",
            )),
        }
    }

    fn lower(&self, opened: &Opened, shape: &Shape<'_, '_>, command: &[String]) -> Result<Lowered, Failure> {
        let file = text_of(&std::path::absolute(&opened.path).unwrap_or_else(|_| opened.path.clone()))?;
        let own = std::env::current_exe()
            .map_err(|error| Failure::Io { what: "this program does not find itself".to_owned(), error })?;
        let own = text_of(&own)?;
        let program = |task: u32, role: Role| {
            let name = shape.tag.name_of(task);
            let part = match role {
                Role::Whole => "whole",
                Role::Begin => "begin",
                Role::End => "end",
            };
            let failed = self.failed.word();
            let own = [
                &own,
                "taskmaster",
                "work",
                &file,
                "--tag",
                shape.tag.name,
                "--task",
                &name,
                "--part",
                part,
                "--failed",
                failed,
                "--",
            ];
            let command = if role == Role::Whole { command } else { &[] };
            own.into_iter().map(str::to_owned).chain(command.iter().cloned()).collect()
        };
        let locks = |task: u32| {
            let files = shape.tag.files(task).into_iter().filter(|file| file.write);
            let mut locks: Vec<String> = files.map(|file| Resource::path(file.path).lock()).collect();
            // A second run of the same file waits for this one's task, and then finds it done.
            locks.push(format!("taskmaster:{file}#{}/{}", shape.tag.name, shape.tag.name_of(task)));
            locks.sort_unstable();
            locks.dedup();
            locks
        };
        Ok(lower(
            shape.tag,
            &shape.order,
            &shape.reach,
            &Lowering {
                name: format!("taskmaster {}", shape.tag.name),
                program: &program,
                locks: &locks,
                millis: &shape.weights.of_task,
                attempts: self.attempts,
                timeout: self.timeout.clone(),
            },
        ))
    }

    fn submit(&self, global: &Global, opened: &Opened, loaded: &'static Loaded) -> Result<Exit, Failure> {
        let state = global.state_for(&opened.root);
        make_state(&state)?;
        let settings = settings(&state, Some(self.concurrency.max(AT_ONCE)), Vec::new());
        let (mut session, run) = persist(|| {
            let mut session = Session::enter(settings.clone(), &[])?;
            session.lend(loaded);
            let accepted = session.submit(Submit {
                definition: (&loaded.record).into(),
                input: "{}".to_owned(),
                concurrency: Some(self.concurrency),
                labels: labels(opened, loaded)?,
                env: environment(),
                ..Submit::default()
            })?;
            Ok((session, accepted.run))
        })?;
        Scene {
            run,
            state,
            dir: loaded.dir.display().to_string(),
            definition: loaded.document.definition.clone(),
            targets: Vec::new(),
            at_once: self.concurrency,
            resumed: false,
            look: self.look,
            colour: global.color,
        }
        .follow(&mut session)
    }
}

fn labels(opened: &Opened, loaded: &Loaded) -> Result<Vec<(String, String)>, Failure> {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let mut labels = vec![
        ("dir".to_owned(), text_of(&loaded.dir)?),
        ("file".to_owned(), opened.path.display().to_string()),
    ];
    labels.extend(user.map(|user| ("user".to_owned(), user)));
    Ok(labels)
}

/// A path as text: it is kept with the run.
fn text_of(path: &std::path::Path) -> Result<String, Failure> {
    let refused = || {
        let message = format!("the name {} is no UTF-8", path.display());
        Failure::usage(message, "rename it: it is kept with the run, as text")
    };
    path.to_str().map(str::to_owned).ok_or_else(refused)
}

/// The document that was made, compiled.
fn load(lowered: &Lowered, opened: &Opened) -> Result<Loaded, Failure> {
    let refused = |faults: &[Fault], places: &Places| Failure::Faulty(render(faults, places, false));
    let document = partitur_formats::read("taskmaster.json", lowered.text.as_bytes(), &mut |_| {
        Err("it has no sub-flows".to_owned())
    })
    .map_err(|Faults { faults, places }| refused(&faults, &places))?;
    let program = compile(&document.definition).map_err(|faults| refused(&faults, &document.places))?;
    let dir: PathBuf = opened.root.clone();
    Ok(Loaded {
        record: definition_record(&document),
        program,
        dir,
        warnings: Vec::new(),
        input_schema: None,
        document,
    })
}
