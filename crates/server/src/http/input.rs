//! What comes with a request, within limits and with Conductor's errors.

use std::borrow::Cow;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use bytes::Bytes;
use partitur_conductor::wire;
use partitur_model::{Payload, RunId};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;

use super::answer::Error;
use super::arrival::Late;

/// No body is larger.
pub const BODY_MAX: usize = 16 << 20;

/// A body in JSON.
pub(crate) struct Json<T>(pub T);

/// A body as it came.
pub(crate) struct Text(pub String);

/// What stands behind the `?`.
#[derive(Clone)]
pub(crate) struct Query(Vec<(String, String)>);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Json<T>, Error> {
        let bytes = json_body(request).await?;
        Ok(Json(wire::read(&bytes)?))
    }
}

impl<S: Sync> FromRequest<S> for Text {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Text, Error> {
        let bytes = body(request).await?;
        let text = String::from_utf8(bytes.into()).map_err(|_| Error::bad("the body is not UTF-8"))?;
        Ok(Text(text))
    }
}

/// A body that is said to be JSON. What is no body at all need not be said to be anything.
async fn json_body(request: Request) -> Result<Bytes, Error> {
    let kind =
        request.headers().get(CONTENT_TYPE).map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned());
    let bytes = body(request).await?;
    match kind.as_deref() {
        Some(kind) if is_json(kind) => Ok(bytes),
        Some(_) | None if bytes.is_empty() => Ok(bytes),
        // Conductor's words, with the status that fits.
        Some(kind) => Err(unsupported(kind)),
        None => Err(unsupported("application/octet-stream")),
    }
}

/// `application/json`, or a kind that is built on it; whatever else is said about it.
fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.strip_prefix("application/").is_some_and(|kind| kind == "json" || kind.ends_with("+json"))
}

fn unsupported(kind: &str) -> Error {
    Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("Content-Type '{kind}' is not supported"))
}

async fn body(request: Request) -> Result<Bytes, Error> {
    let too_large =
        || Error::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body has at most {} MB", BODY_MAX >> 20));
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > BODY_MAX) {
        return Err(too_large());
    }
    let body: Body = request.into_body();
    to_bytes(body, BODY_MAX).await.map_err(|error| {
        if is_caused_by::<http_body_util::LengthLimitError>(&error) {
            too_large()
        } else if is_caused_by::<Late>(&error) {
            Error::new(StatusCode::REQUEST_TIMEOUT, Late.to_string())
        } else {
            Error::bad(format!("the body could not be read: {error}"))
        }
    })
}

fn is_caused_by<T: std::error::Error + 'static>(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| error.is::<T>())
}

/// A body with one of something, or a list of them: clients differ.
pub(crate) struct Many<T>(pub Vec<T>);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Many<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Many<T>, Error> {
        let bytes = json_body(request).await?;
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        Ok(Many(if first == Some(&b'[') { wire::read(&bytes)? } else { vec![wire::read(&bytes)?] }))
    }
}

impl<T: JsonSchema> JsonSchema for Many<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [generator.subschema_for::<T>(), generator.subschema_for::<Vec<T>>()]})
    }
}

/// A body that may be missing: an object.
pub(crate) struct OptionalObject(pub Payload);

impl<S: Sync> FromRequest<S> for OptionalObject {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<OptionalObject, Error> {
        let bytes = json_body(request).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(OptionalObject(empty_object()));
        }
        Ok(OptionalObject(wire::read::<wire::Object>(&bytes)?.0))
    }
}

impl JsonSchema for OptionalObject {
    fn schema_name() -> Cow<'static, str> {
        "OptionalObject".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["object", "null"]})
    }
}

/// `{}`.
pub(crate) fn empty_object() -> Payload {
    wire::Object::default().0
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Query, Error> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key), decoded(value))
        });
        Ok(Query(pairs.collect()))
    }
}

impl Query {
    /// Of these keys and values.
    pub fn of<const N: usize>(pairs: [(&str, &str); N]) -> Query {
        Query(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    /// The value of a key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// The value of a key, if there is any text in it.
    pub fn some_text(&self, key: &str) -> Option<&str> {
        self.text(key).filter(|text| !text.is_empty())
    }

    /// All values of a key.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// The values under keys such as `name[key]`, as an object of texts.
    pub fn object(&self, name: &str) -> Payload {
        let inner = |key: &str| {
            let inner = key.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?;
            Some(inner.to_owned())
        };
        let entries = self.0.iter().filter_map(|(key, value)| Some((inner(key)?, Payload::string(value))));
        Payload::object(entries)
    }

    /// `true` or `false`.
    pub fn truth(&self, key: &str, default: bool) -> Result<bool, Error> {
        match self.some_text(key).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(default),
            Some("true" | "1" | "yes" | "on") => Ok(true),
            Some("false" | "0" | "no" | "off") => Ok(false),
            Some(other) => Err(Error::bad(format!("`{key}` is `true` or `false`, not `{other}`"))),
        }
    }

    /// A whole number.
    pub fn number(&self, key: &str, default: u64) -> Result<u64, Error> {
        self.some_number(key).map(|number| number.unwrap_or(default))
    }

    /// A whole number, if there is one.
    pub fn some_number(&self, key: &str) -> Result<Option<u64>, Error> {
        let number = |text: &str| text.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok());
        self.some_text(key)
            .map(|text| {
                number(text).ok_or_else(|| Error::bad(format!("`{key}` is a whole number, not `{text}`")))
            })
            .transpose()
    }

    /// Which version, the latest if none.
    pub fn version(&self) -> Result<Option<u32>, Error> {
        Ok(self
            .some_number("version")?
            .and_then(|version| u32::try_from(version).ok())
            .filter(|&version| version > 0))
    }
}

/// Text with its `%20` and `+` read.
fn decoded(text: &str) -> String {
    if !text.contains(['%', '+']) {
        return text.to_owned();
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, tail @ ..] = rest {
        let hex = |at: usize| tail.get(at).and_then(|&digit| (digit as char).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
                continue;
            }
            (b'+', _, _) => bytes.push(b' '),
            (&byte, _, _) => bytes.push(byte),
        }
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The run that an id names; an id that is none of ours names none.
pub(crate) fn run_id(text: &str) -> Result<RunId, Error> {
    text.parse().map_err(|_| no_run(text))
}

/// There is no such run.
pub(crate) fn no_run(id: &str) -> Error {
    Error::not_found(format!("No such workflow found by id: {id}"))
}

/// There is no such task.
pub(crate) fn no_task(id: &str) -> Error {
    Error::not_found(format!("No such task found by id: {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_may_be_said_in_many_ways() {
        for kind in ["application/json", "APPLICATION/JSON; charset=utf-8", "application/vnd.x+json"] {
            assert!(is_json(kind), "{kind}");
        }
        for kind in ["", "text/plain", "application/xml", "application/jsonp", "json", "text/json"] {
            assert!(!is_json(kind), "{kind}");
        }
    }

    #[test]
    fn escapes_in_queries_are_read() {
        assert_eq!(decoded("a%20b+c%C3%BC%zz%4"), "a b cü%zz%4");
    }
}
