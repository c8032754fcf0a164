//! Connections: so many, with a limit on how long a request takes to arrive, HTTP/1.1 and HTTP/2 on one port.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::answer::Error;
use super::arrival::{FirstWord, Timely};
use crate::metrics::Metrics;

/// Limits of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; more of them wait.
    pub connections: usize,
    /// So long the head of a request may take.
    pub header_timeout: Duration,
    /// So long its body.
    pub body_timeout: Duration,
    /// At the end, requests in flight have so long.
    pub drain: Duration,
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer(pub IpAddr);

/// The head of a request.
const HEADERS_MAX: usize = 32 << 10;

/// The path and query of a request.
const URL_MAX: usize = 8 << 10;

/// Serves until told to stop; returns when requests in flight are answered, or their time is up.
pub(crate) async fn serve(
    listener: StdListener,
    router: Router,
    limits: Limits,
    metrics: Arc<Metrics>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let (places, graceful) = (Arc::new(Semaphore::new(limits.connections)), GracefulShutdown::new());
    let builder = builder(limits);
    loop {
        let place = places.clone().acquire_owned().await.expect("nobody closes the places");
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                // Out of descriptors, most likely: others have to end first.
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            _ = stop.changed() => break,
        };
        let connection = connection(&builder, &graceful, stream, Peer(peer.ip()), router.clone(), limits);
        let metrics = metrics.clone();
        tokio::spawn(async move {
            let _one = metrics.connections.enter();
            // Whoever breaks a connection hears nothing more about it.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    // Whoever is still at it then is cut off.
    let _ = tokio::time::timeout(limits.drain, graceful.shutdown()).await;
    Ok(())
}

fn builder(limits: Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(HEADERS_MAX + BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEADERS_MAX as u32)
        .max_concurrent_streams(256)
        .keep_alive_interval(Duration::from_secs(20));
    builder
}

/// Beyond the head there is room for a part of the body.
const BUFFER: usize = 32 << 10;

fn connection(
    builder: &Builder<TokioExecutor>,
    graceful: &GracefulShutdown,
    stream: TcpStream,
    peer: Peer,
    router: Router,
    limits: Limits,
) -> impl Future<Output = Result<(), Box<dyn std::error::Error + Send + Sync>>> + use<> {
    // Small answers go at once.
    let _ = stream.set_nodelay(true);
    let (stream, asked) = FirstWord::new(stream, limits.header_timeout);
    let service = service_fn(move |request: Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        answer(router.clone(), request, peer, limits.body_timeout)
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    graceful.watch(connection)
}

async fn answer(
    mut router: Router,
    mut request: Request<Incoming>,
    peer: Peer,
    patience: Duration,
) -> Result<Response<Body>, Infallible> {
    use tower_service::Service as _;
    let length = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    if length > URL_MAX {
        return Ok(Error::new(StatusCode::URI_TOO_LONG, "a URL has at most 8 kB").into_response());
    }
    request.extensions_mut().insert(peer);
    router.call(request.map(|body| Body::new(Timely::new(body, patience)))).await
}
