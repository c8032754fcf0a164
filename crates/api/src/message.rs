//! What a terminal asks of a host, and what the host answers.

use partitur_model::record::{DefinitionRecord, SourceFormat};
use partitur_model::{DefinitionId, RawJson};
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::status::Status;

/// One line from a terminal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// Start a run, and follow it.
    Submit(Box<Submit>),
    /// Do something to a run.
    Command {
        /// Its number.
        run: u64,
        /// What.
        command: Command,
    },
    /// Tell everything that happens to a run from now on, until it has ended.
    Follow {
        /// Its number.
        run: u64,
    },
    /// Go on with a run in this environment: what its tasks inherit is not kept on the disk.
    Adopt {
        /// Its number.
        run: u64,
        /// Name and value, as bytes.
        env: Vec<(Vec<u8>, Vec<u8>)>,
        /// Name and value.
        secrets: Vec<(String, String)>,
    },
    /// How things stand.
    Status,
    /// Close a breaker by hand.
    ResetBreaker {
        /// Its name.
        name: String,
    },
}

/// A run that somebody wants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Submit {
    /// What is executed.
    pub definition: Definition,
    /// An object, as text.
    pub input: String,
    /// Instead of the document's.
    pub on_failure: Option<OnFailure>,
    /// Instead of the document's.
    pub concurrency: Option<u32>,
    /// Only these tasks and what they need.
    pub targets: Vec<String>,
    /// Equal submissions within the window share a run.
    pub dedup_key: Option<String>,
    /// `dir` (absolute; where the tasks run), `file`, `user`.
    pub labels: Vec<(String, String)>,
    /// What the tasks inherit: name and value, as bytes.
    pub env: Vec<(Vec<u8>, Vec<u8>)>,
    /// The secrets that the document names.
    pub secrets: Vec<(String, String)>,
    /// A hash over the document and all that it is given, 64 hexadecimal digits: if the run succeeds, one with the same
    /// may be spared as long as nothing changes.
    #[serde(default)]
    pub seal: Option<String>,
}

/// A definition with its sources.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Its identity, 32 hexadecimal digits.
    pub id: String,
    /// The document's name.
    pub name: String,
    /// `yaml`, `json`, `nodes-edges`.
    pub format: String,
    /// The main file first.
    pub files: Vec<SourceFile>,
}

/// One file of a definition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceFile {
    /// As the document names it.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// What a task's failure means for the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Everything that does not depend on it goes on.
    Continue,
    /// The others are cancelled.
    FailFast,
    /// The others are cancelled and the completed tasks undone.
    Rollback,
}

impl From<OnFailure> for partitur_model::definition::OnFailure {
    fn from(policy: OnFailure) -> Self {
        match policy {
            OnFailure::Continue => Self::Continue,
            OnFailure::FailFast => Self::FailFast,
            OnFailure::Rollback => Self::Rollback,
        }
    }
}

/// What may be done to a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Command {
    /// Nothing new starts.
    Pause,
    /// It goes on.
    Unpause,
    /// It ends.
    Cancel {
        /// For people.
        reason: String,
    },
    /// One task ends.
    CancelTask {
        /// Its path.
        task: String,
    },
    /// The tasks of an agent end.
    CancelAgent {
        /// Its name.
        agent: String,
    },
    /// A waiting task ends.
    Signal {
        /// Its path.
        task: String,
        /// Its output, as JSON text.
        output: Option<String>,
        /// It fails, with this message.
        fail: Option<String>,
    },
    /// An ended run goes on from its failures.
    Retry,
    /// An ended run goes on from a task.
    Rerun {
        /// Its path.
        task: String,
    },
    /// An ended run starts from the beginning.
    Restart,
    /// An ended run is undone.
    Rollback,
}

/// One line from a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "response", rename_all = "kebab-case")]
pub enum Response {
    /// The run is accepted, durably.
    Accepted {
        /// Its number.
        run: u64,
        /// Its id.
        id: String,
        /// An equal submission was there already.
        duplicate: bool,
    },
    /// It is done, durably.
    Done,
    /// It is refused, and nothing has changed.
    Refused {
        /// For people.
        message: String,
        /// What is wrong with a submission: code, message, hint.
        faults: Vec<(String, String, Option<String>)>,
    },
    /// Something happened to a run that is followed.
    Event(Event),
    /// How things stand.
    Status(Box<Status>),
    /// The run that was followed has ended, or is not known; nothing more comes.
    End {
        /// Its number.
        run: u64,
    },
}

impl From<&DefinitionRecord> for Definition {
    fn from(record: &DefinitionRecord) -> Definition {
        Definition {
            id: record.id.to_string(),
            name: record.name.clone(),
            format: format_name(record.format).to_owned(),
            files: record
                .files
                .iter()
                .map(|file| SourceFile { path: file.path.clone(), text: file.text.to_string() })
                .collect(),
        }
    }
}

impl Definition {
    /// The record, if the message makes one.
    pub fn to_record(&self) -> Option<DefinitionRecord> {
        Some(DefinitionRecord {
            id: DefinitionId(u128::from_str_radix(&self.id, 16).ok()?),
            name: self.name.clone(),
            format: [
                SourceFormat::Yaml,
                SourceFormat::Json,
                SourceFormat::NodesEdges,
                SourceFormat::Conductor,
            ]
            .into_iter()
            .find(|format| format_name(*format) == self.format)?,
            files: self
                .files
                .iter()
                .map(|file| partitur_model::record::SourceFile {
                    path: file.path.clone(),
                    text: file.text.as_str().into(),
                })
                .collect(),
        })
    }
}

impl Command {
    /// The output of a signal, if it is JSON.
    ///
    /// # Errors
    /// The parser's message.
    pub fn parse_output(text: &str) -> Result<RawJson, String> {
        RawJson::parse(text).map_err(|error| format!("the output is no JSON: {error}"))
    }
}

fn format_name(format: SourceFormat) -> &'static str {
    match format {
        SourceFormat::Yaml => "yaml",
        SourceFormat::Json => "json",
        SourceFormat::NodesEdges => "nodes-edges",
        SourceFormat::Conductor => "conductor",
    }
}
