//! What of the settings may change while the server runs.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use partitur_worker::calls::Egress;

use crate::limits::Rates;
use crate::settings::{Row, Settings, SettingsError};

/// What holds at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Now {
    /// How fast requests may come.
    pub rates: Rates,
    /// Who is believed about the address of those whose requests it passes on.
    pub trusted_proxies: Vec<IpAddr>,
    /// So long a token holds.
    pub token_lifetime: Duration,
}

/// What of the settings may change.
#[derive(Debug)]
pub struct Live {
    settings: RwLock<Settings>,
    now: RwLock<Arc<Now>>,
    egress: Arc<Egress>,
}

/// What a reload came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Settings that hold from now on.
    pub taken: Vec<String>,
    /// Settings that differ and hold from the next start on.
    pub waiting: Vec<String>,
}

impl Live {
    /// As they were read at the start.
    pub fn new(settings: Settings) -> Live {
        let now = RwLock::new(Arc::new(settings.now()));
        let egress = Arc::new(Egress::by(settings.egress()));
        Live { settings: RwLock::new(settings), now, egress }
    }

    /// Where calls of tasks may go.
    pub fn egress(&self) -> &Arc<Egress> {
        &self.egress
    }

    /// All settings, as they are now.
    pub fn table(&self) -> Vec<Row> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).table()
    }

    /// What holds at the moment.
    pub fn now(&self) -> Arc<Now> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the settings again from where they came from, and takes over what may change.
    ///
    /// # Errors
    /// Something is wrong with them: nothing has changed.
    pub fn reload(&self) -> Result<Reloaded, SettingsError> {
        let mut settings = self.settings.write().unwrap_or_else(PoisonError::into_inner);
        let fresh = settings.again()?;
        let mut told = Reloaded::default();
        for (old, new) in settings.table().iter().zip(fresh.table()) {
            if old.value != new.value {
                let list = if new.live { &mut told.taken } else { &mut told.waiting };
                list.push(format!("{} = {} ({})", new.name, new.value, new.origin));
            }
        }
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh.now());
        settings.take_live(&fresh);
        // By the address where the server listens, whatever the file says by now.
        self.egress.follow(settings.egress());
        Ok(told)
    }
}
