//! Decides what a run does next: pure state machines for runs and admission.

pub mod admission;
