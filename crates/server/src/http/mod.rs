//! The edge: connections with limits, routes, and what crosses as JSON.

pub(crate) mod answer;
pub(crate) mod arrival;
pub(crate) mod connections;
pub(crate) mod gate;
pub(crate) mod input;
pub(crate) mod openapi;
pub(crate) mod routes;
pub(crate) mod stream;
