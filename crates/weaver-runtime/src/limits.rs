//! [`Limits`]: how many executions may be under way at once, and how fast they start.

use weaver_store::{Rate, Scope, Store};

use crate::executions::Refused;

/// Limits of one tenant.
#[derive(Clone)]
pub struct Limits {
    store: Store,
}

/// What holds for a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// What is counted.
    pub scope: Scope,
    /// How many may be under way at once.
    pub at_once: Option<u32>,
    /// How many are, where that is limited.
    pub in_use: u32,
    /// How fast they start.
    pub rate: Option<Rate>,
}

impl Limits {
    /// The limits of a store's tenant.
    pub fn new(store: Store) -> Self {
        Limits { store }
    }

    /// All that hold now, those included that came with the work of a key.
    pub async fn list(&self) -> Result<Vec<Bound>, Refused> {
        let (queue, tenant) = (self.store.queue(), self.store.tenant());
        let mut bounds: Vec<Bound> = Vec::new();
        for limit in queue.limits(tenant).await? {
            bounds.push(Bound {
                scope: limit.scope,
                at_once: Some(limit.limit),
                in_use: limit.used,
                rate: None,
            });
        }
        for (scope, rate) in queue.rates(tenant).await? {
            match bounds.iter_mut().find(|bound| bound.scope == scope) {
                Some(bound) => bound.rate = Some(rate),
                None => {
                    bounds.push(Bound { scope, at_once: None, in_use: 0, rate: Some(rate) });
                }
            }
        }
        bounds.sort_by(|one, other| one.scope.cmp(&other.scope));
        Ok(bounds)
    }

    /// Sets what holds for a scope from now on; what is under way goes on.
    pub async fn set(
        &self,
        scope: Scope,
        at_once: Option<u32>,
        rate: Option<Rate>,
    ) -> Result<(), Refused> {
        let (queue, tenant) = (self.store.queue(), self.store.tenant());
        let is_key = matches!(scope, Scope::Key(_));
        if is_key && rate.is_some() {
            let message = "a rate is of a workflow or of all executions, not of a key";
            return Err(Refused::Field { pointer: "/rate", message: message.into() });
        }
        if !is_key {
            queue.set_rate(tenant, scope.clone(), rate).await?;
        }
        Ok(queue.set_limit(tenant, scope, at_once).await?)
    }
}
