//! Admission against naive models: what may be held together, who is next, how long anybody waits.

mod fairness;
mod lock_model;
mod naive;
mod outside;
mod properties;
mod regressions;
mod rig;
