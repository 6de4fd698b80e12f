//! [`Savings`]: what a run took from earlier ones.

use serde::Serialize;
use serde::de::DeserializeOwned;
use weaver_core::{Event, EventKind};
use weaver_store::{ExecutionId, Store};

use super::Cost;
use crate::error::Error;
use crate::from_entry;

/// What a run took from earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Savings {
    /// Node tasks that ran.
    pub ran: u64,
    /// Node tasks that did not.
    pub reused: u64,
    /// What those, and recorded calls of those that ran, cost then.
    pub saved: Cost,
}

impl Savings {
    /// Of an execution, as its log tells them.
    pub async fn of(store: &Store, execution: ExecutionId) -> Result<Self, Error> {
        let mut savings = Savings::default();
        let entries = store.entries(execution, 0, 0).await?;
        for event in entries.iter().filter_map(from_entry) {
            if event.kind == EventKind::NodeExit {
                savings.take(&event);
            }
        }
        Ok(savings)
    }

    fn take(&mut self, exit: &Event) {
        let reused: Option<Cost> = part(exit, "cost");
        match &reused {
            Some(_) => self.reused += 1,
            None => self.ran += 1,
        }
        for cost in reused.iter().chain(&part(exit, "spared")) {
            self.saved.add(cost);
        }
    }
}

fn part<T: DeserializeOwned>(event: &Event, key: &str) -> Option<T> {
    let json = serde_json::Value::from(event.data.get(key)?);
    serde_json::from_value(json).ok()
}
