//! A flow while it runs: what its workers share.
//!
//! `word` is the state of a task and the reasoning about memory orderings, `queues` says who gets what, `worker` is
//! the loop. No thread waits for a task: what is pending lies in its slot until its waker puts it into a queue.

pub(super) mod gate;
pub(super) mod notes;
mod queues;
mod sleepers;
pub(super) mod timer;
mod times;
mod wakeup;
pub(super) mod word;
mod worker;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use crossbeam_deque::Worker as Deque;
use crossbeam_utils::CachePadded;

use self::gate::Gate;
use self::notes::Notes;
use self::queues::Queues;
use self::timer::Timer;
use self::times::Times;
use self::word::{ALWAYS, BLOCKED, Phase, STOP, Word};
use self::worker::Worker;
use super::body::BoxedBody;
use super::options::{OnFailure, Options};
use super::plan::Plan;
use super::status::Progress;

/// Called with each progress that a task reports.
pub(super) type Listener = Arc<dyn Fn(&Progress<'_>) + Send + Sync>;

/// A flow that runs or has run.
pub(super) struct Run {
    pub(super) plan: Plan,
    words: Box<[Word]>,
    /// Locked by the worker that polls the body, and by whoever reads the output once the task has ended.
    bodies: Box<[Mutex<BoxedBody>]>,
    pub(super) notes: Notes,
    pub(super) queues: Queues,
    pub(super) timer: Arc<Timer>,
    pub(super) listeners: RwLock<Vec<Listener>>,
    pub(super) times: Times,
    on_failure: OnFailure,
    stopping: AtomicBool,
    unfinished: CachePadded<AtomicUsize>,
    end: End,
}

impl Run {
    /// Starts the workers.
    pub(super) fn start(
        plan: Plan,
        gate: Option<Gate>,
        bodies: Vec<BoxedBody>,
        listeners: Vec<Listener>,
        options: Options,
        paused: bool,
    ) -> std::io::Result<Arc<Run>> {
        let threads = options.threads_for(bodies.len());
        let deques: Vec<Deque<u32>> = (0..threads).map(|_| Deque::new_lifo()).collect();
        let words: Box<[Word]> = plan.words();
        let run = Arc::new(Run {
            queues: Queues::new(&deques, options.concurrency_max(), gate),
            unfinished: CachePadded::new(AtomicUsize::new(words.len())),
            times: Times::new(if options.timed { words.len() } else { 0 }),
            words,
            bodies: bodies.into_iter().map(Mutex::new).collect(),
            notes: Notes::default(),
            timer: Arc::default(),
            listeners: RwLock::new(listeners),
            on_failure: options.on_failure,
            stopping: AtomicBool::new(false),
            end: End::default(),
            plan,
        });
        run.queues.set_paused(paused);
        run.offer_roots();
        run.count_finished(0);
        run.spawn(deques, &options)?;
        Ok(run)
    }

    fn offer_roots(&self) {
        for node in self.plan.roots() {
            self.offer(node);
        }
    }

    /// A ready task goes where every worker finds it.
    fn offer(&self, node: u32) {
        let gated = self.queues.gate.as_ref().is_some_and(|gate| {
            let rank = self.plan.rank(node);
            gate.offer(node, rank, || self.will_not_run(node))
        });
        if !gated {
            self.queues.push_common(node);
        }
    }

    /// Whether the task is over before it starts.
    fn will_not_run(&self, node: u32) -> bool {
        let word = self.words[node as usize].look();
        self.is_stopping() || word.has(STOP) || (word.has(BLOCKED) && !word.has(ALWAYS))
    }

    /// Cancelled tasks wait for no lock and no turn.
    fn hurry(&self, nodes: impl IntoIterator<Item = u32>) {
        let count = nodes.into_iter().map(|node| self.queues.push_common(node)).count();
        self.queues.sleepers.notify(count);
    }

    /// Gives back what an attempt held.
    fn release(&self, node: u32) {
        if let Some(gate) = &self.queues.gate
            && gate.release(node)
        {
            self.queues.sleepers.notify(1);
        }
    }

    fn spawn(self: &Arc<Run>, deques: Vec<Deque<u32>>, options: &Options) -> std::io::Result<()> {
        for (at, deque) in deques.into_iter().enumerate() {
            let mut worker = Worker::new(Arc::clone(self), deque);
            let within = options.within.clone();
            let thread = std::thread::Builder::new().name(format!("partitur-{at}"));
            let spawned = thread.spawn(move || match within {
                None => worker.serve(),
                Some(within) => within(&mut || worker.serve()),
            });
            // Fewer workers than asked for are slower; none at all is a failure.
            if let Err(error) = spawned
                && at == 0
            {
                self.end.set();
                return Err(error);
            }
        }
        Ok(())
    }

    pub(super) fn phase(&self, node: u32) -> Phase {
        self.words[node as usize].look().phase()
    }

    /// Bytes of graph and state; closures, futures, outputs, texts of names and notes apart.
    pub(super) fn bytes(&self) -> usize {
        let slot = size_of::<Mutex<BoxedBody>>() - size_of::<BoxedBody>();
        self.plan.bytes() + self.words.len() * (size_of::<Word>() + slot)
    }

    pub(super) fn nodes(&self) -> u32 {
        self.words.len() as u32
    }

    /// The body of a task; only while nobody polls it, that is before its start or after its end.
    pub(super) fn body(&self, node: u32) -> MutexGuard<'_, BoxedBody> {
        lock(&self.bodies[node as usize])
    }

    /// So many tasks more are over.
    fn count_finished(&self, finished: usize) {
        let before = self.unfinished.fetch_sub(finished, Ordering::AcqRel);
        if before == finished {
            self.timer.close();
            self.end.set();
            self.queues.sleepers.notify_all();
        }
    }

    fn is_over(&self) -> bool {
        self.unfinished.load(Ordering::Acquire) == 0
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Whether a task is to stop: by itself, or with the whole run.
    pub(super) fn is_stopped(&self, node: u32) -> bool {
        self.is_stopping() || self.words[node as usize].look().has(STOP)
    }

    /// Cancels what has not ended.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.queues.set_paused(false);
        // A task that becomes pending from now on takes the same lock first, and sees the flag.
        for wakeup in self.notes.wakeups() {
            Waker::from(wakeup).wake();
        }
        if let Some(gate) = &self.queues.gate {
            self.hurry(gate.withdraw_all());
        }
    }

    /// Cancels one task; `false` if it has ended or was cancelled before.
    pub(super) fn stop_task(&self, node: u32) -> bool {
        let asked = self.words[node as usize].request_stop();
        if asked && let Some(Some(wakeup)) = self.notes.edit_existing(node, |note| note.wakeup.clone()) {
            Waker::from(wakeup).wake();
        }
        if asked && self.queues.gate.as_ref().is_some_and(|gate| gate.withdraw(node)) {
            self.hurry([node]);
        }
        asked
    }

    /// Calls the listeners, outside of all locks but the one that keeps the list in place.
    pub(super) fn report(&self, progress: &Progress<'_>) {
        let listeners = self.listeners.read().unwrap_or_else(|poison| poison.into_inner()).clone();
        listeners.iter().for_each(|listener| listener(progress));
    }

    /// Waits at most so long for the end.
    pub(super) fn wait(&self, timeout: Option<Duration>) -> bool {
        self.end.wait(timeout)
    }

    pub(super) fn poll_end(&self, waker: &Waker) -> Poll<()> {
        self.end.poll(waker)
    }
}

/// Whether the run is over, and who wants to know.
#[derive(Default)]
struct End {
    state: Mutex<EndState>,
    changed: Condvar,
}

#[derive(Default)]
struct EndState {
    over: bool,
    wakers: Vec<Waker>,
}

impl End {
    fn set(&self) {
        let wakers = {
            let mut state = lock(&self.state);
            state.over = true;
            std::mem::take(&mut state.wakers)
        };
        self.changed.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    fn wait(&self, timeout: Option<Duration>) -> bool {
        // A timeout beyond what the clock can count is none.
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = lock(&self.state);
        while !state.over {
            let Some(until) = until else {
                state = self.changed.wait(state).unwrap_or_else(|poison| poison.into_inner());
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(|poison| poison.into_inner()).0;
        }
        true
    }

    fn poll(&self, waker: &Waker) -> Poll<()> {
        let mut state = lock(&self.state);
        if state.over {
            return Poll::Ready(());
        }
        if !state.wakers.iter().any(|known| known.will_wake(waker)) {
            state.wakers.push(waker.clone());
        }
        Poll::Pending
    }
}

/// Locks; a panic of others under the lock is no reason to stop, as every change under our locks is whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poison| poison.into_inner())
}
