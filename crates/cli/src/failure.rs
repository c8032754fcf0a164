//! Why a command could not do it, and what to do next.

use std::path::PathBuf;

use partitur::host::HostError;
use partitur_model::Fault;
use partitur_store::StoreError;

use crate::exit::Exit;
use crate::ink::{Line, Paint};
use crate::remote::Problem;

/// Why a command could not do it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The document is wrong; what is wrong with it is rendered already.
    #[error("{}", .0.trim_end())]
    Faulty(String),
    /// The document cannot be read.
    #[error("cannot read {path}: {reason}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        reason: String,
        /// A file beside it with a similar name.
        near: Option<String>,
    },
    /// The document does not take these inputs, or has no such target.
    #[error("{}", faults.iter().map(|fault| fault.message.as_str()).collect::<Vec<_>>().join("\n"))]
    Inputs {
        /// What is wrong with them.
        faults: Vec<Fault>,
    },
    /// Secrets that the document declares are not given.
    #[error("the document needs {}, which {} not given", names(.0), if .0.len() == 1 { "is" } else { "are" })]
    Secrets(Vec<String>),
    /// The command line contradicts itself or the document.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: String,
    },
    /// There is no such run.
    #[error("there is no run `{text}` in {}", state.display())]
    UnknownRun {
        /// As it was given.
        text: String,
        /// Where it was looked for.
        state: PathBuf,
    },
    /// The text is the beginning of several ids.
    #[error("`{text}` can mean the runs {}", numbers.join(", "))]
    Ambiguous {
        /// As it was given.
        text: String,
        /// Their numbers.
        numbers: Vec<String>,
    },
    /// There is no such thing; what there is instead.
    #[error("{message}")]
    Refused {
        /// What.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// Nothing has ever run here.
    #[error("there is no state directory here: no run has been started")]
    NoState,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The host.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A server.
    #[error(transparent)]
    Server(#[from] Problem),
    /// The machine.
    #[error("{what}: {error}")]
    Io {
        /// What was to be done.
        what: String,
        /// Why it could not.
        error: std::io::Error,
    },
}

impl Failure {
    /// A refusal with a remedy.
    pub fn refused(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure::Refused { message: message.into(), hint: Some(hint.into()) }
    }

    /// A wrong command line.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure::Usage { message: message.into(), hint: hint.into() }
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Failure::Faulty(_) | Failure::Unreadable { .. } | Failure::Inputs { .. } => Exit::Faulty,
            Failure::Usage { .. } | Failure::Secrets(_) => Exit::Usage,
            Failure::UnknownRun { .. }
            | Failure::Ambiguous { .. }
            | Failure::Refused { .. }
            | Failure::NoState => Exit::Refused,
            Failure::Store(_) | Failure::Io { .. } => Exit::State,
            Failure::Server(problem) => problem.exit(),
            Failure::Host(error) => match error {
                HostError::Refused(refused) if !refused.faults.is_empty() => Exit::Faulty,
                HostError::Refused(_) => Exit::Refused,
                HostError::Store(_)
                | HostError::Open(_)
                | HostError::Shard(_)
                | HostError::Io(_)
                | HostError::NoHost(_) => Exit::State,
            },
        }
    }

    /// For people.
    pub fn lines(&self) -> Vec<Line> {
        match self {
            Failure::Faulty(_) => Vec::new(),
            Failure::Inputs { faults } => faults
                .iter()
                .flat_map(|fault| one(Some(fault.code), &fault.message, fault.hint.as_deref()))
                .collect(),
            Failure::Host(HostError::Refused(refused)) if !refused.faults.is_empty() => refused
                .faults
                .iter()
                .flat_map(|(code, message, hint)| one(Some(code), message, hint.as_deref()))
                .collect(),
            Failure::Store(error) | Failure::Host(HostError::Store(error)) => {
                one(Some(error.code()), &error.to_string(), Some(error.hint()))
            }
            Failure::Host(HostError::Shard(error)) => {
                one(Some(error.cause().code()), &error.to_string(), Some(error.cause().hint()))
            }
            Failure::Secrets(names) => {
                let mut lines = one(None, &self.to_string(), None);
                lines.extend(names.iter().map(|name| {
                    let variable = partitur_worker::variable_name(name);
                    hint_line(&format!(
                        "set PARTITUR_SECRET_{variable}, or put it into the file `{name}` of --secret-dir"
                    ))
                }));
                lines
            }
            Failure::Unreadable { .. }
            | Failure::Usage { .. }
            | Failure::UnknownRun { .. }
            | Failure::Ambiguous { .. }
            | Failure::Refused { .. }
            | Failure::NoState
            | Failure::Server(_)
            | Failure::Host(_)
            | Failure::Io { .. } => one(None, &self.to_string(), self.hint().as_deref()),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Failure::Unreadable { near, .. } => near.as_ref().map(|near| format!("did you mean `{near}`?")),
            Failure::Usage { hint, .. } => Some(hint.clone()),
            Failure::UnknownRun { .. } => Some("`partitur runs` lists them".to_owned()),
            Failure::Ambiguous { .. } => Some("give the number, or more of the id".to_owned()),
            Failure::Refused { hint, .. } => hint.clone(),
            Failure::Server(problem) => problem.hint(),
            Failure::NoState => {
                Some("start one with `partitur run FILE`, or name the directory with --state-dir".to_owned())
            }
            Failure::Faulty(_)
            | Failure::Inputs { .. }
            | Failure::Secrets(_)
            | Failure::Store(_)
            | Failure::Host(_)
            | Failure::Io { .. } => None,
        }
    }
}

fn names(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let word = if names.len() == 1 { "the secret" } else { "the secrets" };
    format!("{word} {}", quoted.join(", "))
}

fn one(code: Option<&str>, message: &str, hint: Option<&str>) -> Vec<Line> {
    let word = code.map_or_else(|| "error".to_owned(), |code| format!("error[{code}]"));
    let mut parts = message.lines();
    let first = Line::new().add(Paint::Bad, word).text(": ").text(parts.next().unwrap_or_default());
    let mut lines = vec![first];
    lines.extend(parts.map(|part| Line::new().text("  ").text(part)));
    lines.extend(hint.map(hint_line));
    lines
}

fn hint_line(hint: &str) -> Line {
    Line::new().text("  hint: ").text(hint)
}
