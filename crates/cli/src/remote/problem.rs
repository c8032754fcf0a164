//! Why a server did not do what it was asked to, in its own words, and what to do about it.

use partitur_model::fault::did_you_mean;

use crate::exit::Exit;

/// Why a server did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The address is none.
    #[error("`{text}` is no address of a server: {reason}")]
    Address {
        /// As it was given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody listens, or the connection broke.
    #[error("the server at {server} cannot be reached: {reason}")]
    Unreachable {
        /// Where.
        server: String,
        /// Why.
        reason: String,
    },
    /// The connection broke, or the time was over, after the request had left.
    #[error("the server at {server} did not answer {asked}: {reason}")]
    Unanswered {
        /// Where.
        server: String,
        /// Which request.
        asked: String,
        /// Why.
        reason: String,
        /// Whether it may have been done all the same.
        may_be_done: bool,
    },
    /// Somebody else answers there.
    #[error("what answers at {server} does not speak Conductor's protocol: {asked} was answered with {what}")]
    Foreign {
        /// Where.
        server: String,
        /// Which request.
        asked: String,
        /// How.
        what: String,
    },
    /// The key is wrong, or not good enough.
    #[error("the server refused {asked} with {status}: {message}")]
    Forbidden {
        /// Which request.
        asked: String,
        /// 401 or 403.
        status: u16,
        /// Its words.
        message: String,
        /// Whether a key was shown.
        with_key: bool,
    },
    /// It refused, or could not.
    #[error("the server refused {asked} with {status}: {message}{}", listed(.faults))]
    Refused {
        /// Which request.
        asked: String,
        /// The status of its answer.
        status: u16,
        /// Its words.
        message: String,
        /// What is wrong with the request, one by one.
        faults: Vec<(String, String)>,
        /// What to do, if somebody knows.
        hint: Option<String>,
    },
    /// It answered, and nobody can read it.
    #[error("the answer of the server is no JSON: {reason}")]
    Garbled {
        /// Why.
        reason: String,
    },
}

impl Problem {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Problem::Address { .. } => Exit::Usage,
            Problem::Unreachable { .. } | Problem::Unanswered { .. } => Exit::Unreachable,
            Problem::Foreign { .. } | Problem::Garbled { .. } => Exit::Unreachable,
            Problem::Forbidden { .. } => Exit::Refused,
            Problem::Refused { faults, .. } if !faults.is_empty() => Exit::Faulty,
            // 500 is how Conductor says that something is not in the right state.
            Problem::Refused { status: 502..=504, .. } => Exit::Unreachable,
            Problem::Refused { .. } => Exit::Refused,
        }
    }

    /// What to do.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Problem::Address { .. } => "write it as `--server http://HOST:PORT`",
            Problem::Unreachable { .. } => {
                "is it running, and is this its address? `--server URL` or PARTITUR_SERVER names another"
            }
            Problem::Unanswered { may_be_done: true, .. } => {
                "nobody knows whether it was done: look before you repeat it"
            }
            Problem::Unanswered { .. } => "`--timeout 2m` waits longer",
            Problem::Foreign { .. } => "name the server with `--server URL`; `/api` is added to it",
            Problem::Forbidden { status: 401, with_key: false, .. } => {
                "set CONDUCTOR_AUTH_KEY and CONDUCTOR_AUTH_SECRET, or name files with --key-file and --secret-file"
            }
            Problem::Forbidden { status: 401, .. } => "the key is unknown, expired, or switched off",
            Problem::Forbidden { .. } => "the key may not do this: use one with another role",
            Problem::Refused { hint, .. } => return hint.clone(),
            Problem::Garbled { .. } => return None,
        };
        Some(text.to_owned())
    }

    /// Whether the server knows of no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Problem::Refused { status: 404, .. })
    }

    /// The same with a remedy, if there is none yet.
    #[must_use]
    pub fn or_hint(mut self, remedy: impl FnOnce() -> Option<String>) -> Problem {
        if let Problem::Refused { hint: hint @ None, .. } = &mut self {
            *hint = remedy();
        }
        self
    }

    /// The words of the server, without the request.
    pub fn words(&self) -> String {
        match self {
            Problem::Refused { message, faults, .. } => format!("{message}{}", listed(faults)),
            Problem::Forbidden { message, .. } => message.clone(),
            Problem::Address { .. }
            | Problem::Unreachable { .. }
            | Problem::Unanswered { .. }
            | Problem::Foreign { .. }
            | Problem::Garbled { .. } => self.to_string(),
        }
    }
}

/// `did you mean` among what there is.
pub fn meant<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    did_you_mean(wanted, known).map(|near| format!("did you mean `{near}`?"))
}

fn listed(faults: &[(String, String)]) -> String {
    faults.iter().map(|(path, message)| format!("\n{path}: {message}")).collect()
}
