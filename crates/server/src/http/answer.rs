//! Answers: JSON, text, nothing; and why a request was refused, as Conductor's clients read it.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use partitur_conductor::wire::{BadJson, ErrorResponse, ValidationError};
use partitur_engine::Refusal;
use partitur_store::StoreError;
use serde::Serialize;

use crate::handle::{HandedOut, NodeError};
use crate::programs::NoProgram;
use crate::reads::ReadError;

/// What a handler gives.
pub(crate) type Answer = Result<Response, Error>;

/// Why a request is refused.
#[derive(Debug)]
pub struct Error(pub ErrorResponse);

impl Error {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Error {
        Error(ErrorResponse {
            status: status.as_u16(),
            message: Some(message.into()),
            retryable: matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE),
            ..ErrorResponse::default()
        })
    }

    pub fn bad(message: impl Into<String>) -> Error {
        Error::new(StatusCode::BAD_REQUEST, message)
    }

    pub fn not_found(message: impl Into<String>) -> Error {
        Error::new(StatusCode::NOT_FOUND, message)
    }

    pub fn conflict(message: impl Into<String>) -> Error {
        Error::new(StatusCode::CONFLICT, message)
    }

    /// Refuses a document with faults; nothing without.
    pub fn if_any(faults: Vec<ValidationError>) -> Result<(), Error> {
        if faults.is_empty() { Ok(()) } else { Err(Error(ErrorResponse::invalid(faults))) }
    }

    /// The sentence for people.
    pub fn message(&self) -> &str {
        self.0.message.as_deref().unwrap_or_default()
    }
}

impl IntoResponse for Error {
    fn into_response(mut self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.0.instance.get_or_insert_with(|| "partitur".to_owned());
        let mut response = with_status(status, json(&self.0));
        if self.0.retryable {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<NodeError> for Error {
    fn from(error: NodeError) -> Error {
        let status = match &error {
            NodeError::Refused(refusal) => return refusal.clone().into(),
            NodeError::DiskFull(_) => StatusCode::INSUFFICIENT_STORAGE,
            NodeError::DiskTrouble(_) | NodeError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        Error::new(status, error.to_string())
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        let status = match &refusal {
            Refusal::UnknownRun | Refusal::UnknownTask(_) | Refusal::NoLock => StatusCode::NOT_FOUND,
            Refusal::WrongState { .. }
            | Refusal::WrongTaskState { .. }
            | Refusal::NothingToDo(_)
            | Refusal::KeyTaken(_)
            | Refusal::LockTaken(_)
            | Refusal::TooManyRuns { .. } => StatusCode::CONFLICT,
            Refusal::BadSubmission(faults) => {
                let told =
                    faults.iter().map(|fault| ValidationError::new(fault.place.to_string(), &*fault.message));
                return Error(ErrorResponse::invalid(told.collect()));
            }
            Refusal::Incident(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Error::new(status, refusal.to_string())
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Error {
        let status = match error {
            ReadError::Node(error) => return error.into(),
            ReadError::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            ReadError::Store(StoreError::Full | StoreError::Busy | StoreError::Overloaded) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            ReadError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Error::new(status, error.to_string())
    }
}

impl From<NoProgram> for Error {
    fn from(error: NoProgram) -> Error {
        match error {
            NoProgram::Unknown { .. } => Error::not_found(error.to_string()),
            NoProgram::Faulty(faults) => Error(ErrorResponse::invalid(faults)),
        }
    }
}

impl From<BadJson> for Error {
    fn from(error: BadJson) -> Error {
        Error::bad(error.to_string())
    }
}

/// JSON text that was written by hand.
pub(crate) fn raw(text: String) -> Response {
    typed("application/json", text)
}

/// JSON.
pub(crate) fn json(value: &impl Serialize) -> Response {
    raw(serde_json::to_string(value).expect("what we answer has text for keys"))
}

/// Plain text, whatever the client says that it accepts: Conductor's clients parse the bare string.
pub(crate) fn text(text: impl Into<String>) -> Response {
    typed("text/plain;charset=UTF-8", text.into())
}

/// A drawing. Where it is opened by itself, nothing in it is executed or fetched.
pub(crate) fn svg(text: String) -> Response {
    let mut response = typed("image/svg+xml", text);
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    response
}

/// A page.
pub(crate) fn html(text: String) -> Response {
    typed("text/html;charset=UTF-8", text)
}

/// Done, and nothing to say.
pub(crate) fn done() -> Response {
    Response::new(Body::empty())
}

/// Nothing there.
pub(crate) fn nothing() -> Response {
    with_status(StatusCode::NO_CONTENT, done())
}

pub(crate) fn with_status(status: StatusCode, mut response: Response) -> Response {
    *response.status_mut() = status;
    response
}

fn typed(kind: &'static str, text: String) -> Response {
    with_type(kind, Body::from(text))
}

fn with_type(kind: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    *response.headers_mut() = headers;
    response
}

/// JSON that hands out tasks: they are the worker's only when the connection takes the text.
pub(crate) fn handing_out(tasks: HandedOut, text: String) -> Response {
    with_type("application/json", Body::new(Delivery { tasks, text: Some(text.into()) }))
}

/// The text of an answer, with the tasks in it. Dropped before it is taken, the tasks go back.
struct Delivery {
    tasks: HandedOut,
    text: Option<Bytes>,
}

impl http_body::Body for Delivery {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let text = self.text.take();
        if text.is_some() {
            self.tasks.delivered();
        }
        Poll::Ready(text.map(|text| Ok(Frame::data(text))))
    }

    fn is_end_stream(&self) -> bool {
        self.text.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.text.as_ref().map_or(0, |text| text.len() as u64))
    }
}
