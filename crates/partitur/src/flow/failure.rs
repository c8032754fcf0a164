//! Why a task did not succeed, as its closure says it.

use std::fmt;

use partitur_model::record::TaskError;

/// What a task returns when it cannot do its work. Every error converts into it with `?`.
///
/// ```
/// use partitur::flow::Failure;
///
/// fn port(text: &str) -> Result<u16, Failure> {
///     if text.is_empty() {
///         return Err(Failure::terminal("no-port", "the port is empty"));
///     }
///     Ok(text.parse()?)
/// }
/// assert_eq!(port("x").unwrap_err().to_string(), "invalid digit found in string");
/// assert_eq!(port("").unwrap_err().code(), "no-port");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(TaskError);

/// The code of a failure that was converted from an error.
pub const CODE_FAILED: &str = "failed";
/// The code of a task whose closure or future panicked.
pub const CODE_PANIC: &str = "panic";
/// The code of a task that took longer than it may.
pub const CODE_TIMEOUT: &str = "timeout";
/// The code of a task that was cancelled.
pub const CODE_CANCELLED: &str = "cancelled";

impl Failure {
    /// A failure after which another attempt may help. Filters of [`Retry`](partitur_model::definition::Retry) see
    /// the code.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Failure {
        Failure(TaskError::new(code, message))
    }

    /// A failure that another attempt would meet again: it is not retried.
    pub fn terminal(code: impl Into<String>, message: impl Into<String>) -> Failure {
        Failure(TaskError::terminal(code, message))
    }

    /// The stable word for filters.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The failure of a panic with this payload.
    pub(super) fn from_panic(payload: &(dyn std::any::Any + Send)) -> Failure {
        let said = payload.downcast_ref::<&str>().copied();
        let said = said.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Failure::new(CODE_PANIC, format!("panicked: {}", said.unwrap_or("without a message")))
    }

    /// What the record of the task says.
    pub fn into_error(self) -> TaskError {
        self.0
    }

    pub(super) fn error(&self) -> &TaskError {
        &self.0
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

/// Possible because `Failure` itself is no `Error`.
impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::new(CODE_FAILED, error.to_string())
    }
}
