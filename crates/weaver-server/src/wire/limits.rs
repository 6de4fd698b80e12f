//! Limits, between the API and the runtime.

use std::time::Duration;

use weaver_api::Page;
use weaver_api::limit::{Limit, LimitRequest, LimitScope, Rate};
use weaver_runtime::Limits;
use weaver_runtime::executions::Refused;
use weaver_runtime::limits::Bound;
use weaver_store::Scope;

/// All limits of a tenant.
pub async fn limit_list(limits: &Limits) -> Result<Page<Limit>, Refused> {
    let items = limits.list().await?.iter().map(limit).collect();
    Ok(Page { items, next_cursor: None })
}

/// Sets or takes away a limit.
pub async fn set_limit(limits: &Limits, request: &LimitRequest) -> Result<(), Refused> {
    let scope = scope(request)?;
    if request.at_once == Some(0) {
        let message = "a limit is at least 1; pause what is not to run".into();
        return Err(Refused::Field { pointer: "/at_once", message });
    }
    limits.set(scope, request.at_once, request.rate.map(rate).transpose()?).await
}

fn scope(request: &LimitRequest) -> Result<Scope, Refused> {
    let field = |message: &str| Refused::Field { pointer: "/name", message: message.into() };
    match (request.scope, &request.name) {
        (LimitScope::Tenant, None) => Ok(Scope::Tenant),
        (LimitScope::Tenant, Some(_)) => Err(field("a limit of all executions has no name")),
        (_, None) => Err(field("the name of the key or the workflow is missing")),
        (LimitScope::Key, Some(name)) => Ok(Scope::Key(name.as_str().into())),
        (LimitScope::Workflow, Some(name)) => Ok(Scope::Workflow(name.as_str().into())),
    }
}

fn rate(rate: Rate) -> Result<weaver_store::Rate, Refused> {
    let wrong = || Refused::Field {
        pointer: "/rate",
        message: "a rate is some seconds, more than none, and a burst of at least 1".into(),
    };
    let interval = Duration::try_from_secs_f64(rate.every_seconds).map_err(|_| wrong())?;
    match interval.is_zero() || rate.burst == 0 {
        true => Err(wrong()),
        false => Ok(weaver_store::Rate { interval, burst: rate.burst }),
    }
}

fn limit(bound: &Bound) -> Limit {
    let (scope, name) = match &bound.scope {
        Scope::Key(name) => (LimitScope::Key, Some(name.to_string())),
        Scope::Workflow(name) => (LimitScope::Workflow, Some(name.to_string())),
        Scope::Tenant => (LimitScope::Tenant, None),
    };
    Limit {
        scope,
        name,
        at_once: bound.at_once,
        in_use: bound.in_use,
        rate: bound
            .rate
            .map(|rate| Rate { every_seconds: rate.interval.as_secs_f64(), burst: rate.burst }),
    }
}
