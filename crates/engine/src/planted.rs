//! Faults of the engine's own that tests plant.

/// Panics in a task of this name.
pub(crate) fn strike(task: &str, planted: &str) {
    assert!(task != planted, "a planted fault");
}
