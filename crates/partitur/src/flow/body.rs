//! What a task executes: one box that is first a closure, then its future, then its output.
//!
//! One allocation serves the three, because a task is never two of them at once.

use std::any::Any;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::context::{Seat, TaskContext};
use super::failure::Failure;

/// A body of a known type behind a pointer of one shape.
pub(super) trait Body: Send {
    /// Starts the future if there is none yet, and polls it.
    fn poll(self: Pin<&mut Self>, seat: &Seat<'_>, context: &mut Context<'_>) -> Poll<Result<(), Failure>>;

    /// Makes it as if it had never started. `false` if its closure is used up.
    fn rewind(self: Pin<&mut Self>) -> bool;

    /// Drops the closure and the future with all that they hold.
    fn discard(self: Pin<&mut Self>);

    /// The place of the output: an `Option<T>`, if the task has succeeded.
    fn output(self: Pin<&mut Self>) -> Option<&mut dyn Any>;
}

/// As every task keeps it.
pub(super) type BoxedBody = Pin<Box<dyn Body>>;

/// The closure of a task that was given as a future: there is none.
pub(super) type NoClosure<Fut> = fn(TaskContext) -> Fut;

pin_project! {
    /// A task that is started once.
    #[project = StageOf]
    pub(super) enum Stage<F, Fut, T> {
        Fresh { make: Option<F> },
        Live { #[pin] future: Fut },
        Over { output: Option<T> },
    }
}

impl<F, Fut, T> Stage<F, Fut, T> {
    pub(super) fn fresh(make: F) -> Stage<F, Fut, T> {
        Stage::Fresh { make: Some(make) }
    }
}

impl<Fut, T> Stage<NoClosure<Fut>, Fut, T> {
    pub(super) fn live(future: Fut) -> Stage<NoClosure<Fut>, Fut, T> {
        Stage::Live { future }
    }
}

impl<F, Fut, T> Body for Stage<F, Fut, T>
where
    F: FnOnce(TaskContext) -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, Failure>> + Send + 'static,
    T: Send + 'static,
{
    fn poll(
        mut self: Pin<&mut Self>,
        seat: &Seat<'_>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Failure>> {
        if let StageOf::Fresh { make } = self.as_mut().project() {
            let make =
                make.take().expect("a closure leaves its place only to make the future that replaces it");
            let future = make(seat.context());
            self.set(Stage::Live { future });
        }
        let StageOf::Live { future } = self.as_mut().project() else {
            unreachable!("a task that is over is not polled");
        };
        match future.poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(output)) => {
                self.set(Stage::Over { output: Some(output) });
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(failure)) => Poll::Ready(Err(failure)),
        }
    }

    fn rewind(self: Pin<&mut Self>) -> bool {
        false
    }

    fn discard(mut self: Pin<&mut Self>) {
        self.set(Stage::Over { output: None });
    }

    fn output(self: Pin<&mut Self>) -> Option<&mut dyn Any> {
        match self.project() {
            StageOf::Fresh { .. } | StageOf::Live { .. } => None,
            StageOf::Over { output } => Some(output),
        }
    }
}

pin_project! {
    /// A task that can be started again: it keeps a copy of its closure.
    pub(super) struct Repeating<F, Fut, T> {
        original: F,
        #[pin]
        stage: Stage<F, Fut, T>,
    }
}

impl<F: Clone, Fut, T> Repeating<F, Fut, T> {
    pub(super) fn fresh(make: F) -> Repeating<F, Fut, T> {
        Repeating { original: make.clone(), stage: Stage::fresh(make) }
    }
}

impl<F, Fut, T> Body for Repeating<F, Fut, T>
where
    F: FnOnce(TaskContext) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<T, Failure>> + Send + 'static,
    T: Send + 'static,
{
    fn poll(self: Pin<&mut Self>, seat: &Seat<'_>, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.project().stage.poll(seat, context)
    }

    fn rewind(self: Pin<&mut Self>) -> bool {
        let mut this = self.project();
        let make = this.original.clone();
        this.stage.set(Stage::fresh(make));
        true
    }

    fn discard(self: Pin<&mut Self>) {
        self.project().stage.discard();
    }

    fn output(self: Pin<&mut Self>) -> Option<&mut dyn Any> {
        self.project().stage.output()
    }
}
