//! Who is told what becomes of a run: an addition to Conductor's requests.

use partitur_model::callback::{Callback, Moments, Receiver};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Somebody who is told over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CallbackRequest {
    /// A URL of http or https, or the name of a receiver in the server's settings.
    pub to: String,
    /// Of what: `started`, `completed`, `failed`, `task-failed`, …; of how the run ends if nothing is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<String>,
    /// The name of the secret in the server's settings with which it is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Whether the output is told, up to 64 KiB.
    #[serde(default = "yes")]
    pub output: bool,
}

fn yes() -> bool {
    true
}

impl CallbackRequest {
    /// What it comes to.
    ///
    /// # Errors
    /// The field that is wrong, and why.
    pub fn read(&self) -> Result<Callback, (&'static str, String)> {
        let to = Receiver::read(&self.to).map_err(|problem| ("to", problem.to_owned()))?;
        let moments = Moments::read(self.states.iter().map(String::as_str));
        let moments = moments.map_err(|word| ("states", format!("there is no state `{word}`")))?;
        Ok(Callback {
            to,
            moments: Some(moments).filter(|moments| !moments.is_empty()),
            secret: self.secret.clone().filter(|secret| !secret.is_empty()),
            output: self.output,
        })
    }
}
