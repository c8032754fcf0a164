//! How the rest of the process speaks to the node: requests as messages, answers when they are durable.
//!
//! Whoever gives up waiting says so by dropping the future: an open poll is taken back, and tasks that were handed out
//! in an answer that nobody received may start again at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use partitur_engine::admission::Taken;
use partitur_engine::{
    Answer, Command, Handed, HeldLock, Input, LockInput, LockWish, Poll, QueueName, Refusal, ReplyTo,
    Submission, Update,
};
use partitur_model::catalogue::{Entry, LogLine};
use partitur_model::definition::Label;
use partitur_model::event::Event;
use partitur_model::note::Note;
use partitur_model::{AttemptId, RunId, TaskSeq, Timestamp};
use partitur_store::StoreError;
use partitur_store::retention::Family;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::health::Health;
use crate::metrics::scrape::Standing;

/// What reaches the node thread.
pub(crate) enum Message {
    /// One thing for the engine.
    Input(Input, Option<(ReplyTo, Waiter)>),
    /// Many of these, in order.
    Many(Vec<Request>),
    /// Somebody is to be told when everything that was decided so far is on the disk.
    Barrier(oneshot::Sender<()>),
    /// Somebody follows a run.
    Watch(RunId, Watcher),
    /// Somebody asks how many tasks wait in each queue.
    Queues(oneshot::Sender<Vec<(String, u64)>>),
    /// These runs have ended and are to go; whoever asks hears of it when they have, and nothing if they do not.
    Forget(Vec<Family>, oneshot::Sender<()>),
    /// What tasks of a run are called, which an older binary wrote.
    Label(RunId, Vec<(TaskSeq, Option<Label>)>, oneshot::Sender<Result<(), StoreError>>),
    /// Somebody asks for a lock that is held.
    Lock(u64, oneshot::Sender<Option<HeldLock>>),
    /// Somebody asks who waits for whom.
    Contention(oneshot::Sender<Contention>),
    /// Somebody asks how everything stands.
    Standing(oneshot::Sender<Standing>),
    /// The store has completed something.
    Woken,
    /// Open polls are answered with what there is.
    EndPolls,
    /// Nothing more will come: what is there is brought to the disk.
    Stop(oneshot::Sender<()>),
}

/// Something for the engine, and who waits for its answer.
pub(crate) type Request = (Input, Option<(ReplyTo, Waiter)>);

/// An answer that is on its way.
type Awaited = oneshot::Receiver<Result<Answer, NodeError>>;

/// Who waits for an answer.
pub(crate) enum Waiter {
    /// To a request.
    Answer(oneshot::Sender<Result<Answer, NodeError>>),
    /// To documents for the catalogue, which are known to all before it goes.
    Keep(Vec<Entry>, oneshot::Sender<Result<Answer, NodeError>>),
    /// To a poll; of an update in the same step, this is its run.
    Tasks(Option<RunId>, oneshot::Sender<Result<HandedOut, NodeError>>),
}

/// Who holds things, and who waits for them.
#[derive(Debug, Default)]
pub(crate) struct Contention {
    /// The locks of those outside.
    pub held: Vec<HeldLock>,
    /// Tasks and those outside who wait.
    pub waiting: Vec<Contender>,
    /// All things that are held or waited for.
    pub things: Vec<Taken>,
    /// Not all who wait are told.
    pub cut: bool,
}

/// Somebody who waits.
#[derive(Debug)]
pub(crate) struct Contender {
    pub who: String,
    pub wants: Vec<String>,
    pub since: Timestamp,
    pub waits_for: Vec<String>,
}

/// Who follows a run.
pub(crate) enum Watcher {
    /// Each event, in order; whoever is too slow is left behind.
    Events(mpsc::Sender<Event>),
    /// That something has happened, in the run or below it.
    Changes(Arc<Notify>),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NodeError {
    /// The engine refuses.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The disk is full.
    #[error("the disk is full: {0}")]
    DiskFull(String),
    /// The disk cannot be written just now; whether the request will be done is open.
    #[error("the disk cannot be written at the moment: {0}")]
    DiskTrouble(String),
    /// The process is ending.
    #[error("the server is stopping")]
    Stopping,
}

/// The way to the node, for as many as want one.
#[derive(Clone)]
pub struct Handle {
    messages: Sender<Message>,
    last_reply: Arc<AtomicU64>,
    health: Arc<Health>,
}

impl Handle {
    pub(crate) fn new(messages: Sender<Message>, health: Arc<Health>) -> Handle {
        Handle { messages, last_reply: Arc::default(), health }
    }

