//! The binary on real runs.

mod adaptive;
mod check;
mod conductor;
mod crash;
mod dashboard;
mod found;
mod graph;
mod history;
mod incremental;
mod looking_back;
mod nested;
mod operations;
mod page;
mod plan;
mod pty;
mod remote;
mod revive;
mod run;
mod services;
mod support;
mod taskmaster;
mod tell;
mod terminals;
