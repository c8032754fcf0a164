//! HTTP calls. They live on a thread of their own, started by the first of them: a run without calls pays for neither
//! thread nor TLS.

use std::collections::HashMap;
use std::error::Error as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use partitur_model::dispatch::{Ending, HttpCall, ReportKind};
use partitur_model::record::TaskError;
use partitur_model::{AttemptId, Payload};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response, Url, redirect};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;

use crate::capture::RESULT_BYTES_MAX;
use crate::https;
use crate::inbox::{Letter, Mailbox};

const REDIRECTS_MAX: usize = 5;
const CONNECTIONS_MAX: usize = 100;
const IDLE: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// So much of an answer explains a failure.
const EXCERPT_BYTES: usize = 1 << 10;

/// The thread that makes calls. It ends, and its calls with it, when this is dropped.
pub(crate) struct HttpThread {
    orders: UnboundedSender<Order>,
}

enum Order {
    Make { serial: u64, attempt: AttemptId, call: HttpCall },
    Abort { serial: u64 },
    Ask { serial: u64, question: Question },
}

/// What a service is asked.
#[derive(Debug)]
pub(crate) enum Question {
    /// Whether it takes connections: a port of this machine, or `host:port`.
    Port(String),
    /// Whether it answers well.
    Http(String),
}

/// Who has not answered by then is not up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

impl Question {
    async fn answer(self, client: &Client) -> bool {
        let asked = async {
            match self {
                Question::Http(url) => {
                    client.get(url).send().await.is_ok_and(|answer| answer.status().is_success())
                }
                Question::Port(port) => match port.parse::<u16>() {
                    Ok(port) => {
                        let here = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
                        let here = here.map(|address| SocketAddr::new(address, port));
                        TcpStream::connect(&here[..]).await.is_ok()
                    }
                    Err(_) => TcpStream::connect(port).await.is_ok(),
                },
            }
        };
        tokio::time::timeout(ANSWER_TIMEOUT, asked).await.unwrap_or(false)
    }
}

impl HttpThread {
    /// Starts the thread; what becomes of its calls comes to `mailbox`.
    pub fn start(mailbox: Mailbox) -> io::Result<HttpThread> {
        let (orders, incoming) = unbounded_channel();
        thread::Builder::new().name("partitur-http".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(serve(incoming, &mailbox)),
                Err(error) => fail_all(incoming, &mailbox, &error.to_string()),
            }
        })?;
        Ok(HttpThread { orders })
    }

    /// Makes a call.
    pub fn make(&self, serial: u64, attempt: AttemptId, call: HttpCall) {
        // The thread lives as long as we do.
        let _ = self.orders.send(Order::Make { serial, attempt, call });
    }

    /// Asks a service whether it is up.
    pub fn ask(&self, serial: u64, question: Question) {
        let _ = self.orders.send(Order::Ask { serial, question });
    }

    /// Gives up a call; nothing more is heard of it.
    pub fn abort(&self, serial: u64) {
        let _ = self.orders.send(Order::Abort { serial });
    }
}

async fn serve(mut orders: UnboundedReceiver<Order>, mailbox: &Mailbox) {
    let client = https::client()
        .redirect(redirect::Policy::limited(REDIRECTS_MAX))
        .pool_max_idle_per_host(CONNECTIONS_MAX)
        .pool_idle_timeout(IDLE)
        .connect_timeout(CONNECT_TIMEOUT)
        .build();
    let client = match client {
        Ok(client) => client,
        Err(error) => return fail_all(orders, mailbox, &explain(error)),
    };
    let mut running: HashMap<u64, AbortHandle> = HashMap::new();
    let tasks = tokio::task::LocalSet::new();
    let receive = async {
        while let Some(order) = orders.recv().await {
            running.retain(|_, call| !call.is_finished());
            match order {
                Order::Make { serial, attempt, call } => {
                    let (client, mailbox) = (client.clone(), mailbox.clone());
                    let task = tokio::task::spawn_local(async move {
                        let result = perform(&client, attempt, call).await;
                        let ending = match result {
                            Ok(output) => Ending::success(Some(output)),
                            Err(error) => Ending::failure(error),
                        };
                        mailbox.send(Letter::Called { serial, what: ReportKind::Ended(Box::new(ending)) });
                    });
                    running.insert(serial, task.abort_handle());
                }
                Order::Ask { serial, question } => {
                    let (client, mailbox) = (client.clone(), mailbox.clone());
                    tokio::task::spawn_local(async move {
                        let up = question.answer(&client).await;
                        mailbox.send(Letter::Asked { serial, up });
                    });
                }
                Order::Abort { serial } => running.remove(&serial).into_iter().for_each(|call| call.abort()),
            }
        }
    };
    tasks.run_until(receive).await;
}

