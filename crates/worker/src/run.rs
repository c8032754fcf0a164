//! A run whose tasks are executed here: what they share.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use partitur_model::{FencingToken, RunId};

use crate::build::{BuildContext, Seal, Wish};
use crate::environment::Environment;
use crate::log::Writer;
use crate::platform::{DirId, DirWatch, Instance};
use crate::private::PrivateDir;
use crate::secret::{Secrets, holds_secret};

/// What the tasks of a run share.
#[derive(Clone)]
pub struct RunContext {
    /// Which run.
    pub run: RunId,
    /// In this directory its tasks work; relative paths start here.
    pub dir: PathBuf,
    /// What its tasks inherit: the environment of whoever submitted it. Variables that hold secrets are left out.
    pub env: Vec<(OsString, OsString)>,
    /// The file to which the output of its tasks is appended.
    pub log: PathBuf,
    /// Knows the secrets that its tasks ask for.
    pub secrets: Arc<dyn Secrets>,
}

pub(crate) struct Run {
    pub dir: PathBuf,
    pub environment: Environment,
    pub log: Writer,
    pub secrets: Arc<dyn Secrets>,
    pub private: PrivateDir,
    /// The private directory, as the executor watches it; `None` if that is not possible.
    pub watch: Option<DirId>,
    /// Attempts that have left a file as their result; `None` if that is not known of all.
    pub outputs: Option<HashSet<FencingToken>>,
    /// What a process reads that is given nothing.
    pub no_input: File,
    /// How many attempts live.
    pub live: usize,
    /// It goes when its last attempt does.
    pub leaving: bool,
    /// How its incremental tasks are known; without it, all are executed.
    pub build: Option<BuildContext>,
    /// So many attempts were not incremental, or failed.
    pub others: u64,
    /// What the run is the same by, once it has succeeded, and what it yielded.
    pub seal: Option<(Seal, Option<String>)>,
}

impl Run {
    pub fn new(context: RunContext, watch: &DirWatch, instance: &Instance) -> io::Result<Run> {
        let shared = context.env.iter().filter(|(name, _)| !holds_secret(name));
        let shared = shared.map(|(name, value)| (name.as_os_str(), value.as_os_str()));
        let private = PrivateDir::new(context.run, instance)?;
        let watch = watch.add(private.path()).ok();
        let here = (OsStr::new("PWD"), context.dir.as_os_str());
        Ok(Run {
            environment: Environment::new(shared.chain(std::iter::once(here))),
            log: Writer::new(context.log)?,
            secrets: context.secrets,
            outputs: watch.map(|_| HashSet::new()),
            watch,
            private,
            no_input: File::open("/dev/null")?,
            dir: context.dir,
            live: 0,
            leaving: false,
            build: None,
            others: 0,
            seal: None,
        })
    }

    /// If all of its tasks were incremental and succeeded: how an equal run may be spared.
    pub fn take_wish(&mut self, run: RunId) -> Option<Wish> {
        let ((seal, output), context) = (self.seal.take()?, self.build.clone()?);
        (self.others == 0).then(|| Wish {
            seal,
            context,
            output,
            run: run.number(),
            base: self.dir.clone(),
            env: self.environment.pairs(),
        })
    }
}
