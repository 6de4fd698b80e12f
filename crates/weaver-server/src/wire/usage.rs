//! Usage and quotas, between the API and the ledger.

use weaver_api::execution::Budget;
use weaver_api::usage::{Quotas, QuotasRequest, Tokens, Usage, UsageQuery};
use weaver_api::{Page, Time, Usd};
use weaver_core::Timestamp;
use weaver_llm::{Gateway, Price, TokenUsage};
use weaver_runtime::now;
use weaver_store::TenantId;

use crate::ledger::{self, Ledger, Line, Refused, day_of};

/// The days of a query, since 1970. The error is a field and what is wrong with it.
pub fn days(query: &UsageQuery) -> Result<(u32, u32), (&'static str, String)> {
    let day = |name, text: &Option<String>| match text {
        None => Ok(day_of(now())),
        Some(text) => match format!("{text}T00:00:00Z").parse::<Time>() {
            Ok(time) => Ok(day_of(time.0)),
            Err(_) => Err((name, format!("`{text}` is no day; write it like 2026-01-31"))),
        },
    };
    Ok((day("from", &query.from)?, day("to", &query.to)?))
}

/// What was used on some days, priced by a gateway's prices.
pub async fn usage(
    ledger: &Ledger,
    tenant: TenantId,
    gateway: &Gateway,
    (from, to): (u32, u32),
) -> Result<Page<Usage>, Refused> {
    let lines = ledger.usage(tenant, from, to).await?;
    let price = |line: &Line| gateway.price(&gateway.resolve(&line.model).ok()?);
    let items = lines.iter().map(|line| shown(line, price(line))).collect();
    Ok(Page { items, next_cursor: None })
}

/// How a tenant's quotas stand.
pub async fn quotas(ledger: &Ledger, tenant: TenantId) -> Result<Quotas, Refused> {
    let set = ledger.quotas(tenant).await?;
    let [day, month] = ledger.budgets(tenant).await?;
    let budget = |limit: Option<u64>, found: weaver_store::Budget| {
        limit.map(|limit| Budget {
            limit: Usd(limit),
            spent: Usd(found.settled_micros),
            reserved: Usd(found.reserved_micros),
            unconfirmed: Usd(found.unconfirmed_micros),
        })
    };
    Ok(Quotas {
        gateway_day: budget(set.day_micros, day),
        gateway_month: budget(set.month_micros, month),
        gateway_calls_per_minute: set.per_minute,
    })
}

/// Sets a tenant's quotas; gives how they stand.
pub async fn set_quotas(
    ledger: &Ledger,
    tenant: TenantId,
    request: &QuotasRequest,
) -> Result<Quotas, Refused> {
    let next = ledger::Quotas {
        day_micros: request.gateway_day.map(|usd| usd.0),
        month_micros: request.gateway_month.map(|usd| usd.0),
        per_minute: request.gateway_calls_per_minute,
    };
    ledger.set_quotas(tenant, next).await?;
    quotas(ledger, tenant).await
}

fn shown(line: &Line, price: Option<Price>) -> Usage {
    let cost_now = price.map(|price| {
        let costs = line.by_class.iter().map(|(class, sum)| price.cost_micros_of_sum(sum, *class));
        Usd(costs.fold(0, u64::saturating_add))
    });
    Usage {
        day: Timestamp(i64::from(line.day) * 86_400_000_000).to_rfc3339()[..10].into(),
        model: line.model.clone(),
        calls: line.calls,
        cached_calls: line.cached_calls,
        tokens: line.by_class.values().fold(Tokens::default(), more),
        cost: Usd(line.cost_micros),
        cost_now,
    }
}

fn more(sum: Tokens, usage: &TokenUsage) -> Tokens {
    let (tokens, details) = (&usage.tokens, &usage.details);
    Tokens {
        input: sum.input + tokens.input,
        cached_read: sum.cached_read + tokens.cached_read,
        cached_write: sum.cached_write + tokens.cached_write,
        cached_write_long: sum.cached_write_long + details.cached_write_long,
        audio_input: sum.audio_input + details.audio_input,
        audio_cached: sum.audio_cached + details.audio_cached,
        output: sum.output + tokens.output,
        reasoning: sum.reasoning + tokens.reasoning,
        audio_output: sum.audio_output + details.audio_output,
    }
}
