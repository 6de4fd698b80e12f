//! The money of model calls: set aside before them, settled after them.

use weaver_core::Failure;
use weaver_core::event::Usage;
use weaver_llm::{ChatRequest, ChatResponse, Gateway, ModelRef, TokenUsage};
use weaver_runtime::{Spending, TaskContext};

use crate::host_call::notice;

/// The longest answer of a call within a budget that names no limit of its own.
const ANSWER_TOKENS_MAX: u32 = 8192;

/// A prompt may have this part more tokens than the gateway estimates.
const ESTIMATE_MARGIN: u64 = 4;

/// Sets aside what a call can cost at most, where the execution has a budget. The length
/// of the answer is limited then, or there would be no such amount. A failure means
/// that nothing was sent.
pub async fn reserve(
    gateway: &Gateway,
    context: &TaskContext,
    model: &ModelRef,
    request: &mut ChatRequest,
) -> Result<Option<Spending>, Failure> {
    let Some(purse) = &context.run().purse else { return Ok(None) };
    let output = *request.max_tokens.get_or_insert(ANSWER_TOKENS_MAX);
    if gateway.cached(request)?.is_some() {
        return Ok(None);
    }
    let input = gateway.estimate(request)?.input;
    let input = input + input / ESTIMATE_MARGIN;
    let worst = Usage { input, output: u64::from(output), ..Usage::default() };
    let Some(cost_micros) = gateway.cost_micros(model, &TokenUsage::from(worst)) else {
        if !model.offline {
            let message =
                format!("`{model}` has no price: its calls do not count against the budget");
            notice(context, "price_unknown", &message);
        }
        return Ok(None);
    };
    purse.reserve(cost_micros, &format!("this call of `{model}`")).await.map(Some)
}

/// Says what a call has cost. After a failure that may have come in the midst of an
/// answer nobody knows: then the money stays set aside.
pub async fn settle(
    spending: Option<Spending>,
    response: &Result<ChatResponse, Failure>,
) -> Result<(), Failure> {
    let Some(spending) = spending else { return Ok(()) };
    match response {
        Ok(response) => spending.settle(response.cost_micros.unwrap_or_default()).await,
        Err(failure) if is_unbilled(failure) => spending.settle(0).await,
        Err(_) => Ok(()),
    }
}

/// Whether the call was refused as a whole, or never sent.
fn is_unbilled(failure: &Failure) -> bool {
    matches!(
        failure.code.as_str(),
        "model_unknown"
            | "model_key_missing"
            | "model_auth"
            | "model_forbidden"
            | "model_quota"
            | "model_rate_limited"
            | "model_overloaded"
            | "model_context_too_long"
            | "model_not_found"
            | "model_bad_request"
            | "model_script"
            | "model_circuit_open"
    )
}