    /// How the node stands, as it last said.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Starts a run.
    ///
    /// # Errors
    /// Why not.
    pub async fn submit(&self, mut submission: Submission) -> Result<Answer, NodeError> {
        self.ask(|reply| {
            submission.reply = Some(reply);
            Input::Submit(Box::new(submission))
        })
        .await
    }

    /// Starts many runs, each for itself; the answers are in their order.
    ///
    /// # Errors
    /// Nothing is taken at the moment.
    pub async fn submit_many(
        &self,
        submissions: Vec<Submission>,
    ) -> Result<Vec<Result<Answer, NodeError>>, NodeError> {
        self.accepting()?;
        let asked = submissions.into_iter().map(|mut submission| {
            self.request(|reply| {
                submission.reply = Some(reply);
                Input::Submit(Box::new(submission))
            })
        });
        let (requests, awaited): (Vec<Request>, Vec<Awaited>) = asked.unzip();
        self.send(Message::Many(requests))?;
        Ok(answers(awaited).await)
    }

    /// Starts many runs, each with what is to be noted of it if it is accepted; the answers are in their order.
    ///
    /// # Errors
    /// Nothing is taken at the moment.
    pub(crate) async fn submit_noted(
        &self,
        submissions: Vec<(Submission, Vec<Note>)>,
    ) -> Result<Vec<Result<Answer, NodeError>>, NodeError> {
        self.accepting()?;
        let asked = submissions.into_iter().map(|(mut submission, notes)| {
            self.request(|reply| {
                submission.reply = Some(reply);
                Input::Noted { input: Box::new(Input::Submit(Box::new(submission))), notes }
            })
        });
        let (requests, awaited): (Vec<Request>, Vec<Awaited>) = asked.unzip();
        self.send(Message::Many(requests))?;
        Ok(answers(awaited).await)
    }

    /// Wants something of which a trace is to stay: the notes are written in the same commit, unless it is refused.
    ///
    /// # Errors
    /// Why it is not done.
    pub(crate) async fn noted(
        &self,
        notes: Vec<Note>,
        input: impl FnOnce(ReplyTo) -> Input,
    ) -> Result<Answer, NodeError> {
        self.ask(|reply| Input::Noted { input: Box::new(input(reply)), notes }).await
    }

    /// Writes notes.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn note(&self, notes: Vec<Note>) -> Result<Answer, NodeError> {
        self.ask(|reply| Input::notes(notes, Some(reply))).await
    }

    /// Wants something of a run.
    ///
    /// # Errors
    /// Why it is not done.
    pub async fn command(&self, run: RunId, command: Command) -> Result<Answer, NodeError> {
        self.ask(|reply| Input::Command { run, command, reply: Some(reply) }).await
    }

    /// Says how a task stands.
    ///
    /// # Errors
    /// Why nothing has changed.
    pub async fn update(&self, mut update: Update) -> Result<Answer, NodeError> {
        self.ask(|reply| {
            update.reply = Some(reply);
            Input::Update(Box::new(update))
        })
        .await
    }

    /// Says how a task stands, and takes the next one in the same step.
    ///
    /// # Errors
    /// Why nothing has changed.
    pub async fn update_and_poll(
        &self,
        mut update: Update,
        queue: QueueName,
        worker: Arc<str>,
    ) -> Result<HandedOut, NodeError> {
        let (reply, run) = (self.next_reply(), update.run);
        update.then = Some(Poll { queue, worker, count: 1, wait: false, reply });
        self.tasks(reply, Input::Update(Box::new(update)), Some(run), None).await
    }

