//! `agentweaver limit`: how many executions at once, and how fast they start.

use anstream::println;
use console::style;
use weaver_api::limit::{Limit, LimitRequest, LimitScope, Rate};

use super::executions::print_json;
use crate::cli::{LimitArgs, LimitCommand, ScopeArgs};
use crate::desk::Desk;
use crate::error::CliError;
use crate::render::term;
use crate::settings::Settings;

/// `agentweaver limit`
pub async fn run(args: &LimitArgs, settings: Settings) -> Result<(), CliError> {
    let (target, request) = match &args.command {
        LimitCommand::List { target } => (target, None),
        LimitCommand::Set(args) => {
            let rate = args.rate.as_deref().map(|text| rate(text, args.burst)).transpose()?;
            let request = LimitRequest { at_once: args.at_once, rate, ..scope(&args.scope) };
            (&args.target, Some(request))
        }
        LimitCommand::Remove { scope: of, target } => (target, Some(scope(of))),
    };
    let desk = Desk::open(target, &settings).await?;
    let page = match &request {
        Some(request) => desk.set_limit(request).await?,
        None => desk.limits().await?,
    };
    if target.json {
        print_json(&page);
    } else if page.items.is_empty() {
        term::note("no limits; `agentweaver limit set --all --at-once 10` sets one");
    } else {
        page.items.iter().for_each(show);
    }
    Ok(())
}

/// Nothing is limited yet.
fn scope(args: &ScopeArgs) -> LimitRequest {
    let (scope, name) = match (&args.key, &args.workflow) {
        (Some(key), _) => (LimitScope::Key, Some(key.clone())),
        (None, Some(workflow)) => (LimitScope::Workflow, Some(workflow.clone())),
        (None, None) => (LimitScope::Tenant, None),
    };
    LimitRequest { scope, name, at_once: None, rate: None }
}

/// `30/m`
fn rate(text: &str, burst: u32) -> Result<Rate, CliError> {
    let wrong = || {
        CliError::usage(format!("`{text}` is no rate"))
            .with_help("write it like 10/s, 30/m or 100/h")
    };
    let (count, unit) = text.split_once('/').ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(wrong()),
    };
    let count = count.parse::<u32>().ok().filter(|count| *count > 0).ok_or_else(wrong)?;
    Ok(Rate { every_seconds: seconds / f64::from(count), burst })
}

fn show(limit: &Limit) {
    let name = limit.name.as_deref().unwrap_or_default();
    let what = match limit.scope {
        LimitScope::Key => format!("key {name}"),
        LimitScope::Workflow => format!("workflow {name}"),
        LimitScope::Tenant => "all".into(),
    };
    let mut parts = Vec::new();
    parts.extend(limit.at_once.map(|at_once| format!("{} of {at_once} at once", limit.in_use)));
    parts.extend(limit.rate.map(|rate| {
        format!("one each {:.3} s, {} at once after a pause", rate.every_seconds, rate.burst)
    }));
    println!("{}  {}", style(what).bold(), parts.join(", "));
}
