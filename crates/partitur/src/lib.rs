//! The library's front door: graphs of closures, and the host behind a feature.
