//! Pools with real helpers: this binary itself, started once more.

mod hostile;
mod languages;
mod pool;
mod subset;

use std::time::Duration;

use partitur_model::Payload;
use partitur_script::{Language, Pool, Request, ScriptError, Settings};

partitur_script::helper_in_tests!();

/// Longer than anything but what never ends.
const PATIENT: Duration = Duration::from_secs(20);

fn pool() -> Pool {
    Pool::new(Settings::default()).unwrap()
}

fn request(language: Language, source: &str, input: &str) -> Request {
    Request::value(1, language, source, Payload::parse(input).unwrap(), PATIENT)
}

/// The value as JSON, or the error as text.
fn evaluate(pool: &Pool, language: Language, source: &str, input: &str) -> String {
    match pool.evaluate(request(language, source, input)) {
        Ok(value) => value.render(),
        Err(error) => error.to_string(),
    }
}

fn error(pool: &Pool, language: Language, source: &str, input: &str) -> ScriptError {
    pool.evaluate(request(language, source, input)).unwrap_err()
}