/// Nothing can be called on this machine.
fn fail_all(mut orders: UnboundedReceiver<Order>, mailbox: &Mailbox, why: &str) {
    while let Some(order) = orders.blocking_recv() {
        if let Order::Make { serial, .. } = order {
            let error = TaskError::new("http-client", format!("no HTTP call can be made here: {why}"));
            let what = ReportKind::Ended(Box::new(Ending::failure(error)));
            mailbox.send(Letter::Called { serial, what });
        }
    }
}

/// Makes one call.
pub(crate) async fn perform(
    client: &Client,
    attempt: AttemptId,
    call: HttpCall,
) -> Result<Payload, TaskError> {
    let what = Described::new(&call)?;
    let mut request = client.request(what.method.clone(), what.url.clone()).headers(headers(attempt, &call)?);
    if let Some(body) = call.body {
        request = match body.to_value() {
            serde_json::Value::String(text) => request.body(text),
            _ => request.body(body.render()),
        };
    }
    let response = request.send().await.map_err(|error| what.transport_error(error))?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = what.read_body(response).await?;
    if !status.is_success() {
        return Err(what.refusal(status.as_u16(), &body));
    }
    let fields = headers.keys().map(|name| {
        let values: Vec<String> = headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        (Arc::from(name.as_str()), Payload::string(&values.join(", ")))
    });
    Ok(Payload::object([
        ("status", Payload::from(u64::from(status.as_u16()))),
        ("headers", Payload::Object(fields.collect())),
        ("body", payload(&headers, &body)),
    ]))
}

/// A call as errors name it: without what may be secret in its address.
struct Described {
    method: Method,
    url: Url,
}

impl Described {
    fn new(call: &HttpCall) -> Result<Described, TaskError> {
        let method = if call.method.is_empty() { "GET" } else { &call.method };
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| bad_request(format!("`{method}` is no HTTP method")))?;
        let url =
            Url::parse(&call.url).map_err(|error| bad_request(format!("the address is no URL: {error}")))?;
        match url.scheme() {
            "http" | "https" => Ok(Described { method, url }),
            other => Err(bad_request(format!("only http and https can be called, not {other}"))),
        }
    }

    async fn read_body(&self, mut response: Response) -> Result<Vec<u8>, TaskError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transport_error(error))? {
            if body.len() + chunk.len() > RESULT_BYTES_MAX {
                return Err(crate::capture::too_large(&format!("the answer to {self}")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn transport_error(&self, error: reqwest::Error) -> TaskError {
        let code = match () {
            () if error.is_timeout() => "http-timeout",
            () if error.is_connect() => "http-connect",
            () if error.is_redirect() => "http-redirect",
            () if error.is_builder() => "http-request",
            () => "http-broken",
        };
        TaskError::new(code, format!("{self}: {}", explain(error)))
    }

    fn refusal(&self, status: u16, body: &[u8]) -> TaskError {
        let excerpt = String::from_utf8_lossy(&body[..body.len().min(EXCERPT_BYTES)]);
        let message = match excerpt.trim() {
            "" => format!("{self} answered {status}"),
            text => format!("{self} answered {status}: {text}"),
        };
        TaskError::new(format!("http-{status}"), message)
    }
}

impl std::fmt::Display for Described {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (scheme, host, path) =
            (self.url.scheme(), self.url.host_str().unwrap_or_default(), self.url.path());
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        write!(f, "{} {scheme}://{host}{port}{path}", self.method)
    }
}

fn headers(attempt: AttemptId, call: &HttpCall) -> Result<HeaderMap, TaskError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &call.headers {
        let known = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| bad_request(format!("`{name}` is no name of a header")))?;
        // The value may be a secret, so it is not shown.
        let value = HeaderValue::from_str(value)
            .map_err(|_| bad_request(format!("the header `{name}` has a value that cannot be sent")))?;
        headers.append(known, value);
    }
    let body_kind = call.body.as_ref().map(|body| match body.render().starts_with('"') {
        true => "text/plain; charset=utf-8",
        false => "application/json",
    });
    if let Some(kind) = body_kind {
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
    }
    let AttemptId { run, task, token } = attempt;
    let key = HeaderValue::from_str(&format!("{run}-{}-{token}", task.0)).expect("digits and dashes");
    headers.entry("idempotency-key").or_insert(key);
    Ok(headers)
}

fn payload(headers: &HeaderMap, body: &[u8]) -> Payload {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let text = String::from_utf8_lossy(body);
    let is_json =
        kind.is_empty() || kind == "application/json" || kind.ends_with("+json") || kind == "text/json";
    match is_json.then(|| Payload::parse(&text)) {
        Some(Ok(json)) => json,
        Some(Err(_)) | None => Payload::string(&text),
    }
}

fn bad_request(message: String) -> TaskError {
    TaskError::terminal("http-request", message)
}

/// The innermost causes say what happened; the address is left out, for it may hold a secret.
fn explain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}
