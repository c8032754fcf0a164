//! Reads, on threads of their own: never from the shard's memory, and never before what was decided is on the disk.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, thread};

use partitur_store::{Reader, StoreError};
use tokio::sync::oneshot;

use crate::handle::{Handle, NodeError};

/// Reads that may wait for a thread.
const WAITING_MAX: usize = 1_024;

/// One read.
type Job = Box<dyn FnOnce(&Reader) + Send>;

/// A few threads with a connection each.
#[derive(Clone)]
pub struct Reads {
    jobs: SyncSender<Job>,
}

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store's reason.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node's.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// Too many read at once.
    #[error("too many reads are waiting")]
    Overloaded,
}

impl Reads {
    /// Opens the threads.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn open(database: &PathBuf, threads: usize) -> Result<Reads, StoreError> {
        let (jobs, waiting) = sync_channel::<Job>(WAITING_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..threads {
            let (reader, waiting) = (Reader::open(database)?, waiting.clone());
            let spawned =
                thread::Builder::new().name("partitur-read".into()).spawn(move || serve(&reader, &waiting));
            spawned.map_err(|error: io::Error| StoreError::Io(error.to_string()))?;
        }
        Ok(Reads { jobs })
    }

    /// Reads what was durable when this was called, and whatever else is by then.
    ///
    /// # Errors
    /// The store's, the node's; or there is too much to do.
    pub async fn read<T: Send + 'static>(
        &self,
        handle: &Handle,
        read: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ReadError> {
        handle.barrier().await?;
        self.read_durable(read).await
    }

    /// Reads what is durable.
    ///
    /// # Errors
    /// The store's; or there is too much to do.
    pub async fn read_durable<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let (sender, receiver) = oneshot::channel();
        self.run(move |reader| {
            // Nobody waits for it any more if this fails.
            let _ = sender.send(read(reader));
        })?;
        receiver.await.map_err(|_| ReadError::Node(NodeError::Stopping))?.map_err(ReadError::Store)
    }

    /// Has a thread do this.
    ///
    /// # Errors
    /// There is too much to do.
    pub(crate) fn run(&self, job: impl FnOnce(&Reader) + Send + 'static) -> Result<(), ReadError> {
        self.jobs.try_send(Box::new(job)).map_err(|error| match error {
            TrySendError::Full(_) => ReadError::Overloaded,
            TrySendError::Disconnected(_) => ReadError::Node(NodeError::Stopping),
        })
    }
}

fn serve(reader: &Reader, waiting: &Mutex<Receiver<Job>>) {
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            // A read that panics is answered with an error, because its sender is dropped; the thread goes on.
            Ok(job) => drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job(reader)))),
            Err(_) => return,
        }
    }
}
