//! Templates, paths, conditions and rules: compiled once, evaluated purely.
