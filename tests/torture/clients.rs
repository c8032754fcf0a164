//! Those who use the server until it dies under them: who starts runs, who works, who operates, who teaches.

mod operator;
mod starter;
mod teacher;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::Scope;
use std::time::{SystemTime, UNIX_EPOCH};

use partitur_tests::Dice;
use partitur_tests::http::{Client, Reply};
use serde_json::Value;

use crate::ledger::Ledger;

/// What the clients of one life of the server share.
pub struct Shared {
    pub ledger: Mutex<Ledger>,
    /// Requests that have been sent and not answered, and that would change something.
    pub in_flight: AtomicUsize,
    /// They are to come to an end.
    pub stop: AtomicBool,
    /// From now on nobody fails, dies or starts anything.
    pub finish: AtomicBool,
}

impl Shared {
    pub fn new(ledger: Ledger) -> Shared {
        Shared {
            ledger: Mutex::new(ledger),
            in_flight: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            finish: AtomicBool::new(false),
        }
    }

    /// What is known when they are gone.
    pub fn into_ledger(self) -> Ledger {
        self.ledger.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ledger; whoever panicked with it has failed the test.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn finishes(&self) -> bool {
        self.finish.load(Ordering::Relaxed)
    }
}

/// How a client ends: with the server. All else panics.
type Life = io::Result<()>;

/// One client.
struct Hand<'a> {
    shared: &'a Shared,
    client: Client,
    dice: Dice,
}

impl Hand<'_> {
    /// Asks for something that changes something.
    fn change(&mut self, method: &str, path: &str, body: Option<&Value>) -> io::Result<Reply> {
        self.shared.in_flight.fetch_add(1, Ordering::SeqCst);
        let reply = self.client.ask(method, path, body)?;
        self.shared.in_flight.fetch_sub(1, Ordering::SeqCst);
        assert!(reply.status < 500, "{method} {path}: {reply:?}");
        Ok(reply)
    }

    /// Asks for something that must be granted.
    fn must(&mut self, method: &str, path: &str, body: Option<&Value>) -> io::Result<Reply> {
        let reply = self.change(method, path, body)?;
        assert!(matches!(reply.status, 200 | 204), "{method} {path} {body:?}: {reply:?}");
        Ok(reply)
    }
}

/// Milliseconds since 1970, by the clock that the server reads, too.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is right");
    since.as_millis() as i64
}

/// Starts them all.
pub fn start<'s>(scope: &'s Scope<'s, '_>, shared: &'s Shared, address: SocketAddr, dice: &mut Dice) {
    type Live = fn(Hand<'_>) -> Life;
    let kinds: [Live; 7] = [
        starter::live,
        operator::live,
        teacher::live,
        worker::live,
        worker::live,
        worker::live,
        worker::live,
    ];
    for live in kinds {
        let hand = Hand { shared, client: Client::new(address), dice: Dice::new(dice.roll()) };
        scope.spawn(move || match live(hand) {
            // The end of the server is the end of its clients.
            Err(error) if shared.finishes() => panic!("the server lives, and a connection broke: {error}"),
            Ok(()) | Err(_) => {}
        });
    }
}
