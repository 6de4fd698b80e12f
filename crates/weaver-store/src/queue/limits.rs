//! Limits on how much is under way at once, and on how fast it starts.

use std::sync::Arc;
use std::time::Duration;

use crate::TenantId;

/// What a limit counts. All names are a tenant's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Work with this concurrency key.
    Key(Arc<str>),
    /// Executions of this workflow.
    Workflow(Arc<str>),
    /// Executions of the tenant.
    Tenant,
}

/// Work with the same key is done at most `limit` pieces at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConcurrencyKey {
    /// The key: a conversation, a customer, a device.
    pub name: Arc<str>,
    /// How many at a time, at least 1. When pieces of work disagree, the one
    /// enqueued last is right. [`crate::Queue::set_limit`] overrules it.
    pub limit: u32,
}

/// A limit and how much of it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Whose.
    pub tenant: TenantId,
    /// What it counts.
    pub scope: Scope,
    /// How many at once.
    pub limit: u32,
    /// How many there are now. More than `limit` just after it was lowered.
    pub used: u32,
}

/// How fast work may start: `burst` at once, then one each `interval`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The time between two starts in the long run.
    pub interval: Duration,
    /// How many may start at once after a pause, at least 1.
    pub burst: u32,
}

impl Scope {
    /// The stored form: a letter for the kind, then the name.
    pub(crate) fn text(&self) -> String {
        match self {
            Scope::Key(name) => format!("k:{name}"),
            Scope::Workflow(name) => format!("w:{name}"),
            Scope::Tenant => "t".into(),
        }
    }

    /// Reads the stored form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            Some(("k", name)) => Some(Scope::Key(name.into())),
            Some(("w", name)) => Some(Scope::Workflow(name.into())),
            None if text == "t" => Some(Scope::Tenant),
            _ => None,
        }
    }
}
