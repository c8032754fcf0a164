//! A server from its start to its end: the lock, the node, the port, signals, the way out.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use partitur_runtime::{Clock, ShardError};
use partitur_script::Evaluator;
use partitur_store::{HostLock, StateDir, StoreError};
use partitur_worker::calls::Calls;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};

use crate::app::{App, HandedQueues, Library};
use crate::auth::{Keys, Signature, first_key};
use crate::bulk_jobs;
use crate::callbacks;
use crate::commands::Workplace;
use crate::events;
use crate::health::Health;
use crate::http::connections::Limits;
use crate::http::{connections, routes};
use crate::labelling;
use crate::limits::Limiter;
use crate::live::{Live, Reloaded};
use crate::metrics::Metrics;
use crate::node::{self, OpenError, Running};
use crate::payloads::{self, Payloads};
use crate::retention;
use crate::schedules::{self, Schedules};
use crate::settings::Settings;
use crate::workers::Workers;

/// The server cannot start, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The state directory.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another process has it.
    #[error("another process works in {0}")]
    Occupied(String),
    /// The node cannot start.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The node cannot go on.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// Nobody can be heard there.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// Tokens cannot be signed.
    #[error("`token.key` in the directory of the state: {0}")]
    Signature(io::Error),
    /// The machine.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A server that is ready to serve.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
    /// For Prometheus alone.
    for_metrics: Option<TcpListener>,
    ended: oneshot::Receiver<ShardError>,
    // Released last: nobody else may work in the directory while anything of this lives.
    _lock: HostLock,
}

