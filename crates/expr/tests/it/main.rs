//! What the languages promise, as tables and properties.

mod bounds;
mod decimal;
mod expression;
mod fault;
mod page;
mod property;
mod rule;
mod template;
mod world;
