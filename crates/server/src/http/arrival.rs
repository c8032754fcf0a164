//! Requests that arrive in time, or not at all: the first one of a connection, and bodies. HTTP's own limit on the time of a
//! head counts only once it is clear which HTTP is spoken.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// A body of which everything has come after a while, counted from the first time that somebody had to wait for it.
pub(crate) struct Timely {
    body: Incoming,
    patience: Duration,
    /// Most bodies come with their head and never need one.
    timer: Option<Pin<Box<Sleep>>>,
}

/// It has not arrived in time.
#[derive(Debug, thiserror::Error)]
#[error("the body has not arrived in time")]
pub(crate) struct Late;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Timely {
    pub fn new(body: Incoming, patience: Duration) -> Timely {
        Timely { body, patience, timer: None }
    }
}

impl http_body::Body for Timely {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)));
        }
        let patience = self.patience;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        timer.as_mut().poll(cx).map(|()| Some(Err(Late.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection that ends unless somebody has asked for something before a while is over.
pub(crate) struct FirstWord {
    stream: TcpStream,
    asked: Arc<AtomicBool>,
    patience: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl FirstWord {
    /// The connection, and what is to be set when a request has come.
    pub fn new(stream: TcpStream, patience: Duration) -> (FirstWord, Arc<AtomicBool>) {
        let asked = Arc::<AtomicBool>::default();
        (FirstWord { stream, asked: asked.clone(), patience, timer: None }, asked)
    }
}

impl AsyncRead for FirstWord {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buf) {
            return Poll::Ready(read);
        }
        if self.asked.load(Ordering::Relaxed) {
            self.timer = None;
            return Poll::Pending;
        }
        let patience = self.patience;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        timer.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for FirstWord {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
