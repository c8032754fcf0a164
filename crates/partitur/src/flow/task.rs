//! Handles of tasks, and what a task can wait for.

use std::fmt;
use std::marker::PhantomData;

/// Which task of which flow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// Tells the handles of two flows apart, so that a mix-up is a fault and not another task.
    pub(super) flow: u32,
    pub(super) node: u32,
}

impl TaskId {
    /// The position of the task in its flow, in the order of creation.
    pub fn index(self) -> usize {
        self.node as usize
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.node)
    }
}

/// A task whose output is a `T`. A handle is a small number: copy it freely, also into closures.
pub struct Task<T> {
    id: TaskId,
    output: PhantomData<fn() -> T>,
}

impl<T> Task<T> {
    pub(super) fn new(id: TaskId) -> Task<T> {
        Task { id, output: PhantomData }
    }

    /// The task without the type of its output.
    pub fn id(self) -> TaskId {
        self.id
    }
}

// Not derived: a handle is `Copy` whatever its output is.
impl<T> Clone for Task<T> {
    fn clone(&self) -> Task<T> {
        *self
    }
}

impl<T> Copy for Task<T> {}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

impl<T> From<Task<T>> for TaskId {
    fn from(task: Task<T>) -> TaskId {
        task.id
    }
}

/// What can stand in `after`: a task, a list of tasks of one output type, or a tuple of tasks of several.
pub trait Predecessors {
    /// Calls `each` with every task.
    fn for_each(&self, each: &mut dyn FnMut(TaskId));
}

impl Predecessors for TaskId {
    fn for_each(&self, each: &mut dyn FnMut(TaskId)) {
        each(*self);
    }
}

impl<T> Predecessors for Task<T> {
    fn for_each(&self, each: &mut dyn FnMut(TaskId)) {
        each(self.id);
    }
}

impl Predecessors for () {
    fn for_each(&self, _: &mut dyn FnMut(TaskId)) {}
}

impl<P: Predecessors + ?Sized> Predecessors for &P {
    fn for_each(&self, each: &mut dyn FnMut(TaskId)) {
        (**self).for_each(each);
    }
}

impl<P: Predecessors> Predecessors for [P] {
    fn for_each(&self, each: &mut dyn FnMut(TaskId)) {
        self.iter().for_each(|task| task.for_each(each));
    }
}

impl<P: Predecessors, const N: usize> Predecessors for [P; N] {
    fn for_each(&self, each: &mut dyn FnMut(TaskId)) {
        self.as_slice().for_each(each);
    }
}

impl<P: Predecessors> Predecessors for Vec<P> {
    fn for_each(&self, each: &mut dyn FnMut(TaskId)) {
        self.as_slice().for_each(each);
    }
}

macro_rules! predecessors_of_tuples {
    ($(($($name:ident)+))+) => {$(
        impl<$($name: Predecessors),+> Predecessors for ($($name,)+) {
            #[allow(non_snake_case)]
            fn for_each(&self, each: &mut dyn FnMut(TaskId)) {
                let ($($name,)+) = self;
                $($name.for_each(each);)+
            }
        }
    )+};
}

predecessors_of_tuples! { (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H) }
