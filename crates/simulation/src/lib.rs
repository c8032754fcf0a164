//! Deterministic simulation of the whole node with injected faults.