impl Server {
    /// Takes the state directory and the port, and goes on with the runs that are there.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn open(settings: Settings) -> Result<Server, ServerError> {
        let state = StateDir::open(settings.data())?;
        let occupied = || ServerError::Occupied(state.path().display().to_string());
        let lock = state.try_host()?.ok_or_else(occupied)?;
        let address = settings.listen();
        let listen = |error| ServerError::Listen(address, error);
        let listener = TcpListener::bind(address).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let for_metrics = settings.metrics_listen().and_then(listen_for_metrics);
        crate::descriptors::take_all();
        // A file that may not grow is an error of writing, like a full disk, and nothing to die of.
        signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default())?;
        let keys = Keys::new(Signature::of(&state.path().join("token.key")).map_err(ServerError::Signature)?);
        let evaluator = Evaluator::default();
        let library = Library::new(evaluator.clone(), settings.allowed(), keys, settings.receivers().named());
        let (library, health) = (Arc::new(library), Arc::<Health>::default());
        let live = Live::new(settings.clone());
        let calls = Calls::new(live.egress().clone(), evaluator);
        let metrics = Arc::new(Metrics::new(routes::outline()));
        let workplace = settings.commands_dir().map(|dir| Workplace { dir, logs: state.runs() });
        let Running { handle, reads, opened, ended } = node::start(
            &state,
            library.clone(),
            calls.clone(),
            workplace,
            settings.read_threads(),
            health,
            metrics.clone(),
        )?;
        labelling::start(&state, library.clone(), handle.clone())?;
        retention::start(&state, settings.kept(), handle.clone())?;
        for damaged in &opened.quarantined {
            eprintln!("set aside: {}", damaged.reason);
        }
        let app = App {
            handle,
            reads,
            library,
            workers: Workers::default(),
            handed: HandedQueues::default(),
            live,
            limiter: Limiter::default(),
            settings,
            teaching: tokio::sync::Mutex::default(),
            payloads: Payloads::new(state.path().join("payloads")),
            schedules: Schedules::default(),
            bulk: tokio::sync::Notify::new(),
            calls,
            clock: Clock::new(),
            started: Instant::now(),
            metrics,
            database: state.database(),
        };
        Ok(Server { app: Arc::new(app), listener, for_metrics, ended, _lock: lock })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where Prometheus may ask, if that is apart from everything else.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.for_metrics.as_ref()?.local_addr().ok()
    }

    /// What requests share.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Serves until a signal ends it; `ready` hears when it does.
    ///
    /// # Errors
    /// Nothing more can be decided or written.
    pub fn run(self, ready: impl FnOnce(SocketAddr)) -> Result<(), ServerError> {
        let app = self.app.clone();
        self.run_until(ready, async move {
            let (mut terminate, mut interrupt) =
                (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
            let mut hang_up = signal(SignalKind::hangup())?;
            loop {
                tokio::select! {
                    _ = terminate.recv() => return Ok(()),
                    _ = interrupt.recv() => return Ok(()),
                    _ = hang_up.recv() => reload(&app.live),
                }
            }
        })
    }

    /// Serves until something else ends it.
    ///
    /// # Errors
    /// Nothing more can be decided or written.
    pub fn run_until(
        self,
        ready: impl FnOnce(SocketAddr),
        end: impl Future<Output = io::Result<()>>,
    ) -> Result<(), ServerError> {
        let threads = self.app.settings.http_threads();
        // On one thread tasks need not be handed from thread to thread.
        let runtime = if threads == 1 {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?
        } else {
            tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?
        };
        runtime.block_on(self.serve(ready, end))
    }

    async fn serve(
        self,
        ready: impl FnOnce(SocketAddr),
        end: impl Future<Output = io::Result<()>>,
    ) -> Result<(), ServerError> {
        let (stop, stopped) = watch::channel(false);
        // Whoever is told that the server is ready finds it so. Without a node, its end is heard below.
        let _ = self.app.handle.barrier().await;
        note_address(&self.app, self.address()?)?;
        if self.app.has_keys() {
            first_key::make(&self.app).await?;
        }
        schedules::recall(&self.app).await.map_err(|error| io::Error::other(error.message().to_owned()))?;
        tokio::spawn(schedules::keep_time(self.app.clone()));
        tokio::spawn(events::follow(self.app.clone()));
        let delivering = tokio::spawn(callbacks::deliver(self.app.clone()));
        tokio::spawn(payloads::tidy(self.app.clone()));
        // Signals are heard from the first look on: whoever sends one as soon as the server is ready is heard, too.
        let mut end = std::pin::pin!(end);
        let over = poll_fn(|context| Poll::Ready(end.as_mut().poll(context))).await;
        ready(self.address()?);
        tokio::spawn(bulk_jobs::work(self.app.clone()));
        let router = routes::router(self.app.clone());
        let (limits, metrics) = (self.app.settings.limits(), self.app.metrics.clone());
        if let Some(listener) = self.for_metrics {
            let router = routes::for_metrics(self.app.clone());
            let limits = Limits { connections: METRICS_CONNECTIONS_MAX, ..limits };
            tokio::spawn(connections::serve(listener, router, limits, metrics.clone(), stopped.clone()));
        }
        let serving = tokio::spawn(connections::serve(self.listener, router, limits, metrics, stopped));
        let ended = async {
            match over {
                Poll::Ready(ended) => ended,
                Poll::Pending => end.await,
            }
        };
        tokio::select! {
            ended = ended => ended?,
            error = self.ended => return Err(error.map_or(ServerError::Io(io::Error::other("the node has ended")), ServerError::Shard)),
        }
        self.app.handle.begin_to_stop();
        // Nobody listens if serving has ended already.
        let _ = stop.send(true);
        serving.await.map_err(io::Error::other)??;
        // What is on its way and does not arrive in time is sent again by the next start.
        self.app.library.callbacks.notify_one();
        let _ = tokio::time::timeout(self.app.settings.limits().drain, delivering).await;
        self.app.handle.stop().await;
        Ok(())
    }
}

/// SIGHUP: the settings are read again, and what came of that is told.
fn reload(live: &Live) {
    match live.reload() {
        Ok(told) => {
            told.taken.iter().for_each(|setting| eprintln!("from now on: {setting}"));
            told.waiting.iter().for_each(|setting| eprintln!("from the next start on: {setting}"));
            if told == Reloaded::default() {
                eprintln!("the settings are as they were");
            }
        }
        Err(error) => eprintln!("the settings stay as they were: {error}"),
    }
}

/// Programs on this machine find the server by its directory.
fn note_address(app: &App, address: SocketAddr) -> io::Result<()> {
    let local = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), address.port()),
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    };
    std::fs::write(app.settings.data().join("address"), format!("{local}\n"))
}

/// Whoever asks for metrics needs few connections.
const METRICS_CONNECTIONS_MAX: usize = 16;

/// A port that somebody else has is no reason not to serve: the metrics are at the server's own as well.
fn listen_for_metrics(address: SocketAddr) -> Option<TcpListener> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    let warn = |error: &io::Error| {
        eprintln!("warning: no metrics at {address} ({error}); they are at /metrics of the server");
    };
    bound.inspect_err(warn).ok()
}
