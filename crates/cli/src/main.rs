//! The binary `partitur`.

fn main() {}
