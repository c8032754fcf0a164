//! The native protocol under `/v1`: native documents, many starts, and many results and tasks, in one call; a run followed
//! as it goes.

pub(crate) mod bulk;
pub(crate) mod callbacks;
pub(crate) mod documents;
pub(crate) mod exchange;
pub(crate) mod follow;
pub(crate) mod keys;
pub(crate) mod locks;
pub(crate) mod logs;
pub(crate) mod runs;
pub(crate) mod story;
pub(crate) mod system;
