//! External payloads: where they are written and read, and the files themselves.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::HOST;
use serde_json::json as value;

use super::Shared;
use crate::auth::{Right, asking};
use crate::http::answer::{Answer, Error, done, json, raw};
use crate::http::input::{Query, Text};
use crate::payloads;

/// What payloads may be; they are all kept alike.
const KINDS: [&str; 4] = ["WORKFLOW_INPUT", "WORKFLOW_OUTPUT", "TASK_INPUT", "TASK_OUTPUT"];

/// Where a client may write its payload, or read one. Who knows the address needs no key: nobody can guess it.
pub(crate) async fn location(State(app): Shared, query: Query, headers: HeaderMap) -> Answer {
    let kind = query.some_text("payloadType").map(str::to_ascii_uppercase);
    if let Some(kind) = kind.filter(|kind| !KINDS.contains(&kind.as_str())) {
        return Err(Error::bad(format!("`payloadType` is one of {}, not `{kind}`", KINDS.join(", "))));
    }
    let path = match query.some_text("operation").unwrap_or("READ").to_ascii_uppercase().as_str() {
        "WRITE" => {
            let asking = asking();
            if !asking.may(Right::Work) {
                asking.demand(Right::Start, "a payload of one's own")?;
            }
            payloads::issue(&app).await?
        }
        "READ" => {
            let path = query.some_text("path").ok_or_else(|| Error::bad("`path` is missing"))?.to_owned();
            payloads::read(&app, path.clone()).await?;
            path
        }
        other => return Err(Error::bad(format!("`operation` is READ or WRITE, not `{other}`"))),
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).filter(|host| is_host(host));
    let host = host.map_or_else(|| app.settings.listen().to_string(), str::to_owned);
    let scheme = match headers.get("x-forwarded-proto").map(|scheme| scheme.as_bytes()) {
        Some(b"https") => "https",
        Some(_) | None => "http",
    };
    Ok(json(&value!({"uri": format!("{scheme}://{host}/api/external-storage/{path}"), "path": path})))
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'-' | b'[' | b']'))
}

pub(crate) async fn write(State(app): Shared, Path(name): Path<String>, Text(text): Text) -> Answer {
    payloads::write(&app, name, text).await?;
    Ok(done())
}

pub(crate) async fn read(State(app): Shared, Path(name): Path<String>) -> Answer {
    payloads::read(&app, name).await.map(raw)
}
