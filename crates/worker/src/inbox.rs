//! What comes back to the executor from its helper threads.

use std::sync::mpsc::{Receiver, Sender, channel};

use partitur_model::dispatch::ReportKind;

use crate::build::{Decided, Decision};
use crate::cache::Lookup;
use crate::platform::Waker;

/// Word from a helper thread about an attempt.
#[derive(Debug)]
pub(crate) enum Letter {
    /// A call is over.
    Called { serial: u64, what: ReportKind },
    /// The cache has been searched.
    Searched { serial: u64, found: Lookup },
    /// Whether a task has to be executed.
    Decided { serial: u64, decision: Decision, decided: Decided },
    /// A success is kept, or cannot be.
    Kept { serial: u64, is_kept: bool },
    /// A service was asked whether it is up.
    Asked { serial: u64, up: bool },
}

/// Where helper threads send what they have to say.
#[derive(Clone)]
pub(crate) struct Mailbox {
    letters: Sender<Letter>,
    bell: Waker,
}

impl Mailbox {
    /// Fails silently when the executor is gone: then nobody wants to know.
    pub fn send(&self, letter: Letter) {
        if self.letters.send(letter).is_ok() {
            self.bell.wake();
        }
    }
}

/// Where the executor finds it.
pub(crate) struct Inbox {
    pub mailbox: Mailbox,
    letters: Receiver<Letter>,
}

impl Inbox {
    pub fn new() -> std::io::Result<Inbox> {
        let (sender, letters) = channel();
        Ok(Inbox { mailbox: Mailbox { letters: sender, bell: Waker::new()? }, letters })
    }

    /// Readable when there is something.
    pub fn bell(&self) -> &Waker {
        &self.mailbox.bell
    }

    /// Everything that has come.
    pub fn take(&self) -> Vec<Letter> {
        self.mailbox.bell.reset();
        self.letters.try_iter().collect()
    }
}
