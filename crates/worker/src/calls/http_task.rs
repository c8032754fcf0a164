//! One call, and what it yields.

use std::error::Error as _;
use std::time::Duration;

use partitur_model::record::TaskError;
use partitur_model::value::RawJson;
use partitur_model::{AttemptId, Payload, TaskId};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response, Url, Version};
use serde_json::Value;

use super::egress::Refused;

/// An answer larger than this fails the call.
const BODY_MAX: usize = 10 << 20;

/// Conductor's defaults.
const CONNECT: Duration = Duration::from_millis(3_000);
const READ: Duration = Duration::from_millis(3_000);

/// No call takes longer in all.
const WHOLE_MAX: Duration = Duration::from_secs(3_600);

/// What became of a call.
#[derive(Debug)]
pub(crate) enum Called {
    /// It was answered well.
    Succeeded(Payload),
    /// It was not.
    Failed {
        /// Why.
        error: TaskError,
        /// What was answered all the same.
        output: Option<Payload>,
    },
}

/// A call as its task describes it.
pub(crate) struct Call {
    method: Method,
    /// Where to.
    pub url: Url,
    headers: HeaderMap,
    body: Option<String>,
    connect: Duration,
    read: Duration,
}

impl Call {
    /// What the input describes.
    pub fn read(input: &Payload) -> Result<Call, String> {
        let request = input.member("http_request").filter(|request| !request.is_null());
        let request = request.as_ref().unwrap_or(input).to_value();
        let text = |key: &str| request.get(key).and_then(Value::as_str);
        let uri = text("uri").or(text("url")).ok_or("the input names no `uri`")?;
        let url = Url::parse(uri).map_err(|error| format!("`{uri}` is no URL: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("`{}` is neither http nor https", url.scheme()));
        }
        let method = text("method").unwrap_or("GET").to_ascii_uppercase();
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| format!("`{method}` is no method"))?;
        let body = request.get("body").filter(|body| !body.is_null()).map(|body| match body {
            Value::String(text) => text.clone(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                body.to_string()
            }
        });
        let millis = |key: &str| {
            request.get(key).and_then(whole).filter(|&millis| millis > 0).map(Duration::from_millis)
        };
        Ok(Call {
            headers: headers(&request, body.is_some())?,
            method,
            url,
            body,
            connect: millis("connectionTimeOut").unwrap_or(CONNECT),
            read: millis("readTimeOut").unwrap_or(READ),
        })
    }

    /// Makes it.
    pub async fn perform(&self, client: &Client, attempt: AttemptId) -> Called {
        match tokio::time::timeout(self.patience(), self.make(client, attempt)).await {
            Ok(called) => called.unwrap_or_else(|error| Called::Failed { error, output: None }),
            Err(_) => {
                let message =
                    format!("{} did not answer within {} ms", self.url, self.patience().as_millis());
                Called::Failed { error: TaskError::new("http-timeout", message), output: None }
            }
        }
    }

    fn patience(&self) -> Duration {
        (self.connect + self.read).min(WHOLE_MAX)
    }

    async fn make(&self, client: &Client, attempt: AttemptId) -> Result<Called, TaskError> {
        let mut request = client.request(self.method.clone(), self.url.clone()).headers(self.headers.clone());
        let key = TaskId::new(attempt.run, attempt.task).to_string();
        request = request.header("idempotency-key", key).timeout(self.patience());
        if let Some(body) = &self.body {
            request = request.body(body.clone());
        }
        let response = request.send().await.map_err(|error| transport(&self.url, error))?;
        let status = response.status();
        let fields = answered_headers(response.version(), response.headers());
        let body = body_of(response).await?;
        let output = Payload::object([(
            "response",
            Payload::object([
                ("headers", fields),
                ("statusCode", Payload::from(u64::from(status.as_u16()))),
                ("body", body),
                ("reasonPhrase", Payload::string(status.canonical_reason().unwrap_or_default())),
            ]),
        )]);
        if status.is_success() {
            return Ok(Called::Succeeded(output));
        }
        let message = format!("{} {} was answered with {status}", self.method, self.url);
        let error = TaskError::new(format!("http-{}", status.as_u16()), message);
        Ok(Called::Failed { error, output: Some(output) })
    }
}

