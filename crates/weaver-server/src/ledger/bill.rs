//! [`Bill`]: what one call comes to.

use weaver_llm::{AnswerHead, ChatEvent, Error, Gateway, ModelRef, TokenUsage};
use weaver_store::TenantId;

use super::meters::Counted;
use super::purse::Held;
use super::{Ledger, is_unbilled};

/// The bill of one call. Dropped before the call has ended, it counts all that was set
/// aside as spent: nobody knows what a call has cost whose end was not seen.
pub struct Bill {
    ledger: Ledger,
    tenant: TenantId,
    gateway: Gateway,
    /// The model that was asked, or that answered in its stead.
    model: ModelRef,
    usage: Option<TokenUsage>,
    held: Vec<Held>,
    /// The answer is one that was given and paid for before.
    cached: bool,
    ended: bool,
}

impl Bill {
    pub(super) fn new(
        ledger: Ledger,
        tenant: TenantId,
        gateway: Gateway,
        model: ModelRef,
        held: Vec<Held>,
    ) -> Self {
        Bill { ledger, tenant, gateway, model, usage: None, held, cached: false, ended: false }
    }

    /// Takes note of a piece of the answer.
    pub fn event(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::Start(head) => self.answered_by(head),
            ChatEvent::Usage(usage) => self.usage = Some(usage.clone()),
            ChatEvent::Finish { .. } => self.ended = true,
            _ => {}
        }
    }

    /// The call has ended well.
    pub fn end(mut self, head: &AnswerHead, usage: &TokenUsage) {
        self.answered_by(head);
        self.usage = Some(usage.clone());
        self.ended = true;
    }

    /// The call has failed.
    pub fn fail(&mut self, error: &Error) {
        if is_unbilled(error) {
            self.held.drain(..).for_each(|held| held.spent(0));
        }
    }

    /// A model that stood in for another one is paid at its own price.
    fn answered_by(&mut self, head: &AnswerHead) {
        self.cached = head.cached;
        if head.provider.is_empty() || head.provider == self.model.provider {
            return;
        }
        if let Ok(model) = self.gateway.resolve(&format!("{}/{}", head.provider, head.model)) {
            self.model = model;
        }
    }
}

impl Drop for Bill {
    fn drop(&mut self) {
        let mut usage = self.usage.take().unwrap_or_default();
        if self.cached {
            usage = TokenUsage::default();
        }
        let cost_micros = self.gateway.cost_micros(&self.model, &usage);
        if self.ended {
            let cost_micros = cost_micros.unwrap_or_default();
            self.held.drain(..).for_each(|held| held.spent(cost_micros));
        }
        let whole = self.ended || usage != TokenUsage::default();
        if whole {
            let model = self.model.to_string();
            let counted = Counted { usage: &usage, cost_micros, cached: self.cached };
            self.ledger.0.meters.count(self.tenant, &model, &counted);
        }
    }
}
