//! Requests, one after the other: with a token if there is a key, again where that does no harm, and never silently.

use std::cell::RefCell;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url, redirect};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::credentials::Credentials;
use super::options::Remote;
use super::problem::Problem;
use super::route::Route;
use super::told::{Told as _, parsed};
use crate::failure::Failure;

/// The pauses before what may be repeated is repeated.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];
/// A server that wants more is not waited for.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// So much of an answer explains a refusal.
const EXCERPT: usize = 300;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Post,
    Put,
    Delete,
}

/// A connection to a server.
pub struct Client {
    base: Url,
    runtime: Runtime,
    http: reqwest::Client,
    credentials: Option<Credentials>,
    token: RefCell<Token>,
}

/// What the server gave for the key.
#[derive(Clone, Default)]
enum Token {
    #[default]
    Unasked,
    /// It is open, or nobody has a key.
    None,
    Given(String),
}

/// A request.
struct Ask<'a> {
    method: Method,
    route: &'a Route,
    body: Option<String>,
    /// Nothing is changed by it.
    is_safe: bool,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Client {
    /// Makes a client; nothing is asked yet.
    ///
    /// # Errors
    /// The address is none, or a key is not whole.
    pub fn open(remote: &Remote) -> Result<Client, Failure> {
        let base = base(&remote.server())?;
        let credentials = remote.credentials()?;
        let cannot = |error| Failure::Io { what: "no request can be made here".to_owned(), error };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(cannot)?;
        let http = partitur_worker::https::client()
            // A redirection would take the token along, to wherever it leads.
            .redirect(redirect::Policy::none())
            .connect_timeout(remote.patience())
            .timeout(remote.patience())
            .build()
            .map_err(|error| cannot(std::io::Error::other(error)))?;
        Ok(Client { base, runtime, http, credentials, token: RefCell::default() })
    }

    /// Reads; what fails on the way is asked again.
    ///
    /// # Errors
    /// Why there is no answer, or no good one.
    pub fn get(&self, route: &Route) -> Result<String, Problem> {
        self.ask(&Ask { method: Method::GET, route, body: None, is_safe: true })
    }

    /// Reads JSON.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn get_json(&self, route: &Route) -> Result<Value, Problem> {
        parsed(&self.get(route)?)
    }

    /// Reads JSON, if there is such a thing.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn find_json(&self, route: &Route) -> Result<Option<Value>, Problem> {
        match self.get(route) {
            Ok(text) if text.trim().is_empty() => Ok(None),
            Ok(text) => parsed(&text).map(Some),
            Err(problem) if problem.is_not_found() => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// Reads with a verb that changes something by being asked: it is asked once.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn take(&self, route: &Route) -> Result<String, Problem> {
        self.ask(&Ask { method: Method::GET, route, body: None, is_safe: false })
    }

    /// Changes something; it is asked again only if the first request has not left.
    ///
    /// # Errors
    /// Why it was not done, or nobody knows.
    pub fn send(&self, verb: Verb, route: &Route, body: Option<String>) -> Result<String, Problem> {
        let method = match verb {
            Verb::Post => Method::POST,
            Verb::Put => Method::PUT,
            Verb::Delete => Method::DELETE,
        };
        self.ask(&Ask { method, route, body, is_safe: false })
    }

    fn ask(&self, ask: &Ask<'_>) -> Result<String, Problem> {
        let token = self.token()?;
        let answer = self.persist(ask, token.as_deref())?;
        // A token does not last for ever.
        let renewed = if answer.status == StatusCode::UNAUTHORIZED && token.is_some() {
            self.token.replace(Token::Unasked);
            Some(self.persist(ask, self.token()?.as_deref())?)
        } else {
            None
        };
        self.judge(ask, renewed.unwrap_or(answer), token.is_some())
    }

    /// The token, asked for once.
    fn token(&self) -> Result<Option<String>, Problem> {
        let known = self.token.borrow().clone();
        let token = match known {
            Token::Given(token) => return Ok(Some(token)),
            Token::None => return Ok(None),
            Token::Unasked => self.ask_for_token()?,
        };
        self.token.replace(token.clone().map_or(Token::None, Token::Given));
        Ok(token)
    }

    fn ask_for_token(&self) -> Result<Option<String>, Problem> {
        let request = match &self.credentials {
            None => return Ok(None),
            Some(Credentials::Token(token)) => return Ok(Some(token.clone())),
            Some(key @ Credentials::Key { .. }) => key.request(),
        };
        let route = Route::new("token");
        let ask = Ask { method: Method::POST, route: &route, body: request, is_safe: true };
        let answer = self.persist(&ask, None)?;
        if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
            // A server without keys.
            return Ok(None);
        }
        let told = parsed(&self.judge(&ask, answer, true)?)?;
        Ok(Some(told.text("token").to_owned()).filter(|token| !token.is_empty()))
    }

    /// Asks, and asks again where that does no harm.
    fn persist(&self, ask: &Ask<'_>, token: Option<&str>) -> Result<Answer, Problem> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let (result, again) = match self.runtime.block_on(self.exchange(ask, token)) {
                Ok(answer) => {
                    let again = answer.may_pass(ask);
                    (Ok(answer), again)
                }
                Err(error) => {
                    let again = error.is_connect() || ask.is_safe;
                    (Err(error), again)
                }
            };
            match pauses.next() {
                Some(pause) if again => {
                    let wanted = result.as_ref().ok().and_then(Answer::wants_pause);
                    std::thread::sleep(wanted.unwrap_or(pause).min(PAUSE_MAX));
                }
                Some(_) | None => return result.map_err(|error| self.unanswered(ask, error)),
            }
        }
    }

    async fn exchange(&self, ask: &Ask<'_>, token: Option<&str>) -> Result<Answer, reqwest::Error> {
        let url = ask.route.on(&self.base);
        // Texts, too, are answered: `*/*` keeps strict servers from refusing to tell an id.
        let mut request = self.http.request(ask.method.clone(), url).header(ACCEPT, "application/json, */*");
        if let Some(token) = token {
            request = request.header("X-Authorization", token);
        }
        if let Some(body) = &ask.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.bytes().await?;
        Ok(Answer { status, headers, text: String::from_utf8_lossy(&text).into_owned() })
    }

    fn unanswered(&self, ask: &Ask<'_>, error: reqwest::Error) -> Problem {
        let server = self.shown();
        let reason = if error.is_timeout() { "the time is over".to_owned() } else { innermost(&error) };
        if error.is_connect() {
            return Problem::Unreachable { server, reason };
        }
        Problem::Unanswered { server, asked: ask.shown(), reason, may_be_done: !ask.is_safe }
    }

    fn judge(&self, ask: &Ask<'_>, answer: Answer, with_key: bool) -> Result<String, Problem> {
        let foreign = |what: String| Problem::Foreign { server: self.shown(), asked: ask.shown(), what };
        if answer.status.is_redirection() {
            let to = answer.headers.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("somewhere else");
            return Err(foreign(format!("the advice to go to {to}")));
        }
        let is_page = answer.text.trim_start().starts_with('<');
        if is_page {
            return Err(foreign(format!("{} and a page for people", answer.status.as_u16())));
        }
        if answer.status.is_success() {
            return Ok(answer.text);
        }
        let (message, faults) = answer.words();
        let (asked, status) = (ask.shown(), answer.status.as_u16());
        Err(match status {
            401 | 403 => Problem::Forbidden { asked, status, message, with_key },
            _ => {
                let hint =
                    has_no_route(status, &message).then(|| "this server does not have that".to_owned());
                Problem::Refused { asked, status, message, faults, hint }
            }
        })
    }

    /// The address without what may be secret in it.
    pub fn shown(&self) -> String {
        let mut url = self.base.clone();
        // Only addresses without a host refuse this, and ours has one.
        let _ = url.set_username("").and_then(|()| url.set_password(None));
        url.to_string()
    }
}

