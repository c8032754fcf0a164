//! Shapes that several tables share.

use super::{action, policy, task};
use crate::keys::Shape;

/// Names or other words, one or many.
pub(super) const TEXTS: Shape = Shape::OneOrMany(&Shape::Text);
/// Paths and globs.
pub(super) const TEMPLATES: Shape = Shape::OneOrMany(&Shape::Template);
/// Environment variables.
pub(super) const ENV: Shape = Shape::Named(&Shape::Template);
/// Tasks by name.
pub(super) const TASKS: Shape = Shape::Named(&Shape::Block(&task::TASK));
/// A command: a script, or a program and its arguments.
pub(super) const RUN: Shape =
    Shape::Either(&[Shape::Template, Shape::Filled(&Shape::List(&Shape::Template))]);
/// A URL, or a whole call.
pub(super) const HTTP: Shape = Shape::Either(&[Shape::Template, Shape::Block(&action::HTTP)]);
/// How often, or how in detail.
pub(super) const RETRY: Shape = Shape::Either(&[Shape::Count(1), Shape::Block(&policy::RETRY)]);
/// A shell's name, or a program and its flags.
pub(super) const SHELL: Shape = Shape::Either(&[
    Shape::Pattern("^(.*/)?(sh|bash|dash|ash|ksh|zsh)$"),
    Shape::Filled(&Shape::List(&Shape::Text)),
]);
/// The elements of a loop: a list, or one value that is a list.
pub(super) const ITEMS: Shape = Shape::Either(&[Shape::Whole, Shape::List(&Shape::Any)]);
/// Classes of priority.
pub(super) const PRIORITY: Shape = Shape::Word(&["critical", "high", "normal", "low"]);
/// Where the output is found.
pub(super) const OUTPUT: Shape = Shape::Word(&["auto", "text", "lines", "json", "none"]);
