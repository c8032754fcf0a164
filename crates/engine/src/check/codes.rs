//! The codes of what `check` finds. Each has a page `docs/errors/<code>.md`.

/// Declares the codes together with the list of all of them.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal;)+) => {
        $($(#[doc = $doc])+ pub(super) const $name: &str = $code;)+

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
    /// A condition that is neither true nor false.
    NO_CONDITION = "P0221";
    /// An ordering comparison with what may be null.
    NULL_ORDERING = "P0222";
}
