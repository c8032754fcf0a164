//! What the tasks of a run inherit from whoever submitted it. It is kept in memory only: environments hold secrets.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::Arc;

use partitur_worker::Secrets;
use partitur_worker::build::Sealing;

/// The environment and secrets of a submitter.
#[derive(Clone)]
pub(crate) struct Context {
    pub dir: PathBuf,
    pub env: Vec<(OsString, OsString)>,
    pub secrets: Arc<dyn Secrets>,
    /// An equal run may be spared as long as nothing changes.
    pub seal: Option<Sealing>,
    /// The tasks of the run, if it asks only about what something has reached.
    pub only: Option<Arc<[String]>>,
}

/// Secrets by name, as a terminal sent them.
pub(crate) struct Given(pub BTreeMap<String, String>);

impl Secrets for Given {
    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

/// An environment from the wire.
pub(crate) fn env_from_wire(env: &[(Vec<u8>, Vec<u8>)]) -> Vec<(OsString, OsString)> {
    env.iter()
        .map(|(name, value)| (OsString::from_vec(name.clone()), OsString::from_vec(value.clone())))
        .collect()
}

/// This process's environment for the wire.
pub(crate) fn env_to_wire() -> Vec<(Vec<u8>, Vec<u8>)> {
    std::env::vars_os().map(|(name, value)| (name.into_vec(), value.into_vec())).collect()
}
