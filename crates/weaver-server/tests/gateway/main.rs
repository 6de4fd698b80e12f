//! The gateway as its clients and its owner see it: keys, money, pace.

mod cache;
mod credentials;
#[path = "../cli/desk.rs"]
#[allow(dead_code)]
mod desk;
mod money;
mod provider;
mod serving;