    /// Takes tasks; waits so long for the first.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn poll(
        &self,
        queue: QueueName,
        worker: Arc<str>,
        count: u32,
        patience: Duration,
    ) -> Result<HandedOut, NodeError> {
        let reply = self.next_reply();
        let wait = !patience.is_zero();
        let poll = Poll { queue, worker, count, wait, reply };
        self.tasks(reply, Input::Poll(poll), None, wait.then_some(patience)).await
    }

    /// Says how many tasks stand, and takes others, in one message: what the ones lead to may be among the others. The
    /// answers to the updates are in their order.
    ///
    /// # Errors
    /// Nothing is taken at the moment.
    pub async fn exchange(
        &self,
        updates: Vec<Update>,
        queue: QueueName,
        worker: Arc<str>,
        count: u32,
        patience: Duration,
    ) -> Result<(Vec<Result<Answer, NodeError>>, HandedOut), NodeError> {
        self.accepting()?;
        let asked = updates.into_iter().map(|mut update| {
            self.request(|reply| {
                update.reply = Some(reply);
                Input::Update(Box::new(update))
            })
        });
        let (mut requests, awaited): (Vec<Request>, Vec<Awaited>) = asked.unzip();
        let (sender, receiver) = oneshot::channel();
        let (reply, wait) = (self.next_reply(), !patience.is_zero());
        let poll = Input::Poll(Poll { queue, worker, count, wait, reply });
        requests.push((poll, Some((reply, Waiter::Tasks(None, sender)))));
        self.send(Message::Many(requests))?;
        let open = OpenPoll { handle: self, reply, open: true };
        let answers = answers(awaited).await;
        Ok((answers, self.handed(open, receiver, wait.then_some(patience)).await?))
    }

    async fn tasks(
        &self,
        reply: ReplyTo,
        input: Input,
        run: Option<RunId>,
        patience: Option<Duration>,
    ) -> Result<HandedOut, NodeError> {
        self.accepting()?;
        let (sender, receiver) = oneshot::channel();
        self.send(Message::Input(input, Some((reply, Waiter::Tasks(run, sender)))))?;
        self.handed(OpenPoll { handle: self, reply, open: true }, receiver, patience).await
    }

    /// Waits for the answer to a poll.
    async fn handed(
        &self,
        mut open: OpenPoll<'_>,
        mut receiver: oneshot::Receiver<Result<HandedOut, NodeError>>,
        patience: Option<Duration>,
    ) -> Result<HandedOut, NodeError> {
        if let Some(patience) = patience {
            match tokio::time::timeout(patience, &mut receiver).await {
                Ok(answer) => {
                    open.open = false;
                    return answer.unwrap_or(Err(NodeError::Stopping));
                }
                Err(_) => self.send(Message::Input(Input::PollOver(open.reply), None))?,
            }
        }
        let answer = receiver.await.unwrap_or(Err(NodeError::Stopping));
        open.open = false;
        answer
    }

    /// Keeps documents of the catalogue, or forgets them.
    ///
    /// # Errors
    /// Why not.
    pub async fn keep(&self, entries: Vec<Entry>) -> Result<Answer, NodeError> {
        self.keep_noted(entries, Vec::new()).await
    }

    /// Keeps documents of the catalogue, or forgets them, with what is to be noted of it.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn keep_noted(
        &self,
        entries: Vec<Entry>,
        notes: Vec<Note>,
    ) -> Result<Answer, NodeError> {
        self.accepting()?;
        let (sender, receiver) = oneshot::channel();
        let reply = self.next_reply();
        let input = Input::Keep { entries: entries.clone(), reply: Some(reply) };
        let input = Input::Noted { input: Box::new(input), notes };
        self.send(Message::Input(input, Some((reply, Waiter::Keep(entries, sender)))))?;
        receiver.await.unwrap_or(Err(NodeError::Stopping))
    }

    /// Adds to the log of a task.
    ///
    /// # Errors
    /// Why not.
    pub async fn log(&self, run: RunId, task: TaskSeq, lines: Vec<LogLine>) -> Result<Answer, NodeError> {
        self.ask(|reply| Input::Log { run, task, lines, reply: Some(reply) }).await
    }

    /// Waits until everything that was decided so far is on the disk.
    ///
    /// # Errors
    /// The node has ended.
    pub async fn barrier(&self) -> Result<(), NodeError> {
        let (sender, receiver) = oneshot::channel();
        self.send(Message::Barrier(sender))?;
        receiver.await.map_err(|_| NodeError::Stopping)
    }

    /// How many tasks wait in each queue.
    ///
    /// # Errors
    /// The node has ended.
    pub async fn queues(&self) -> Result<Vec<(String, u64)>, NodeError> {
        let (sender, receiver) = oneshot::channel();
        self.send(Message::Queues(sender))?;
        receiver.await.map_err(|_| NodeError::Stopping)
    }

    /// Takes a lock; waits so long for it. Whoever gives up waiting has none.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn acquire(&self, mut wish: LockWish, patience: Duration) -> Result<(), NodeError> {
        let mut open = OpenLock { handle: self, id: wish.id, open: true };
        let asked = self.ask(|reply| {
            wish.reply = Some(reply);
            Input::Locks(LockInput::Acquire(Box::new(wish)))
        });
        let mut asked = std::pin::pin!(asked);
        let answer = if patience.is_zero() {
            asked.await
        } else {
            match tokio::time::timeout(patience, &mut asked).await {
                Ok(answer) => answer,
                Err(_) => {
                    self.send(Message::Input(release(open.id, None), None))?;
                    asked.await
                }
            }
        };
        // What is held is the asker's from now on; what was refused is gone.
        open.open = false;
        answer.map(drop)
    }

    /// The holder of a lock lives.
    ///
    /// # Errors
    /// There is no such lock.
    pub(crate) async fn renew(&self, id: u64) -> Result<(), NodeError> {
        self.ask(|reply| Input::Locks(LockInput::Renew { id, reply: Some(reply) })).await.map(drop)
    }

    /// A lock is given back.
    ///
    /// # Errors
    /// There is no such lock.
    pub(crate) async fn release(&self, id: u64) -> Result<(), NodeError> {
        self.ask(|reply| release(id, Some(reply))).await.map(drop)
    }

    /// A lock that is held.
    ///
    /// # Errors
    /// The node has ended.
    pub(crate) async fn lock(&self, id: u64) -> Result<Option<HeldLock>, NodeError> {
        let (sender, receiver) = oneshot::channel();
        self.send(Message::Lock(id, sender))?;
        receiver.await.map_err(|_| NodeError::Stopping)
    }

    /// Who holds things, and who waits for them.
    ///
    /// # Errors
    /// The node has ended.
    pub(crate) async fn contention(&self) -> Result<Contention, NodeError> {
        let (sender, receiver) = oneshot::channel();
        self.send(Message::Contention(sender))?;
        receiver.await.map_err(|_| NodeError::Stopping)
    }

    /// Closes a breaker.
    ///
    /// # Errors
    /// It is closed.
    pub(crate) async fn reset_breaker(&self, name: String) -> Result<(), NodeError> {
        self.ask(|reply| Input::ResetBreaker { name, reply: Some(reply) }).await.map(drop)
    }

    /// Forgets the results that serve again.
    ///
    /// # Errors
    /// The node has ended.
    pub(crate) async fn clear_results(&self) -> Result<(), NodeError> {
        self.ask(|reply| Input::ClearResults { reply: Some(reply) }).await.map(drop)
    }

    /// How everything stands at this moment.
    ///
    /// # Errors
    /// The node has ended.
    pub async fn standing(&self) -> Result<Standing, NodeError> {
        let (sender, receiver) = oneshot::channel();
        self.send(Message::Standing(sender))?;
        receiver.await.map_err(|_| NodeError::Stopping)
    }

    /// Follows a run and what is below it: woken whenever something has happened.
    pub(crate) fn changes(&self, run: RunId) -> Result<Arc<Notify>, NodeError> {
        let changes = Arc::new(Notify::new());
        self.send(Message::Watch(run, Watcher::Changes(changes.clone())))?;
        Ok(changes)
    }

    /// Follows the events of a run.
    pub(crate) fn events(&self, run: RunId) -> Result<mpsc::Receiver<Event>, NodeError> {
        let (sender, receiver) = mpsc::channel(EVENTS_MAX);
        self.send(Message::Watch(run, Watcher::Events(sender)))?;
        Ok(receiver)
    }

    /// From now on polls are answered at once.
    pub(crate) fn begin_to_stop(&self) {
        self.health.set_draining();
        // Without a node there are no polls.
        let _ = self.send(Message::EndPolls);
    }

    /// Brings what is there to the disk and ends the node.
    pub(crate) async fn stop(&self) {
        let (sender, receiver) = oneshot::channel();
        if self.send(Message::Stop(sender)).is_ok() {
            // An error is the end, too.
            let _ = receiver.await;
        }
    }

    async fn ask(&self, input: impl FnOnce(ReplyTo) -> Input) -> Result<Answer, NodeError> {
        self.accepting()?;
        let ((input, waiter), answer) = self.request(input);
        self.send(Message::Input(input, waiter))?;
        answer.await.unwrap_or(Err(NodeError::Stopping))
    }

    fn request(&self, input: impl FnOnce(ReplyTo) -> Input) -> (Request, Awaited) {
        let (sender, receiver) = oneshot::channel();
        let reply = self.next_reply();
        ((input(reply), Some((reply, Waiter::Answer(sender)))), receiver)
    }

    /// While the disk refuses to write, nothing new is taken.
    fn accepting(&self) -> Result<(), NodeError> {
        self.health.trouble().map_or(Ok(()), Err)
    }

    fn next_reply(&self) -> ReplyTo {
        ReplyTo(self.last_reply.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(crate) fn send(&self, message: Message) -> Result<(), NodeError> {
        self.messages.send(message).map_err(|_| NodeError::Stopping)
    }
}

/// What is awaited, one after the other; they come together.
async fn answers(awaited: Vec<Awaited>) -> Vec<Result<Answer, NodeError>> {
    let mut answers = Vec::with_capacity(awaited.len());
    for answer in awaited {
        answers.push(answer.await.unwrap_or(Err(NodeError::Stopping)));
    }
    answers
}

/// Events that may wait for a slow follower.
const EVENTS_MAX: usize = 4_096;

fn release(id: u64, reply: Option<ReplyTo>) -> Input {
    Input::Locks(LockInput::Release { id, reply })
}

/// Gives a lock back when whoever asked for it is gone.
struct OpenLock<'a> {
    handle: &'a Handle,
    id: u64,
    open: bool,
}

