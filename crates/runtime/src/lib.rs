//! Where threads and clocks meet the engine: shard, commit, clock.
