//! The thread on which the cache works: keys are made of whole files, and the owner's loop must not wait for disks.
//! Started by the first task that asks for it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use partitur_model::record::LogSpan;
use partitur_model::{FencingToken, RawJson};

use super::key::fingerprint;
use super::store::Store;
use super::{CacheOptions, CacheStats, Entry, Key};
use crate::inbox::{Letter, Mailbox};
use crate::log::{Filter, Reader, Stream};
use crate::sink::now;

/// What a lookup found.
#[derive(Debug)]
pub(crate) enum Lookup {
    /// A result that serves.
    Hit(Box<Entry>),
    /// None; a success may be kept under this key, if one could be made.
    Miss(Option<Key>),
}

/// What an execution depends on.
#[derive(Debug)]
pub(crate) struct Inputs {
    pub material: String,
    pub dir: PathBuf,
    pub reads: Vec<String>,
    pub writes: Vec<String>,
}

/// A success to be kept.
#[derive(Debug)]
pub(crate) struct Success {
    pub key: Key,
    pub ttl: Duration,
    pub result: Option<RawJson>,
    pub dir: PathBuf,
    pub writes: Vec<String>,
    pub log: PathBuf,
    pub span: Option<LogSpan>,
    pub token: FencingToken,
}

enum Order {
    Search { serial: u64, inputs: Inputs },
    Keep(Box<Success>),
}

/// The thread. Dropping this waits until what was to be kept is kept.
pub(crate) struct CacheThread {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

/// Counted where it happens, read by whoever wants to know.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    bytes: AtomicU64,
    entries: AtomicU64,
}

impl Counters {
    pub fn read(&self) -> CacheStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CacheStats {
            hits: read(&self.hits),
            misses: read(&self.misses),
            bytes: read(&self.bytes),
            entries: read(&self.entries),
        }
    }
}

impl CacheThread {
    /// Starts the thread; what it finds comes to `mailbox`.
    pub fn start(
        options: CacheOptions,
        counters: Arc<Counters>,
        mailbox: Mailbox,
    ) -> io::Result<CacheThread> {
        let store = Store::open(options)?;
        let (orders, incoming) = channel();
        let thread = thread::Builder::new()
            .name("partitur-cache".into())
            .spawn(move || Librarian { store, counters, mailbox }.serve(&incoming))?;
        Ok(CacheThread { orders: Some(orders), thread: Some(thread) })
    }

    /// Looks for an earlier result of an execution.
    pub fn search(&self, serial: u64, inputs: Inputs) {
        self.order(Order::Search { serial, inputs });
    }

    /// Keeps a success.
    pub fn keep(&self, success: Success) {
        self.order(Order::Keep(Box::new(success)));
    }

    fn order(&self, order: Order) {
        // The thread lives as long as we do.
        let _ = self.orders.as_ref().expect("taken only by drop").send(order);
    }
}

impl Drop for CacheThread {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // It can only have panicked; what it kept is whole by renaming.
            let _ = thread.join();
        }
    }
}

struct Librarian {
    store: Store,
    counters: Arc<Counters>,
    mailbox: Mailbox,
}

impl Librarian {
    fn serve(mut self, orders: &Receiver<Order>) {
        self.count_size();
        while let Ok(order) = orders.recv() {
            match order {
                Order::Search { serial, inputs } => {
                    let found = self.search(&inputs);
                    let counter = match found {
                        Lookup::Hit(_) => &self.counters.hits,
                        Lookup::Miss(_) => &self.counters.misses,
                    };
                    counter.fetch_add(1, Ordering::Relaxed);
                    self.mailbox.send(Letter::Searched { serial, found });
                }
                // What cannot be kept is executed again.
                Order::Keep(success) => drop(self.keep(*success)),
            }
            self.count_size();
        }
    }

    fn search(&mut self, inputs: &Inputs) -> Lookup {
        let Ok(key) = Key::new(&inputs.material, &inputs.dir, &inputs.reads) else {
            return Lookup::Miss(None);
        };
        let as_left =
            |entry: &Entry| written(&inputs.dir, &inputs.writes).is_ok_and(|now| now == entry.written);
        match self.store.get(key, now()).filter(as_left) {
            Some(entry) => Lookup::Hit(Box::new(entry)),
            None => Lookup::Miss(Some(key)),
        }
    }

    fn keep(&mut self, success: Success) -> io::Result<()> {
        let entry = Entry {
            expires: now() + success.ttl,
            written: written(&success.dir, &success.writes)?,
            output: output_of(&success.log, success.span, success.token)?,
            result: success.result,
        };
        self.store.put(success.key, &entry, now())
    }

    fn count_size(&self) {
        let (bytes, entries) = self.store.size();
        self.counters.bytes.store(bytes, Ordering::Relaxed);
        self.counters.entries.store(entries, Ordering::Relaxed);
    }
}

fn written(dir: &Path, writes: &[String]) -> io::Result<[u8; 32]> {
    fingerprint(dir, writes).map(|hash| *hash.as_bytes())
}

/// What an attempt has written, read back from the log.
pub(crate) fn output_of(
    log: &Path,
    span: Option<LogSpan>,
    token: FencingToken,
) -> io::Result<Vec<(Stream, Vec<u8>)>> {
    let Some(span) = span else { return Ok(Vec::new()) };
    let filter = Filter { task: None, token: Some(token) };
    let mut reader = Reader::open(log)?.filter(filter);
    reader.seek(span.from)?;
    let mut output: Vec<(Stream, Vec<u8>)> = Vec::new();
    while reader.offset() < span.to {
        let Some(frame) = reader.next_frame()? else { break };
        match output.last_mut() {
            Some((stream, bytes)) if *stream == frame.head.stream => bytes.extend(frame.bytes),
            Some(_) | None => output.push((frame.head.stream, frame.bytes)),
        }
    }
    Ok(output)
}
