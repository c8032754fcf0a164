//! Answers that go on: counted while they are open, and ended when the key of whoever reads them does not hold any more.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http_body::Frame;

use crate::app::App;
use crate::auth::Asking;
use crate::limits::OpenStream;

/// The answer, whose body holds a place.
pub(crate) fn guarded(response: Response, place: OpenStream, asking: Asking, app: Arc<App>) -> Response {
    app.metrics.streams.add(1);
    response.map(|body| Body::new(Guarded { body, app, asking, _place: place }))
}

struct Guarded {
    body: Body,
    app: Arc<App>,
    asking: Asking,
    _place: OpenStream,
}

impl http_body::Body for Guarded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_ready() && !self.asking.still_holds(self.app.now().millis()) {
            return Poll::Ready(None);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.app.metrics.streams.add(-1);
    }
}
