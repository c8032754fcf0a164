//! The codes of what is wrong with a file of Taskmaster. Each has a page `docs/errors/<code>.md`.

/// It holds no list of tasks.
pub const NO_TASKS: &str = "P0150";
/// A list stands where a text should, and the like.
pub const WRONG_TYPE: &str = "P0151";
/// A key is given twice.
pub const DUPLICATE_KEY: &str = "P0152";
/// A task has no id.
pub const NO_ID: &str = "P0153";
/// Two tasks have the same id.
pub const DUPLICATE_ID: &str = "P0154";
/// A task depends on one that does not exist.
pub const UNKNOWN_TASK: &str = "P0155";
/// A task depends on itself.
pub const SELF_DEPENDENCY: &str = "P0156";
/// A dependency is given twice.
pub const DUPLICATE_DEPENDENCY: &str = "P0157";
/// Tasks wait for each other.
pub const CYCLE: &str = "P0158";
/// A subtask waits for its own parent, or for what waits for it.
pub const CONTAINMENT: &str = "P0159";
/// A plain number in a subtask that is no sibling, and a task.
pub const OTHER_LEVEL: &str = "P0160";
/// A status or priority that nobody knows.
pub const UNKNOWN_WORD: &str = "P0161";
/// Statuses that contradict each other.
pub const CONTRADICTION: &str = "P0162";
/// Open tasks wait for one that will not be done.
pub const HELD: &str = "P0163";

/// All codes of this module.
pub const ALL: &[&str] = &[
    NO_TASKS,
    WRONG_TYPE,
    DUPLICATE_KEY,
    NO_ID,
    DUPLICATE_ID,
    UNKNOWN_TASK,
    SELF_DEPENDENCY,
    DUPLICATE_DEPENDENCY,
    CYCLE,
    CONTAINMENT,
    OTHER_LEVEL,
    UNKNOWN_WORD,
    CONTRADICTION,
    HELD,
];
