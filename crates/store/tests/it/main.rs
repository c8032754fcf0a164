//! What every store promises, and what only a disk can do to one.

mod arbitrary;
mod backup;
mod contract;
mod crash;
mod damage;
mod disk;
mod formats;
mod power;
mod reading;
mod searching;
mod searching_tasks;
mod support;
