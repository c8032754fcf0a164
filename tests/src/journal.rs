//! What the tasks themselves have written down: a line when one starts, ends, fails, or meets somebody where it should
//! be alone. Lines are appended in one write each, so their order is the order in which things happened.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// An attempt has begun.
    Start(Attempt),
    /// It has done its work.
    End(Attempt),
    /// It has failed, as it should.
    Fail(Attempt),
    /// It was told to stop, and did.
    Stop(Attempt),
    /// It met somebody where it should have been alone.
    Overlap(Attempt, String),
    /// Whoever hosted the run was killed.
    Kill,
}

/// An attempt, as it sees itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The task's path.
    pub task: String,
    /// Which try.
    pub number: u32,
    /// Its fencing token.
    pub token: u64,
}

impl Line {
    /// The line as text, without its end.
    pub fn render(&self) -> String {
        match self {
            Line::Start(attempt) => format!("start {}", attempt.render()),
            Line::End(attempt) => format!("end {}", attempt.render()),
            Line::Fail(attempt) => format!("fail {}", attempt.render()),
            Line::Stop(attempt) => format!("stop {}", attempt.render()),
            Line::Overlap(attempt, what) => format!("overlap {} {what}", attempt.render()),
            Line::Kill => "kill".to_owned(),
        }
    }

    fn parse(text: &str) -> Line {
        let mut words = text.splitn(5, ' ');
        let mut word = || words.next().unwrap_or_else(|| panic!("`{text}` is no line of a journal"));
        let what = word();
        if what == "kill" {
            return Line::Kill;
        }
        let task = word().to_owned();
        let number = word().parse().expect("the number of an attempt");
        let token = word().parse().expect("a token");
        let attempt = Attempt { task, number, token };
        match what {
            "start" => Line::Start(attempt),
            "end" => Line::End(attempt),
            "fail" => Line::Fail(attempt),
            "stop" => Line::Stop(attempt),
            "overlap" => Line::Overlap(attempt, word().to_owned()),
            _ => panic!("`{text}` is no line of a journal"),
        }
    }
}

impl Attempt {
    /// The attempt in which this process is.
    ///
    /// # Panics
    /// If it is in none.
    pub fn own() -> Attempt {
        let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("a task is given {name}"));
        Attempt {
            task: variable("PARTITUR_TASK"),
            number: variable("PARTITUR_ATTEMPT").parse().expect("the number of an attempt"),
            token: variable("PARTITUR_TOKEN").parse().expect("a token"),
        }
    }

    fn render(&self) -> String {
        format!("{} {} {}", self.task, self.number, self.token)
    }
}

/// Appends a line to the journal of a directory.
///
/// # Panics
/// If it cannot.
pub fn note(dir: &Path, line: &Line) {
    let file = OpenOptions::new().append(true).create(true).open(dir.join("journal"));
    let text = format!("{}\n", line.render());
    file.and_then(|mut file| file.write_all(text.as_bytes())).expect("the journal takes a line");
}

/// All that has been written so far.
pub fn read(dir: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(dir.join("journal")).unwrap_or_default();
    text.lines().map(Line::parse).collect()
}

/// Where somebody met another.
pub fn overlaps(lines: &[Line]) -> Vec<String> {
    let overlap = |line: &Line| matches!(line, Line::Overlap(..)).then(|| line.render());
    lines.iter().filter_map(overlap).collect()
}

/// The attempts that have started and not ended, of those that started since the last kill.
pub fn in_flight(lines: &[Line]) -> Vec<&Attempt> {
    let mut alive: Vec<&Attempt> = Vec::new();
    for line in lines {
        match line {
            Line::Start(attempt) => alive.push(attempt),
            Line::End(attempt) | Line::Fail(attempt) | Line::Stop(attempt) => {
                alive.retain(|other| *other != attempt);
            }
            Line::Overlap(..) => {}
            Line::Kill => alive.clear(),
        }
    }
    alive
}
