//! Many tasks of one kind, so many at a time.

use super::failure::Failure;
use super::task::{Task, TaskId};
use super::{Flow, TaskContext};

impl Flow {
    /// Adds one task for each item, in batches of `size`: a batch starts when every task of the one before has
    /// ended, successfully or not. The handles come in the order of the items, and so do the results that
    /// [`Outcome::outputs`](super::Outcome::outputs) reads with them.
    ///
    /// Batches bound what is open at one time, files or connections for example. To bound only how many tasks are in
    /// flight, [`Options::concurrency`](super::Options::concurrency) wastes less: there is no waiting for the slowest.
    ///
    /// ```
    /// use partitur::flow::Flow;
    /// let mut flow = Flow::new();
    /// let squares = flow.batches("square", 5, 1..=20, |_, number| async move { Ok(number * number) });
    /// let outcome = flow.block_on().unwrap();
    /// assert_eq!(outcome.outputs(&squares)[19], Some(400));
    /// ```
    ///
    /// # Panics
    /// If `size` is zero.
    pub fn batches<I, F, Fut, T>(&mut self, name: &str, size: usize, items: I, make: F) -> Vec<Task<T>>
    where
        I: IntoIterator,
        I::Item: Send + 'static,
        F: FnOnce(TaskContext, I::Item) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<T, Failure>> + Send + 'static,
        T: Send + 'static,
    {
        assert!(size > 0, "a batch has at least one task");
        let mut tasks = Vec::new();
        let mut barrier: Option<TaskId> = None;
        for item in items {
            if !tasks.is_empty() && tasks.len() % size == 0 {
                barrier = Some(self.barrier(&tasks[tasks.len() - size..]));
            }
            let make = make.clone();
            let draft = self.task(name, move |ctx| make(ctx, item));
            tasks.push(draft.after(barrier.as_slice()).handle());
        }
        tasks
    }

    /// A task that does nothing, after all of these have ended.
    fn barrier<T>(&mut self, tasks: &[Task<T>]) -> TaskId {
        self.task("", |_| async { Ok(()) }).after(tasks).always().handle().id()
    }
}
