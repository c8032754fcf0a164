//! How a flow is run.

use std::num::NonZeroUsize;
use std::sync::Arc;

/// What a failed task means for the tasks that do not depend on it. Those that do are skipped in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// They go on.
    #[default]
    Continue,
    /// They are cancelled.
    FailFast,
}

/// Calls its argument, the work of one thread, once; see [`Options::within`].
pub type Within = Arc<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

/// How a flow is run. The defaults: as many threads as the machine has cores, any number of tasks in flight.
///
/// ```
/// use partitur::flow::{OnFailure, Options};
/// let options = Options { concurrency: Some(10), on_failure: OnFailure::FailFast, ..Options::default() };
/// assert_eq!(options.threads, None);
/// ```
#[derive(Clone, Default)]
pub struct Options {
    /// How many tasks may be in flight at once, those that wait inside an `await` included. Zero counts as one.
    pub concurrency: Option<usize>,
    /// How many threads poll; one for each core if `None`. Never more than tasks may be in flight.
    pub threads: Option<usize>,
    /// What a failed task means for the others.
    pub on_failure: OnFailure,
    /// Measures every task. Without it only tasks with an agent, a timeout or another setting of their own are
    /// measured: two readings of a clock cost as much as all the rest of a small task.
    pub timed: bool,
    /// Called on every thread of the flow, with its work as argument: the place to enter a runtime whose timers and
    /// sockets the tasks use. For tokio:
    ///
    /// ```
    /// # use partitur::flow::{Flow, Options};
    /// # use std::{sync::Arc, time::Duration};
    /// # let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    /// # runtime.block_on(async {
    /// let tokio = tokio::runtime::Handle::current();
    /// let options = Options {
    ///     within: Some(Arc::new(move |work| {
    ///         let _entered = tokio.enter();
    ///         work();
    ///     })),
    ///     ..Options::default()
    /// };
    /// let mut flow = Flow::new();
    /// flow.task("sleep", |_| async {
    ///     tokio::time::sleep(Duration::from_millis(5)).await;
    ///     Ok(())
    /// });
    /// assert!(flow.run_with(options).await.unwrap().is_success());
    /// # });
    /// ```
    pub within: Option<Within>,
}

impl Options {
    pub(super) fn concurrency_max(&self) -> usize {
        // Half of the range: returned permits must not overflow.
        self.concurrency.map_or(usize::MAX / 2, |limit| limit.max(1))
    }

    pub(super) fn threads_for(&self, tasks: usize) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.threads.unwrap_or_else(cores).min(self.concurrency_max()).min(tasks).max(1)
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Options { concurrency, threads, on_failure, timed, within } = self;
        f.debug_struct("Options")
            .field("concurrency", concurrency)
            .field("threads", threads)
            .field("on_failure", on_failure)
            .field("timed", timed)
            .field("within", &within.is_some())
            .finish()
    }
}
