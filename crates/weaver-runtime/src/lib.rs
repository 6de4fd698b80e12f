//! Drives runs: load, advance, commit.
