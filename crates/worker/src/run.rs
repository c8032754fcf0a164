//! A run whose tasks are executed here: what they share.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use partitur_model::{FencingToken, RunId};

use crate::build::{BuildContext, Sealing, Wish};
use crate::environment::Environment;
use crate::log::Writer;
use crate::platform::{DirId, DirWatch, Instance};
use crate::private::PrivateDir;
use crate::secret::Secrets;

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
    pub seal: Option<(Sealing, Option<String>)>,
}

impl Run {
    pub fn new(context: RunContext, watch: &DirWatch, instance: &Instance) -> io::Result<Run> {
        let private = PrivateDir::new(context.run, instance)?;
        let watch = watch.add(private.path()).ok();
        Ok(Run {
            environment: Environment::of_run(&context.env, &context.dir),
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
        let ((sealing, output), context) = (self.seal.take()?, self.build.clone()?);
        (self.others == 0).then(|| Wish {
            sealing,
            context,
            output,
            run: run.number(),
            base: self.dir.clone(),
            env: self.environment.pairs(),
        })
    }
}
