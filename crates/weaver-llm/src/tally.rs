//! [`Tally`]: who is told what each answer came to.

use std::sync::Arc;

use futures::StreamExt;

use crate::model::ModelRef;
use crate::price::Price;
use crate::stream::{ChatEvent, ChatStream, TokenUsage};

/// Is told what each whole chat answer of a gateway came to, whoever asked for it.
#[derive(Clone)]
pub struct Tally(Arc<dyn Fn(&Tallied<'_>) + Send + Sync>);

/// What one answer came to.
#[derive(Clone, Copy, Debug)]
pub struct Tallied<'a> {
    /// The model that answered.
    pub model: &'a ModelRef,
    /// Its tokens.
    pub usage: &'a TokenUsage,
    /// What they cost, in micro-USD, where the model has a price.
    pub cost_micros: Option<u64>,
    /// Nobody was asked: the answer was given before.
    pub cached: bool,
}

impl Tally {
    /// A tally that calls a function, which must not block.
    pub fn new(told: impl Fn(&Tallied<'_>) + Send + Sync + 'static) -> Self {
        Tally(Arc::new(told))
    }

    pub(crate) fn tell(&self, tallied: &Tallied<'_>) {
        (self.0)(tallied);
    }

    /// The same stream; its answer is told of once it is whole.
    pub(crate) fn follow(
        self,
        stream: ChatStream,
        model: ModelRef,
        price: Option<Price>,
    ) -> ChatStream {
        let mut last = TokenUsage::default();
        ChatStream::new(stream.inspect(move |event| match event {
            Ok(ChatEvent::Usage(usage)) => last = usage.clone(),
            Ok(ChatEvent::Finish { .. }) => {
                let cost_micros = price.map(|price| price.cost_micros(&last));
                self.tell(&Tallied { model: &model, usage: &last, cost_micros, cached: false });
            }
            _ => {}
        }))
    }
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tally")
    }
}
