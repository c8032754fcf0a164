//! Whether a service is up: it is asked again and again until it is, or heard of in what it writes.

use std::time::{Duration, Instant};

use partitur_model::dispatch::{Ready, Service};

/// A service that is not up yet.
#[derive(Debug)]
pub(crate) struct Readiness {
    ready: Ready,
    every: Duration,
    /// When it is asked next; never while an answer is on its way.
    next: Option<Instant>,
    /// The end of what it has written, in which the text that is awaited may begin.
    heard: Vec<u8>,
}

impl Readiness {
    /// Of a service that has just been started.
    pub fn new(service: &Service) -> Readiness {
        let next = match &service.ready {
            Ready::Line(_) => None,
            Ready::Started | Ready::Port(_) | Ready::Http(_) | Ready::Command { .. } => Some(Instant::now()),
        };
        Readiness { ready: service.ready.clone(), every: service.every, next, heard: Vec::new() }
    }

    /// When it wants to be asked.
    pub fn next_look(&self) -> Option<Instant> {
        self.next
    }

    /// What is asked, if it is time.
    pub fn ask(&mut self, now: Instant) -> Option<Ready> {
        self.next.filter(|&next| next <= now)?;
        self.next = None;
        Some(self.ready.clone())
    }

    /// It is not up yet.
    pub fn is_not_up(&mut self, now: Instant) {
        self.next = Some(now + self.every);
    }

    /// It has written this; says whether that is what was awaited.
    pub fn hears(&mut self, bytes: &[u8]) -> bool {
        let Ready::Line(text) = &self.ready else { return false };
        self.heard.extend_from_slice(bytes);
        let is_up = memchr::memmem::find(&self.heard, text.as_bytes()).is_some();
        let begin = self.heard.len().saturating_sub(text.len());
        self.heard.drain(..begin);
        is_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_heard_across_the_pieces_in_which_it_comes() {
        let ready = Ready::Line("ready to accept".to_owned());
        let mut readiness = Readiness::new(&Service { ready, every: Duration::ZERO, grace: None });
        assert_eq!(readiness.ask(Instant::now()), None);
        assert!(!readiness.hears(b"starting\nread"));
        assert!(!readiness.hears(b"y to"));
        assert!(readiness.hears(b" accept connections\n"));
    }
}
