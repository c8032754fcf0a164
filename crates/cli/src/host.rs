//! How commands reach the host of a state directory, or become it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use partitur::host::{Session, Settings};
use partitur_api::Command;
use partitur_model::definition::Definition;
use partitur_model::record::RunRecord;
use partitur_store::Reader;

use crate::document;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::follow::Scene;
use crate::progress::Look;
use crate::records::{self, Records, label};
use crate::settings::Global;

/// Attempts that live at once, unless somebody says otherwise.
pub const AT_ONCE: u32 = 10;

/// How this process hosts, if it does.
pub fn settings(state: &Path, at_once: Option<u32>, secrets: Vec<(String, String)>) -> Settings {
    Settings { concurrency: at_once.unwrap_or(AT_ONCE), secrets, ..Settings::new(state) }
}

/// Does something with a session, and again with another while hosts come and go.
///
/// # Errors
/// The last one.
pub fn persist<T>(mut attempt: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    for _ in 1..ATTEMPTS {
        match attempt() {
            Err(Failure::Host(error)) if error.is_host_gone() => std::thread::sleep(PAUSE),
            other => return other,
        }
    }
    attempt()
}

/// So often a host may go away before somebody is told.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(25);

/// What commands need that may go on with a run.
#[derive(Debug, clap::Args)]
pub struct Going {
    /// A directory with a file for each secret
    #[arg(long, value_name = "DIR")]
    pub secret_dir: Option<PathBuf>,
    /// How it is shown.
    #[command(flatten)]
    pub look: Look,
}

/// A run that is stored, and where.
pub struct Target {
    /// The state directory.
    pub state: PathBuf,
    /// Its contents.
    pub reader: Reader,
    /// The run.
    pub run: RunRecord,
}

impl Target {
    /// Finds the run that somebody names.
    ///
    /// # Errors
    /// There is none.
    pub fn find(global: &Global, text: &str) -> Result<Target, Failure> {
        let (state, reader) = global.reader()?;
        let run = records::find(&reader, &state, text)?;
        Ok(Target { state, reader, run })
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.run.id.number()
    }

    /// The host that is at work on it now, if there is one.
    ///
    /// # Errors
    /// The host cannot be asked.
    pub fn hosted(&self) -> Result<Option<Session>, Failure> {
        let Some(mut session) = Session::join(&Settings::new(&self.state))? else { return Ok(None) };
        match session.status() {
            Ok(status) => Ok(status.runs.contains(&self.number()).then_some(session)),
            Err(error) if error.is_host_gone() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a command to whoever is at work on the run, and says so.
    ///
    /// # Errors
    /// Nobody is; it is refused.
    pub fn tell(&self, command: Command, done: &str) -> Result<Exit, Failure> {
        match self.hosted()? {
            Some(mut session) => {
                session.command(self.number(), command)?;
                eprintln!("run {}: {done}", self.number());
                Ok(Exit::Success)
            }
            None if self.run.state.is_ended() => {
                let state = partitur_api::run_state_name(self.run.state);
                let message = format!("run {} has ended: {state}", self.number());
                Err(Failure::refused(message, format!("`partitur show {}` says how", self.number())))
            }
            None => {
                let message = format!("run {} rests: no process is at work on it", self.number());
                Err(Failure::refused(message, format!("`partitur resume {}` goes on with it", self.number())))
            }
        }
    }

    /// Takes the run up, here or with the host that is there, does something to it, and follows it to its end.
    ///
    /// # Errors
    /// It is refused; the host's.
    pub fn go_on(&self, command: Option<Command>, global: &Global, going: &Going) -> Result<Exit, Failure> {
        let definition = Records::read(&self.reader, self.run.id, None)?.definition;
        let secrets = document::secrets(&definition, going.secret_dir.as_deref())?;
        let mut session = self.enter(&definition, secrets)?;
        if let Some(command) = command {
            session.command(self.number(), command)?;
        }
        self.scene(definition, global, going.look).follow(&mut session)
    }

    /// Follows the run beside the process that is at work on it, and takes its place if it dies.
    ///
    /// # Errors
    /// The host's, the store's.
    pub fn follow(&self, global: &Global, going: &Going) -> Result<Exit, Failure> {
        let definition = Records::read(&self.reader, self.run.id, None)?.definition;
        // Whoever only looks need not know them.
        let secrets = document::secrets(&definition, going.secret_dir.as_deref()).unwrap_or_default();
        let mut session = self.enter(&definition, secrets)?;
        self.scene(definition, global, going.look).follow(&mut session)
    }

    fn enter(&self, definition: &Definition, secrets: Vec<(String, String)>) -> Result<Session, Failure> {
        let settings = settings(&self.state, Some(self.at_once(definition).max(AT_ONCE)), secrets);
        Ok(Session::enter(settings, &[self.number()])?)
    }

    fn at_once(&self, definition: &Definition) -> u32 {
        let declared = definition.concurrency.map(|concurrency| concurrency.max);
        self.run.options.concurrency.or(declared).unwrap_or(AT_ONCE)
    }

    fn scene(&self, definition: Arc<Definition>, global: &Global, look: Look) -> Scene {
        Scene {
            run: self.number(),
            state: self.state.clone(),
            dir: label(&self.run, "dir").unwrap_or_default().to_owned(),
            at_once: self.at_once(&definition),
            definition,
            targets: self.run.options.targets.clone(),
            resumed: true,
            look,
            colour: global.color,
        }
    }
}
