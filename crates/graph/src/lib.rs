//! Graph structure only: build, validate, analyse, find races.
