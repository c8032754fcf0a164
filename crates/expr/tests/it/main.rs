//! What the languages promise, as tables.

mod expression;
mod template;
mod world;
