//! The codes of this crate's faults. Each has a page `docs/errors/<code>.md`.

/// Declares the codes together with the list of all of them.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: &str = $code;)+

        /// All codes of this crate.
        pub const ALL: &[&str] = &[$($code),+];
    };
}

codes! {
    /// The text is no YAML or no JSON.
    SYNTAX = "P0101";
    /// The document is larger or deeper than the budget.
    BUDGET = "P0102";
    /// The bytes are no text in UTF-8.
    ENCODING = "P0103";
    /// The file's name does not say what it is.
    FORMAT = "P0104";
    /// A key is given twice.
    DUPLICATE_KEY = "P0105";
    /// Nobody knows this key.
    UNKNOWN_KEY = "P0106";
    /// A task that does not exist is needed.
    UNKNOWN_TASK = "P0107";
    /// A list stands where a text should, and the like.
    WRONG_TYPE = "P0108";
    /// A key that must be there is missing.
    MISSING_KEY = "P0109";
    /// The value is none of those that are possible.
    BAD_VALUE = "P0110";
    /// The text is no duration, or no point in time.
    BAD_TIME = "P0111";
    /// The name has letters that names cannot have.
    BAD_NAME = "P0112";
    /// The name means something else already.
    RESERVED_NAME = "P0113";
    /// A task needs itself.
    SELF_DEPENDENCY = "P0114";
    /// A task needs another twice.
    DUPLICATE_NEED = "P0115";
    /// Two keys contradict each other, or one has no meaning without another.
    CONFLICT = "P0116";
    /// The task does nothing.
    NO_ACTION = "P0117";
    /// A value cannot be given to the shell at this place.
    UNQUOTABLE = "P0118";
    /// `${name.…}` in a script, and nobody has this name.
    UNKNOWN_HEAD = "P0119";
    /// `${` without quotes within flow brackets.
    FLOW_TEMPLATE = "P0120";
    /// `${…}` around what is an expression anyway.
    WRAPPED_EXPRESSION = "P0121";
    /// A sub-flow's file cannot be read.
    FLOW_UNREADABLE = "P0122";
    /// A sub-flow contains itself.
    FLOW_CYCLE = "P0123";
    /// A path to a sub-flow that is not allowed.
    FLOW_PATH = "P0124";
    /// A secret or breaker that the document does not declare.
    UNDECLARED = "P0125";
    /// There is nothing to do.
    EMPTY = "P0126";
    /// Several documents in one file.
    MANY_DOCUMENTS = "P0127";
    /// A YAML feature that documents do not use.
    UNSUPPORTED_YAML = "P0128";
    /// A task of a body needs one outside, or the other way round.
    OTHER_SCOPE = "P0129";
    /// A node of a type that nobody knows.
    UNKNOWN_NODE_TYPE = "P0130";
    /// Two nodes have the same id.
    DUPLICATE_NODE = "P0131";
    /// A key that has no effect here.
    WITHOUT_EFFECT = "P0132";
}
