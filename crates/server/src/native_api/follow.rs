//! A run followed as it goes: server-sent events, each after what it tells is on the disk.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use http_body::Frame;
use partitur_model::event::{Event, EventKind};
use tokio::sync::mpsc::Receiver;

use crate::conductor_api::Shared;
use crate::http::answer::Answer;
use crate::http::input::{no_run, run_id};

pub(crate) async fn events(State(app): Shared, Path(id): Path<String>) -> Answer {
    let run = run_id(&id)?;
    let events = app.handle.events(run)?;
    let record = app.reads.read(&app.handle, move |reader| reader.run(run)).await?;
    let record = record.ok_or_else(|| no_run(&id))?;
    // Of a run that has ended nothing more is heard: its end is told once more.
    let first = record.state.is_ended().then(|| Event {
        at: record.ended.unwrap_or(record.created),
        run,
        what: EventKind::Run { state: record.state },
    });
    let mut response = Response::new(Body::new(Stream { first, events, over: false }));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Ends with the run.
struct Stream {
    first: Option<Event>,
    events: Receiver<Event>,
    over: bool,
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let event = match self.first.take() {
            Some(event) => Some(event),
            None => ready!(self.events.poll_recv(cx)),
        };
        let Some(event) = event else { return Poll::Ready(None) };
        self.over = matches!(event.what, EventKind::Run { state } if state.is_ended());
        let wire =
            serde_json::to_string(&partitur_api::Event::from(&event)).expect("events have text for keys");
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(format!("data: {wire}\n\n"))))))
    }
}
