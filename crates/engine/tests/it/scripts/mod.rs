//! Scripts, by what they are about.

mod families;
mod forks;
mod found;
mod limits;
mod loops;
mod paths;
mod rooms;
mod schemas;
mod served;
mod services;
mod stale;
mod undoing;
mod values;
