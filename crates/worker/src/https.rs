//! What all HTTP calls have in common: who calls, and with which cryptography.

use reqwest::{Client, ClientBuilder};

/// A client of HTTP and HTTPS, to be finished by who calls.
pub fn client() -> ClientBuilder {
    // Whoever comes first has said so for the whole process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().user_agent(concat!("partitur/", env!("CARGO_PKG_VERSION")))
}
