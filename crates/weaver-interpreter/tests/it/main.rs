//! Everything the crate promises, through its public API and real processes.

mod harness;

mod crowds;
mod faces;
mod language;
mod limits;
mod sandbox;
mod sessions;
mod snapshots;
