//! Readers of native YAML and JSON documents and of nodes and edges, with spans.
