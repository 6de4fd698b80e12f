//! What names an execution, a checkpoint, and a line of checkpoints.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id (UUIDv7: ids made later by one process sort later).
            pub fn generate() -> Self {
                $name(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map($name)
            }
        }
    };
}

uuid_id! {
    /// Names a tenant: a customer, or the one user of an embedded store. Nothing
    /// of one is seen, changed or proven to exist by another.
    TenantId
}

impl TenantId {
    /// The tenant of a store that has only one.
    pub const LOCAL: TenantId =
        TenantId(Uuid::from_u128(0x6c6f_6361_6c00_8000_8000_0000_0000_0001));
}

uuid_id! {
    /// Names a workflow that somebody keeps.
    WorkflowId
}

uuid_id! {
    /// Names one execution of a workflow.
    ExecutionId
}

uuid_id! {
    /// Names one checkpoint. The order of ids means nothing to the store: what
    /// is latest follows from the order of appends, because clocks jump.
    CheckpointId
}

/// Where checkpoints of one graph follow each other: the root graph of a thread
/// (empty namespace) or one of its subgraphs (`node:task`, nested by `|`).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lane {
    /// The conversation or job, as the user names it.
    pub thread: Arc<str>,
    /// The subgraph's path, empty for the root graph.
    pub namespace: Arc<str>,
}

impl Lane {
    /// The lane of a subgraph; an empty namespace is the root graph.
    pub fn new(thread: impl Into<Arc<str>>, namespace: impl Into<Arc<str>>) -> Self {
        Lane { thread: thread.into(), namespace: namespace.into() }
    }

    /// The lane of a thread's root graph.
    pub fn root(thread: impl Into<Arc<str>>) -> Self {
        Lane::new(thread, "")
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "thread `{}`", self.thread)
        } else {
            write!(f, "thread `{}`, subgraph `{}`", self.thread, self.namespace)
        }
    }
}
