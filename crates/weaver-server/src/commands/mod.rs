//! One file for each command.

pub mod bench;
pub mod chat;
pub mod check;
pub mod completions;
pub mod convert;
pub mod credentials;
pub mod demo;
pub mod doctor;
pub mod executions;
pub mod graph;
pub mod history;
pub mod limit;
pub mod migrate;
pub mod models;
pub mod run;
pub mod scenario;
pub mod schedule;
pub mod serve;
pub mod stop;
pub mod worker;
