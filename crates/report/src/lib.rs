//! Pure reading of records: performance and advice.