impl Drop for OpenLock<'_> {
    fn drop(&mut self) {
        if self.open {
            // Without a node there is no lock.
            let _ = self.handle.send(Message::Input(release(self.id, None), None));
        }
    }
}

/// Takes its poll back when whoever asked is gone.
struct OpenPoll<'a> {
    handle: &'a Handle,
    reply: ReplyTo,
    open: bool,
}

impl Drop for OpenPoll<'_> {
    fn drop(&mut self) {
        if self.open {
            // Without a node there is no poll.
            let _ = self.handle.send(Message::Input(Input::PollOver(self.reply), None));
        }
    }
}

/// Tasks on their way to a worker. Dropped before they are on the wire, they go back.
pub struct HandedOut {
    tasks: Vec<Handed>,
    back: Sender<Message>,
}

impl HandedOut {
    pub(crate) fn new(tasks: Vec<Handed>, back: Sender<Message>) -> HandedOut {
        HandedOut { tasks, back }
    }

    /// The tasks.
    pub fn tasks(&self) -> &[Handed] {
        &self.tasks
    }

    /// They are on their way: from now on they are the worker's.
    pub fn delivered(&mut self) {
        self.tasks.clear();
    }
}

impl Drop for HandedOut {
    fn drop(&mut self) {
        if !self.tasks.is_empty() {
            let attempts: Vec<AttemptId> = self.tasks.iter().map(|handed| handed.attempt).collect();
            // Without a node, the next start hands them out.
            let _ = self.back.send(Message::Input(Input::GiveBack(attempts), None));
        }
    }
}
