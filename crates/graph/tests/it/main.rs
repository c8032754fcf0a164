//! Everything against a naive oracle that is too slow to be wrong in the same way.

mod graphs;
mod interner;
mod layout;
mod patterns;
mod races;
mod render;
