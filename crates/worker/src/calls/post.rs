//! What is sent to somebody who is only to hear of something: nothing is wanted back but that it has arrived.
//!
//! Redirects are not followed, and of an answer only so much is read as lets the connection serve again.

use std::error::Error as _;
use std::time::{Duration, Instant};

use reqwest::header::{HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, Url, redirect};

use super::egress::Refused;
use super::{Calls, client};

/// So much of an answer is read, in bytes.
const ANSWER_MAX: usize = 16 << 10;

/// Something to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// Where to.
    pub url: String,
    /// Beside the type of the body.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: String,
    /// From the beginning to the end of the answer.
    pub timeout: Duration,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// There was an answer.
    Answered {
        /// Its status.
        status: u16,
        /// When to come again, as it was written.
        retry_after: Option<String>,
    },
    /// It may not go there; why, for people.
    Refused(String),
    /// There was no answer; why, for people, without the address.
    Unanswered(String),
}

impl Calls {
    /// Sends something, as far as calls may go. Says what became of it, and how long it took.
    pub async fn post(&self, post: Post) -> (Posted, Duration) {
        let begun = Instant::now();
        let posted = self.posted(post).await.unwrap_or_else(|posted| posted);
        (posted, begun.elapsed())
    }

    async fn posted(&self, post: Post) -> Result<Posted, Posted> {
        let url = Url::parse(&post.url)
            .map_err(|error| Posted::Unanswered(format!("the address is no URL: {error}")))?;
        self.egress.check_url(&url).map_err(|refused| Posted::Refused(refused.to_string()))?;
        let impossible = |why| Posted::Unanswered(format!("no HTTP call can be made here: {why}"));
        let caller = self.caller().map_err(impossible)?;
        let client = self.poster().map_err(impossible)?;
        let sent = caller.runtime.spawn(async move {
            let (timeout, sending) = (post.timeout, send(client, url, post));
            tokio::time::timeout(timeout, sending).await
        });
        match sent.await {
            Ok(Ok(sent)) => sent,
            Ok(Err(_)) => Err(Posted::Unanswered("there was no answer in time".to_owned())),
            Err(_) => Err(Posted::Unanswered("the call was given up".to_owned())),
        }
    }

    fn poster(&self) -> Result<Client, String> {
        let made = self.poster.get_or_init(|| {
            let built = client(&self.egress).redirect(redirect::Policy::none()).build();
            built.map_err(|error| error.to_string())
        });
        made.clone()
    }
}

async fn send(client: Client, url: Url, post: Post) -> Result<Posted, Posted> {
    let mut request = client.post(url).header("content-type", "application/json").body(post.body);
    for (name, value) in post.headers {
        let value = HeaderValue::from_str(&value)
            .map_err(|_| Posted::Unanswered(format!("the header `{name}` cannot be sent")))?;
        request = request.header(HeaderName::from_static(name), value);
    }
    let response = request.send().await.map_err(unanswered)?;
    let status = response.status().as_u16();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let answered = Posted::Answered { status, retry_after: retry_after.map(str::to_owned) };
    read_away(response).await;
    Ok(answered)
}

/// A connection serves again if its answer was read to the end; one that has too much to say is closed.
async fn read_away(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read > ANSWER_MAX {
            return;
        }
    }
}

fn unanswered(error: reqwest::Error) -> Posted {
    // The address may hold what others must not see.
    let error = error.without_url();
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<Refused>() {
            return Posted::Refused(refused.to_string());
        }
        let told = inner.to_string();
        if !message.contains(&told) {
            message = format!("{message}: {told}");
        }
        cause = inner.source();
    }
    Posted::Unanswered(message)
}
