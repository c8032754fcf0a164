//! What clients are told, apart from runs and tasks, which `render` writes.

use serde::{Deserialize, Serialize};

use super::raw::Entries;

/// What became of each of many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BulkResponse {
    /// Why it could not be done, by id.
    pub bulk_error_results: Entries<String>,
    /// With which ones it was done.
    pub bulk_successful_results: Vec<String>,
}

/// Why a request was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ErrorResponse {
    /// The status of the answer.
    pub status: u16,
    /// Stable, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What is wrong with the credential, as clients know it: `EXPIRED_TOKEN`, `INVALID_TOKEN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Box<str>>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Which server says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Whether the same request may be accepted later.
    pub retryable: bool,
    /// What is wrong with the request, one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub validation_errors: Vec<ValidationError>,
}

impl ErrorResponse {
    /// A request whose body has faults.
    pub fn invalid(validation_errors: Vec<ValidationError>) -> ErrorResponse {
        ErrorResponse {
            status: 400,
            message: Some("Validation failed, check below errors for detail.".to_owned()),
            validation_errors,
            ..ErrorResponse::default()
        }
    }
}

/// One thing that is wrong with a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ValidationError {
    /// Where.
    pub path: String,
    /// What.
    pub message: String,
    /// What stands there, if it is a scalar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalid_value: Option<String>,
}

impl ValidationError {
    /// A fault of what stands at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> ValidationError {
        ValidationError { path: path.into(), message: message.into(), invalid_value: None }
    }

    /// A fault of the scalar at `path`.
    pub fn of(path: impl Into<String>, message: impl Into<String>, value: impl ToString) -> ValidationError {
        ValidationError { invalid_value: Some(value.to_string()), ..ValidationError::new(path, message) }
    }
}

/// When a worker last asked for tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PollData {
    /// From which queue.
    pub queue_name: String,
    /// Of which domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Which worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<String>,
    /// When, in milliseconds.
    pub last_poll_time: u64,
}

/// The page of a search: how much there is, and the rendered results of this page.
pub fn search_result(total: u64, results: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut out = format!("{{\"totalHits\":{total},\"results\":[");
    for (at, result) in results.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(result.as_ref());
    }
    out.push_str("]}");
    out
}
