//! Finding executions in the list of all.

use weaver_core::{Timestamp, Value};
use weaver_store::{Execution, ExecutionId, ExecutionQuery};

use super::{Executions, Refused, View};
use crate::order::Order;

/// Which executions are looked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// What the store can look for, and how many are wanted: at least one.
    pub query: ExecutionQuery,
    /// What stands in their id, file, thread, labels, input or error; small and large
    /// letters are the same.
    pub text: Option<String>,
    /// The first moment at which they were submitted.
    pub created_after: Option<Timestamp>,
    /// The moment before which they were.
    pub created_before: Option<Timestamp>,
}

/// So many executions are read for one answer.
const LOOKED_AT_MAX: usize = 2000;

impl Executions {
    /// Executions, newest first, and the one to go on behind if there may be more. An edit
    /// of a state, an execution in which nothing runs, is none of them.
    pub async fn search(
        &self,
        mut wanted: Wanted,
    ) -> Result<(Vec<View>, Option<ExecutionId>), Refused> {
        let text = wanted.text.take().map(|text| text.to_lowercase());
        let limit = wanted.query.limit;
        // Few are dropped when only fields of the store are asked for.
        wanted.query.limit = if text.is_some() { limit.max(200) } else { limit + 1 };
        let mut found: Vec<Execution> = Vec::new();
        let mut looked_at = 0;
        let next = 'looking: loop {
            let rows = self.store.executions(wanted.query.clone()).await?;
            let is_last_page = rows.len() < wanted.query.limit;
            for row in rows {
                // Ids follow the time, and the list goes by them.
                if wanted.created_after.is_some_and(|after| row.started < after) {
                    break 'looking None;
                }
                let order = Order::decode(&row.input).unwrap_or_default();
                let is_wanted = order.input.as_str() != Some("update")
                    && wanted.created_before.is_none_or(|before| row.started < before)
                    && text.as_ref().is_none_or(|text| mentions(&row, &order, text));
                if is_wanted && found.len() == limit {
                    break 'looking wanted.query.before;
                }
                wanted.query.before = Some(row.id);
                looked_at += 1;
                if is_wanted {
                    found.push(row);
                }
            }
            if is_last_page {
                break None;
            }
            if looked_at >= LOOKED_AT_MAX {
                break wanted.query.before;
            }
        };
        Ok((self.views(found).await?, next))
    }
}

fn mentions(execution: &Execution, order: &Order, text: &str) -> bool {
    let has = |part: &str| part.to_lowercase().contains(text);
    let labels = order.labels.iter().flat_map(|(name, value)| [name, value]);
    execution.id.to_string().contains(text)
        || execution.workflow.as_deref().is_some_and(has)
        || has(&execution.thread)
        || labels.map(String::as_str).any(has)
        || (order.input != Value::Null && has(&order.input.to_json()))
        || execution.error.as_ref().is_some_and(|error| has(&String::from_utf8_lossy(error)))
}
