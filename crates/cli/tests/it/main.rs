//! The binary on real runs.

mod check;
mod conductor;
mod crash;
mod page;
mod pty;
mod revive;
mod run;
mod support;
mod taskmaster;
mod tell;
mod terminals;
