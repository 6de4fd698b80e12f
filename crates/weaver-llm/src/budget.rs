//! A call that may cost so much and no more.

use std::borrow::Cow;

use weaver_core::event::Usage;

use crate::chat::ChatRequest;
use crate::error::Error;
use crate::model::ModelRef;
use crate::price::Price;
use crate::stream::{ChatEvent, TokenUsage};
use crate::tokens;

/// Counts what an answer costs while it arrives.
pub(crate) struct Meter {
    price: Price,
    model: ModelRef,
    budget_micros: u64,
    input: u64,
    output: f64,
}

/// The request as it can be paid, and a meter for its answer: no longer than what is
/// left after the prompt. Without a budget or a price nothing is changed.
pub(crate) fn affordable<'a>(
    request: &'a ChatRequest,
    model: &ModelRef,
    price: Option<Price>,
    budget_micros: Option<u64>,
) -> Result<(Cow<'a, ChatRequest>, Option<Meter>), Error> {
    let (Some(price), Some(budget_micros)) = (price, budget_micros) else {
        return Ok((Cow::Borrowed(request), None));
    };
    let input = tokens::of_request(request, model);
    let left = price
        .affordable_output(input, budget_micros)
        .map_err(|cost_micros| Error::OverBudget { cost_micros, budget_micros, began: false })?;
    let meter = Meter { price, model: model.clone(), budget_micros, input, output: 0.0 };
    let left = u32::try_from(left).unwrap_or(u32::MAX);
    let request = match request.max_tokens {
        Some(asked) if asked <= left => Cow::Borrowed(request),
        // What no model answers at once need not be said.
        None if left > 1_000_000 => Cow::Borrowed(request),
        _ => Cow::Owned(ChatRequest { max_tokens: Some(left), ..request.clone() }),
    };
    Ok((request, Some(meter)))
}

impl Meter {
    /// Counts a piece; fails where the budget is passed.
    pub fn count(&mut self, event: &ChatEvent) -> Result<(), Error> {
        let usage = match event {
            ChatEvent::Usage(usage) => usage.clone(),
            ChatEvent::Text { text }
            | ChatEvent::Refusal { text }
            | ChatEvent::Reasoning { text, .. }
            | ChatEvent::ToolCallDelta { arguments: text, .. } => {
                self.output += tokens::of_piece(text, &self.model);
                let output = self.output as u64;
                TokenUsage::from(Usage { input: self.input, output, ..Usage::default() })
            }
            _ => return Ok(()),
        };
        let (cost_micros, budget_micros) = (self.price.cost_micros(&usage), self.budget_micros);
        // What was said in full is paid for; cutting it would save nothing.
        match cost_micros > budget_micros && !matches!(event, ChatEvent::Usage(_)) {
            true => Err(Error::OverBudget { cost_micros, budget_micros, began: true }),
            false => Ok(()),
        }
    }
}
