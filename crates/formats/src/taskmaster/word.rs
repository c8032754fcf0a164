//! The words for how far a task is, and how much it matters.

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not begun. A task that says nothing is.
    Pending,
    /// Begun.
    InProgress,
    /// Complete; `completed` means the same.
    Done,
    /// Put off.
    Deferred,
    /// Given up.
    Cancelled,
    /// Something outside is in its way.
    Blocked,
    /// Somebody looks at it.
    Review,
    /// A word that nobody knows.
    Unknown,
}

impl Status {
    /// Those that can be written.
    pub const ALL: [Status; 7] = [
        Status::Pending,
        Status::InProgress,
        Status::Done,
        Status::Deferred,
        Status::Cancelled,
        Status::Blocked,
        Status::Review,
    ];

    /// As Taskmaster writes it.
    pub fn word(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::InProgress => "in-progress",
            Status::Done => "done",
            Status::Deferred => "deferred",
            Status::Cancelled => "cancelled",
            Status::Blocked => "blocked",
            Status::Review => "review",
            Status::Unknown => "unknown",
        }
    }

    /// What a word means, however it is spelt.
    pub fn of(word: &str) -> Status {
        match Status::exactly(word) {
            Status::Unknown => Status::exactly(&plain(word)),
            known => known,
        }
    }

    /// What a word means if it is spelt as Taskmaster does.
    pub(super) fn exactly(word: &str) -> Status {
        match word {
            "pending" => Status::Pending,
            "in-progress" => Status::InProgress,
            "done" | "completed" => Status::Done,
            "deferred" => Status::Deferred,
            "cancelled" | "canceled" => Status::Cancelled,
            "blocked" => Status::Blocked,
            "review" => Status::Review,
            _ => Status::Unknown,
        }
    }

    /// Whether somebody may work on it.
    pub fn is_open(self) -> bool {
        match self {
            Status::Pending | Status::InProgress => true,
            Status::Done
            | Status::Deferred
            | Status::Cancelled
            | Status::Blocked
            | Status::Review
            | Status::Unknown => false,
        }
    }
}

/// How much a task matters; more is later in the order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Little.
    Low,
    /// As most.
    #[default]
    Medium,
    /// Much.
    High,
    /// Most.
    Critical,
}

impl Priority {
    /// As Taskmaster writes it.
    pub fn word(self) -> &'static str {
        match self {
            Priority::Low => "low",
            Priority::Medium => "medium",
            Priority::High => "high",
            Priority::Critical => "critical",
        }
    }

    /// What a word means, however it is spelt.
    pub(super) fn of(word: &str) -> Option<Priority> {
        match word {
            "low" => Some(Priority::Low),
            "medium" => Some(Priority::Medium),
            "high" => Some(Priority::High),
            "critical" => Some(Priority::Critical),
            _ if plain(word) != word => Priority::of(&plain(word)),
            _ => None,
        }
    }
}

/// The word in small letters, its parts joined as Taskmaster joins them.
fn plain(word: &str) -> String {
    word.trim().to_lowercase().replace([' ', '_'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_understood_however_they_are_spelt() {
        assert_eq!(Status::of("In_Progress "), Status::InProgress);
        assert_eq!(Status::of("completed"), Status::Done);
        assert_eq!(Status::of("P0"), Status::Unknown);
        assert_eq!(Priority::of("HIGH"), Some(Priority::High));
        assert_eq!(Priority::of("P0"), None);
        for status in Status::ALL {
            assert_eq!(Status::of(status.word()), status);
        }
    }
}
