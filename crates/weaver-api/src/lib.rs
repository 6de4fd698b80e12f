//! Wire types of the HTTP API under `/api/v1`, and the client that speaks them.
//!
//! Start with [`Client`]; what it sends and gets is plain data in [`execution`], [`history`],
//! [`models`], [`monitoring`],
//! [`worker`], [`workflow`], [`schedule`], [`studio`] and [`health`], and what is refused is a [`Problem`].
//!
//! Invariants:
//! - Names and shapes here are promises: fields are only added, and a reader
//!   skips what it does not know.
//! - Times are RFC 3339 in UTC with milliseconds, ids are UUIDs, money is a decimal
//!   string in US dollars.
//! - This crate knows neither how a request is answered nor where settings are.

mod client;
pub mod credential;
mod error;
mod events;
pub mod execution;
pub mod health;
pub mod history;
pub mod limit;
pub mod models;
mod money;
pub mod monitoring;
mod page;
mod problem;
pub mod schedule;
pub mod studio;
mod time;
pub mod usage;
pub mod worker;
mod worker_client;
pub mod workflow;

pub use client::Client;
pub use error::Error;
pub use money::Usd;
pub use page::Page;
pub use problem::{FieldProblem, PROBLEM_TYPE, Place, Problem};
pub use time::Time;
pub use worker_client::WorkerClient;
