//! What has become of a task, and how that looks: never by colour alone.

/// What has become of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It waits for others.
    Waiting,
    /// It could start, and waits for a slot, a lock, or time.
    Ready,
    /// It is at work.
    Running,
    /// It will be tried again.
    Retrying,
    /// It has done what it should.
    Succeeded,
    /// It has not.
    Failed,
    /// Its turn came, and it was left out.
    Skipped,
    /// It was stopped.
    Cancelled,
    /// It succeeded, and was undone.
    Undone,
}

/// How a state looks.
pub(super) struct Look {
    pub word: &'static str,
    pub glyph: &'static str,
    pub stroke: &'static str,
    pub fill: &'static str,
    /// Lengths of lines and gaps of the rim; a full line if empty.
    pub dash: &'static str,
    /// What colours a terminal.
    pub terminal: &'static str,
}

impl State {
    /// All states.
    pub const ALL: [State; 9] = [
        State::Waiting,
        State::Ready,
        State::Running,
        State::Retrying,
        State::Succeeded,
        State::Failed,
        State::Skipped,
        State::Cancelled,
        State::Undone,
    ];

    pub(super) fn look(self) -> Look {
        let look =
            |word, glyph, stroke, fill, dash, terminal| Look { word, glyph, stroke, fill, dash, terminal };
        match self {
            State::Waiting => look("waiting", "·", "#a59d90", "#f6f2e8", "1 3", "\x1b[2m"),
            State::Ready => look("ready", "◦", "#6d6878", "#fffdf8", "", "\x1b[0m"),
            State::Running => look("running", "▸", "#1f6fa8", "#dcecf6", "", "\x1b[36m"),
            State::Retrying => look("to be tried again", "↻", "#a86a12", "#fbeccd", "6 3", "\x1b[33m"),
            State::Succeeded => look("succeeded", "✓", "#3b7d55", "#e3f0e2", "", "\x1b[32m"),
            State::Failed => look("failed", "✗", "#b3261e", "#f9dcd6", "", "\x1b[1;31m"),
            State::Skipped => look("skipped", "∅", "#a59d90", "#f1ede3", "5 4", "\x1b[2m"),
            State::Cancelled => look("cancelled", "⊘", "#8a5a2b", "#f3e6d6", "2 3", "\x1b[33m"),
            State::Undone => look("undone", "↶", "#7d5191", "#eee2f3", "8 3 2 3", "\x1b[35m"),
        }
    }
}
