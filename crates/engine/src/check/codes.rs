//! The codes of what `check` finds. Each has a page `docs/errors/<code>.md`.

/// Declares the codes together with the list of all of them.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal;)+) => {
        $($(#[doc = $doc])+ pub(crate) const $name: &str = $code;)+

        /// All codes that [`check`](super::check) may give.
        pub const ALL: &[&str] = &[$($code),+];
    };
}

codes! {
    /// An expression or template cannot be read.
    BAD_EXPRESSION = "P0201";
    /// A compensation is neither a command nor a call.
    BAD_UNDO = "P0202";
    /// Tasks wait for each other in a ring.
    CYCLE = "P0203";
    /// A task waits for itself.
    SELF_DEPENDENCY = "P0204";
    /// A name is given twice.
    DUPLICATE = "P0205";
    /// An edge leaves its scope.
    STRAY_EDGE = "P0206";
    /// What a task waits for can never come together.
    NEVER_RUNS = "P0207";
    /// A case is waited for that no switch has.
    UNKNOWN_CASE = "P0208";
    /// A sub-flow contains itself.
    FLOW_CYCLE = "P0209";
    /// A name in an expression that nobody has.
    UNKNOWN_NAME = "P0210";
    /// What is asked of a name does not exist.
    UNKNOWN_MEMBER = "P0211";
    /// A task is named that may not have ended by then.
    NOT_ORDERED = "P0212";
    /// A name that means nothing at this place.
    NO_MEANING = "P0213";
    /// An input that is not declared.
    UNKNOWN_INPUT = "P0214";
    /// A variable of the environment that is not declared.
    UNKNOWN_VARIABLE = "P0215";
    /// A task names itself.
    OWN_NAME = "P0216";
    /// A flow that the document does not hold.
    UNKNOWN_FLOW = "P0217";
    /// A sub-flow is not given what it asks for, or given what it does not know.
    BAD_FLOW_INPUT = "P0218";
    /// What has been written is not undone.
    NO_UNDO = "P0219";
    /// Something that has no effect.
    NO_EFFECT = "P0220";
    /// A condition that is neither true nor false.
    NO_CONDITION = "P0221";
    /// An ordering comparison with what may be null.
    NULL_ORDERING = "P0222";
    /// A regular expression that is none.
    BAD_PATTERN = "P0223";
    /// The elements of a for-each are no list.
    NO_LIST = "P0224";
    /// A text that is no duration and no point in time.
    BAD_TIME = "P0225";
    /// A figure that makes no sense.
    BAD_FIGURE = "P0226";
    /// The longest pause is shorter than the first one.
    SHORT_PAUSES = "P0227";
    /// A default that does not fit its input.
    BAD_INPUT = "P0303";
    /// More units than there are.
    TOO_MANY_UNITS = "P0310";
    /// Several units of what nobody has counted.
    UNDECLARED_UNITS = "P0311";
    /// A task asks for one thing several times.
    SAME_CLAIM = "P0312";
    /// A breaker that is not declared.
    UNKNOWN_BREAKER = "P0313";
    /// A secret that is not declared.
    UNKNOWN_SECRET = "P0314";
    /// Declared and never used.
    UNUSED = "P0315";
    /// A name much like a declared one.
    NEAR_NAME = "P0316";
    /// Tasks that may get into each other's way.
    RACE = "P0320";
}
