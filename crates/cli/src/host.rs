//! How commands reach the host of a state directory, or become it.

use std::path::{Path, PathBuf};

use partitur::host::{Session, Settings};
use partitur_model::record::RunRecord;
use partitur_store::Reader;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::follow::Scene;
use crate::progress::Look;
use crate::records;
use crate::settings::Global;

/// Attempts that live at once, unless somebody says otherwise.
pub const AT_ONCE: u32 = 10;

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

    /// Whether a host is at work on it now.
    ///
    /// # Errors
    /// The host cannot be asked.
    pub fn hosted(&self) -> Result<Option<Session>, Failure> {
        Ok(match Session::join(&Settings::new(&self.state))? {
            Some(mut session) => session.status()?.runs.contains(&self.number()).then_some(session),
            None => None,
        })
    }

    /// Follows the run in this session.
    ///
    /// # Errors
    /// The host's, the store's.
    pub fn follow(&self, session: &mut Session, global: &Global, look: Look) -> Result<Exit, Failure> {
        let definition = records::Records::read(&self.reader, self.run.id, None)?.definition;
        let at_once = self.run.options.concurrency.unwrap_or(AT_ONCE);
        Scene {
            run: self.number(),
            state: self.state.clone(),
            definition,
            targets: self.run.options.targets.clone(),
            at_once,
            resumed: true,
            look,
            colour: global.color,
        }
        .follow(session)
    }
}

/// How this process hosts, if it does.
pub fn settings(state: &Path, at_once: Option<u32>, secrets: Vec<(String, String)>) -> Settings {
    Settings { concurrency: at_once.unwrap_or(AT_ONCE), secrets, ..Settings::new(state) }
}
