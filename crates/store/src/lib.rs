//! Durable state: submit a batch, load what is open, query.
