//! `kill -9` of the server at random moments, again and again, while clients start runs, work, operate and teach, some of them
//! badly. What was acknowledged is there, nothing is done twice, and in the end every run has ended as it should.
//!
//! `SERVER_KILLS=5000 cargo test -p partitur-tests --test torture` kills so often; `SERVER_SEED=…` begins with another seed.

mod clients;
mod judge;
mod kinds;
mod ledger;
mod target;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clients::{Shared, now};
use judge::Court;
use ledger::Ledger;
use partitur_tests::{Dice, Place, Server, number, wait_for};

/// So often one directory is left behind by a killed server.
const KILLS_OF_A_PLACE: usize = 25;

/// What the kills met.
#[derive(Default)]
struct Tally {
    kills: usize,
    /// Requests that would change something had been sent and not answered.
    amid_requests: usize,
    /// Workers had tasks.
    amid_tasks: usize,
    amid_either: usize,
    runs: usize,
    tasks: usize,
    slowest: Duration,
}

#[test]
fn a_server_that_is_killed_at_any_moment_loses_nothing_and_does_nothing_twice() {
    let kills = number("SERVER_KILLS", 100);
    let first = number("SERVER_SEED", 1) as u64;
    let mut tally = Tally::default();
    for seed in first.. {
        if tally.kills >= kills {
            break;
        }
        let wanted = (kills - tally.kills).min(KILLS_OF_A_PLACE);
        println!("seed {seed}");
        Torture::new(seed).run(wanted, &mut tally);
    }
    let Tally { kills, amid_requests, amid_tasks, amid_either, runs, tasks, slowest } = tally;
    println!(
        "{kills} kills, {amid_either} of them with work in flight: {amid_requests} met requests that were not"
    );
    println!("answered, {amid_tasks} tasks in the hands of workers; {runs} runs, {tasks} tasks of workers;");
    println!("the slowest start took {slowest:?}");
    assert!(amid_either * 10 >= kills * 8, "only {amid_either} of {kills} kills met work in flight");
}

/// One directory of state, and its servers one after the other.
struct Torture {
    dice: Dice,
    place: Place,
    ledger: Ledger,
}

impl Torture {
    fn new(seed: u64) -> Torture {
        let (place, ledger) = (Place::new(), Ledger::default());
        let server = Server::start(&place);
        let mut client = server.client();
        assert_eq!(client.post("/api/metadata/taskdefs", &kinds::tasks()).status, 200);
        for workflow in kinds::workflows() {
            let reply = client.post("/api/metadata/workflow", &workflow);
            assert_eq!(reply.status, 200, "{reply:?}: {workflow}");
        }
        server.kill();
        Torture { dice: Dice::new(seed), place, ledger }
    }

    fn run(mut self, kills: usize, tally: &mut Tally) {
        for _ in 0..kills {
            self.live(tally);
        }
        self.finish();
        tally.runs += self.ledger.runs.len();
        tally.tasks += self.ledger.tasks.len();
    }

    /// One life of a server, to its kill.
    fn live(&mut self, tally: &mut Tally) {
        tally.kills += 1;
        // Now and then it does not even come to life.
        if self.dice.once_in(20) {
            Server::start_and_kill(&self.place, Duration::from_micros(self.dice.below(20_000) as u64));
        }
        let server = self.start(tally);
        let shared = Shared::new(std::mem::take(&mut self.ledger));
        let (dice, moment) = (&mut self.dice.clone(), self.moment());
        std::thread::scope(|scope| {
            clients::start(scope, &shared, server.address(), dice);
            std::thread::sleep(moment);
            let (requests, tasks) =
                (shared.in_flight.load(Ordering::SeqCst), shared.ledger().held(now() - 1_000));
            healthy(&server.kill());
            shared.stop.store(true, Ordering::Relaxed);
            tally.amid_requests += usize::from(requests > 0);
            tally.amid_tasks += usize::from(tasks > 0);
            tally.amid_either += usize::from(requests + tasks > 0);
        });
        self.ledger = shared.into_ledger();
    }

    fn moment(&mut self) -> Duration {
        match self.dice.below(10) {
            0 => Duration::from_millis(self.dice.below(30) as u64),
            1 => Duration::from_millis(self.dice.between(1_000, 1_600) as u64),
            _ => Duration::from_millis(self.dice.between(60, 500) as u64),
        }
    }

    /// Starts a server; what it has found is judged before anybody else speaks to it.
    fn start(&mut self, tally: &mut Tally) -> Server {
        let begun = Instant::now();
        self.ledger.life += 1;
        let server = Server::start(&self.place);
        tally.slowest = tally.slowest.max(begun.elapsed());
        Court::new(&mut self.ledger, server.client()).sit();
        server
    }

    /// Everybody does what is left, and well; then everything is judged once more.
    fn finish(&mut self) {
        let server = self.start(&mut Tally::default());
        wait_for("the end of all runs", || {
            self.work_on(&server);
            let mut court = Court::new(&mut self.ledger, server.client());
            court.sit();
            court.is_done().then_some(())
        });
        Court::new(&mut self.ledger, server.client()).close();
        healthy(&server.said());
        server.stop();
    }

    fn work_on(&mut self, server: &Server) {
        let shared = Shared::new(std::mem::take(&mut self.ledger));
        shared.finish.store(true, Ordering::Relaxed);
        std::thread::scope(|scope| {
            clients::start(scope, &shared, server.address(), &mut self.dice);
            std::thread::sleep(Duration::from_millis(300));
            shared.stop.store(true, Ordering::Relaxed);
        });
        self.ledger = shared.into_ledger();
    }
}

/// It has had nothing to complain of.
fn healthy(said: &str) {
    for word in ["panicked", "set aside", "incident"] {
        assert!(!said.contains(word), "{said}");
    }
}
