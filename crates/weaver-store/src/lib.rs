//! Durable state of runs: the log on SQLite and in memory.