/// A whole number, as such or as text.
pub(crate) fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn headers(request: &Value, has_body: bool) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let listed = |value: &Value| match value {
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    };
    let accept = request.get("accept").filter(|accept| !accept.is_null()).map(listed);
    let content = request.get("contentType").filter(|content| !content.is_null()).map(listed);
    let mut set = |name: &str, text: &str| -> Result<(), String> {
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is no header"))?;
        let value =
            HeaderValue::from_str(text).map_err(|_| format!("the header `{name}` has no valid value"))?;
        headers.insert(key, value);
        Ok(())
    };
    set(ACCEPT.as_str(), accept.as_deref().unwrap_or("application/json"))?;
    if has_body {
        set(CONTENT_TYPE.as_str(), content.as_deref().unwrap_or("application/json"))?;
    }
    if let Some(Value::Object(given)) = request.get("headers") {
        for (name, value) in given {
            set(name, &listed(value))?;
        }
    }
    Ok(headers)
}

/// The headers of an answer, with all values of each. Expressions name them as their servers spell them, which our client
/// forgets: up to HTTP/1.1 mostly as `Content-Type`, since then as `content-type`. So they are there as both.
fn answered_headers(version: Version, headers: &HeaderMap) -> Payload {
    let values = |name: &HeaderName| {
        let all = headers.get_all(name).iter();
        Payload::list(all.map(|value| Payload::string(&String::from_utf8_lossy(value.as_bytes()))))
    };
    let old = headers.keys().filter(|_| version <= Version::HTTP_11);
    let old = old.map(|name| (with_capitals(name.as_str()), values(name)));
    let old = old.filter(|(name, _)| name.bytes().any(|byte| byte.is_ascii_uppercase()));
    let plain = headers.keys().map(|name| (name.to_string(), values(name)));
    Payload::object(old.chain(plain))
}

/// `Content-Type` for `content-type`.
fn with_capitals(name: &str) -> String {
    let words = name.split('-').map(|word| match word.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => String::new(),
    });
    words.collect::<Vec<String>>().join("-")
}

/// The body as JSON if it is that, else as text.
async fn body_of(mut response: Response) -> Result<Payload, TaskError> {
    let url = response.url().clone();
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| transport(&url, error))? {
        if bytes.len() + chunk.len() > BODY_MAX {
            let message = format!("{url} answers with more than {} MB", BODY_MAX >> 20);
            return Err(TaskError::terminal("http-too-large", message));
        }
        bytes.extend_from_slice(&chunk);
    }
    let text = String::from_utf8_lossy(&bytes);
    if text.is_empty() {
        return Ok(Payload::Null);
    }
    Ok(RawJson::parse(&text).map_or_else(|_| Payload::string(&text), Payload::from))
}

fn transport(url: &Url, error: reqwest::Error) -> TaskError {
    let mut message = format!("{url} could not be asked");
    let mut cause = error.source();
    let mut refused = false;
    while let Some(inner) = cause {
        message.push_str(&format!(": {inner}"));
        refused |= inner.is::<Refused>();
        cause = inner.source();
    }
    if refused {
        TaskError::terminal("egress", message)
    } else if error.is_timeout() {
        TaskError::new("http-timeout", message)
    } else {
        TaskError::new("http-transport", message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_there_as_old_and_as_new_servers_spell_them() {
        let mut headers = HeaderMap::new();
        headers.append("x-two", HeaderValue::from_static("1"));
        headers.append("x-two", HeaderValue::from_static("2"));
        let of = |version| answered_headers(version, &headers).render();
        assert_eq!(of(Version::HTTP_11), r#"{"X-Two":["1","2"],"x-two":["1","2"]}"#);
        assert_eq!(of(Version::HTTP_2), r#"{"x-two":["1","2"]}"#);
    }
}
