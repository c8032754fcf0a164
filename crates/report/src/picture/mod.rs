//! A definition as a picture, and what a run has made of it.

mod forks;
mod overlay;
mod sketch;

pub use forks::group;
pub use overlay::Overlay;
pub use sketch::Sketch;
