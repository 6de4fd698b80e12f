//! The money of model calls: set aside before them, settled after them.

use weaver_core::Failure;
use weaver_core::event::Usage;
use weaver_llm::{ChatMessage, ChatRequest, ChatResponse, Gateway, ModelRef, Part};
use weaver_runtime::{Spending, TaskContext};

use crate::host_call::notice;

/// The longest answer of a call within a budget that names no limit of its own.
const ANSWER_TOKENS_MAX: u32 = 8192;

/// Bytes of text that give one token, at the least: words of any language give fewer
/// tokens than this, only noise gives more.
const TOKEN_BYTES_MIN: usize = 2;

/// What a picture or a document is taken for when its size in tokens is not known.
const ATTACHMENT_TOKENS: usize = 4096;

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
    let worst = Usage {
        input: input_tokens_max(request) as u64,
        output: u64::from(output),
        ..Usage::default()
    };
    let Some(cost_micros) = gateway.cost_micros(model, &worst) else {
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
    )
}

/// No fewer tokens than the provider will count.
fn input_tokens_max(request: &ChatRequest) -> usize {
    let messages: usize = request.messages.iter().map(message_tokens_max).sum();
    let tools = serde_json::to_vec(&request.tools).map_or(0, |json| json.len());
    let output = serde_json::to_vec(&request.output).map_or(0, |json| json.len());
    messages + (tools + output).div_ceil(TOKEN_BYTES_MIN)
}

fn message_tokens_max(message: &ChatMessage) -> usize {
    /// What stands between messages.
    const FRAME: usize = 8;
    FRAME + message.parts.iter().map(part_tokens_max).sum::<usize>()
}

fn part_tokens_max(part: &Part) -> usize {
    match part {
        Part::Image { .. } | Part::File { .. } => ATTACHMENT_TOKENS,
        Part::ToolResult { content, .. } => content.iter().map(part_tokens_max).sum(),
        other => {
            let bytes = serde_json::to_vec(other).map_or(0, |json| json.len());
            bytes.div_ceil(TOKEN_BYTES_MIN)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_set_aside_than_a_text_of_any_language_takes() {
        // Tokens as a common tokenizer counts them.
        for (text, tokens) in [
            ("The quick brown fox jumps over the lazy dog.", 10),
            ("敏捷的棕色狐狸跳过了懒狗。", 18),
            ("for (int i = 0; i < n; ++i) { sum += a[i] * b[i]; }", 24),
        ] {
            let request =
                ChatRequest { messages: vec![ChatMessage::user(text)], ..ChatRequest::default() };
            assert!(input_tokens_max(&request) > tokens, "{text}");
        }
    }
}