impl Ask<'_> {
    fn shown(&self) -> String {
        format!("{} {}", self.method, self.route.shown())
    }
}

impl Answer {
    /// Whether the same request may be answered better in a moment, and may be repeated.
    fn may_pass(&self, ask: &Ask<'_>) -> bool {
        match self.status.as_u16() {
            429 => true,
            502..=504 => ask.is_safe,
            _ => false,
        }
    }

    fn wants_pause(&self) -> Option<Duration> {
        let seconds = self.headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
        Some(Duration::from_secs(seconds))
    }

    /// The message of a refusal, and what is wrong one by one.
    fn words(&self) -> (String, Vec<(String, String)>) {
        let told = serde_json::from_str::<Value>(&self.text).unwrap_or_default();
        let pair = |fault: &Value| (fault.text("path").to_owned(), fault.text("message").to_owned());
        let faults = told.items("validationErrors").iter().map(pair).collect();
        let message = match (told.text("message"), self.text.trim()) {
            ("", "") => self.status.canonical_reason().unwrap_or("no reason is given").to_owned(),
            ("", text) => text.chars().take(EXCERPT).collect(),
            (message, _) => message.chars().take(10 * EXCERPT).collect(),
        };
        (message, faults)
    }
}

/// `http://127.0.0.1:8080/api` of `127.0.0.1:8080`, of `http://127.0.0.1:8080/` and of itself.
fn base(text: &str) -> Result<Url, Problem> {
    let wrong = |reason: &str| Problem::Address { text: text.to_owned(), reason: reason.to_owned() };
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let mut url = Url::parse(&whole).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(wrong("it begins with neither http:// nor https://"));
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&if path.ends_with("/api") { path } else { format!("{path}/api") });
    Ok(url)
}

/// Whether the route is missing, and not what was asked for on it: ours, and Conductor itself, say so.
fn has_no_route(status: u16, message: &str) -> bool {
    status == 404 && (message.starts_with("No static resource") || message == "there is no such route")
}

/// What is at the bottom of it: the layers above only say that something went wrong.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string().split(" (os error").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed() {
        for text in
            ["127.0.0.1:8080", "http://127.0.0.1:8080/", "http://127.0.0.1:8080/api", "127.0.0.1:8080/api/"]
        {
            assert_eq!(base(text).unwrap().as_str(), "http://127.0.0.1:8080/api");
        }
        assert_eq!(base("https://flows.example/c").unwrap().as_str(), "https://flows.example/c/api");
        for text in ["", "ftp://x", "http://", "http:///x y"] {
            assert!(base(text).is_err() || text == "http:///x y", "{text}");
        }
    }
}
