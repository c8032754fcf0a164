//! What is done with runs as a whole: pause, resume, retry, restart, terminate, remove. Each takes many.

use super::unknown_run;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::remote::{Desk, Route, Tally, Verb};

/// Start nothing new in runs
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur workflow pause 3f0cb1a4-…")]
pub struct Pause {
    /// Which runs
    #[arg(required = true, value_name = "ID")]
    runs: Vec<String>,
}

/// Let paused runs go on
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur workflow resume 3f0cb1a4-…")]
pub struct Resume {
    /// Which runs
    #[arg(required = true, value_name = "ID")]
    runs: Vec<String>,
}

/// Go on with ended runs from their failures
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur workflow retry 3f0cb1a4-…
  partitur workflow list --status FAILED --json |
    jq -r '.results[].workflowId' | xargs partitur workflow retry")]
pub struct Retry {
    /// Which runs
    #[arg(required = true, value_name = "ID")]
    runs: Vec<String>,
    /// Failed sub-workflows go on from their own failures, instead of being started anew
    #[arg(long)]
    resume_sub_workflows: bool,
}

/// Run ended runs again from the beginning
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur workflow restart 3f0cb1a4-…
  partitur workflow restart 3f0cb1a4-… --latest     with the definition as it is now")]
pub struct Restart {
    /// Which runs
    #[arg(required = true, value_name = "ID")]
    runs: Vec<String>,
    /// With the definitions as they are now
    #[arg(long)]
    latest: bool,
}

/// End runs
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur workflow terminate 3f0cb1a4-… --reason 'ordered twice'")]
pub struct Terminate {
    /// Which runs
    #[arg(required = true, value_name = "ID")]
    runs: Vec<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Forget ended runs
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur workflow remove 3f0cb1a4-…
  partitur workflow remove 3f0cb1a4-… --terminate")]
pub struct Remove {
    /// Which runs
    #[arg(required = true, value_name = "ID")]
    runs: Vec<String>,
    /// End those that have not ended
    #[arg(long)]
    terminate: bool,
    /// Leave it in the server's archive, if it has one
    #[arg(long)]
    archive: bool,
}

impl Pause {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        each(desk, &self.runs, Verb::Put, "pause", |route| route)?.tell(desk, "is paused")
    }
}

impl Resume {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        each(desk, &self.runs, Verb::Put, "resume", |route| route)?.tell(desk, "goes on")
    }
}

impl Retry {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let how = |route: Route| route.with("resumeSubworkflowTasks", self.resume_sub_workflows);
        each(desk, &self.runs, Verb::Post, "retry", how)?.tell(desk, "goes on from its failures")
    }
}

impl Restart {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let how = |route: Route| route.with("useLatestDefinitions", self.latest);
        each(desk, &self.runs, Verb::Post, "restart", how)?.tell(desk, "runs again from the beginning")
    }
}

impl Terminate {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let tally = Tally::of(&self.runs, |id| {
            let route = Route::new("workflow").at(id).with_some("reason", self.reason.as_ref());
            desk.client.send(Verb::Delete, &route, None).map_err(unknown_run).map(drop)
        });
        tally?.tell(desk, "is terminated")
    }
}

impl Remove {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let path = if self.terminate { "terminate-remove" } else { "remove" };
        let how = |route: Route| route.with("archiveWorkflow", self.archive);
        each(desk, &self.runs, Verb::Delete, path, how)?.tell(desk, "is removed")
    }
}

fn each(
    desk: &Desk,
    runs: &[String],
    verb: Verb,
    what: &str,
    how: impl Fn(Route) -> Route,
) -> Result<Tally, Failure> {
    let tally = Tally::of(runs, |id| {
        let route = how(Route::new("workflow").at(id).then(what));
        desk.client.send(verb, &route, None).map_err(unknown_run).map(drop)
    });
    Ok(tally?)
}
