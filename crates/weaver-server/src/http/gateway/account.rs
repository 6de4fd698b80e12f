//! What a call may cost and how often it may be made: asked of the ledger before each.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use weaver_core::event::Usage;
use weaver_llm::inbound::Fault;
use weaver_llm::{Call, ChatRequest, ChatResponse, EmbedRequest, TokenUsage};

use super::{Asks, Refused};
use crate::http::App;
use crate::http::guard::Caller;
use crate::ledger::{self, Bill, Pace};

/// The longest answer of a call within a budget that names no limit of its own.
const ANSWER_TOKENS_MAX: u32 = 8192;

/// A prompt may have this part more tokens than the gateway estimates.
const ESTIMATE_MARGIN: u64 = 4;

/// A call that may be made.
pub(super) struct Opened {
    pub bill: Bill,
    pub call: Call,
    /// The answer that was given to the same request before, and may be given again.
    pub known: Option<ChatResponse>,
}

impl Asks {
    /// Sets aside what a chat can cost at most, where there is a budget; its answer is
    /// limited then. An answer that is known costs nothing.
    pub(super) async fn open(&self, request: &mut ChatRequest) -> Result<Opened, Refused> {
        let has_budget = self.ledger.quotas(self.tenant).await?.has_budget();
        if has_budget {
            request.max_tokens.get_or_insert(ANSWER_TOKENS_MAX);
        }
        if let Some(known) = self.gateway.cached(request)? {
            let model = self.gateway.resolve(&request.model)?;
            let bill = self.ledger.open_free(self.tenant, &self.gateway, &model);
            return Ok(Opened { bill, call: self.call(), known: Some(known) });
        }
        let mut worst = TokenUsage::default();
        if has_budget {
            let input = self.gateway.estimate(request)?.input;
            let input = input + input / ESTIMATE_MARGIN;
            let output = u64::from(request.max_tokens.unwrap_or(ANSWER_TOKENS_MAX));
            worst = Usage { input, output, ..Usage::default() }.into();
        }
        let (bill, call) = self.open_for(&request.model, &worst).await?;
        Ok(Opened { bill, call, known: None })
    }

    /// The same for texts to embed. A token has at least a byte.
    pub(super) async fn open_embeddings(
        &self,
        request: &EmbedRequest,
    ) -> Result<(Bill, Call), Refused> {
        let input = request.inputs.iter().map(|text| text.len() as u64).sum();
        let worst = Usage { input, ..Usage::default() }.into();
        self.open_for(&request.model, &worst).await
    }

    async fn open_for(&self, name: &str, worst: &TokenUsage) -> Result<(Bill, Call), Refused> {
        let model = self.gateway.resolve(name)?;
        let opened = self.ledger.open(self.tenant, &self.gateway, &model, worst).await?;
        let (bill, budget_micros) = opened;
        Ok((bill, Call { budget_micros, ..self.call() }))
    }
}

/// Lets a call pass if it may be made now, and says how many more may.
pub async fn pace(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>().copied();
    let (Some(caller), &Method::POST) = (caller, request.method()) else {
        return next.run(request).await;
    };
    let pace = match app.ledger.pace(caller.tenant).await {
        Ok(Some(pace)) => pace,
        Ok(None) => return next.run(request).await,
        Err(refused) => return Refused::from(refused).into_response(),
    };
    let mut response = match pace.wait {
        None => next.run(request).await,
        Some(wait) => {
            let said = format!("No more than {} calls a minute may be made here.", pace.limit);
            let fault = Fault::new(429, "rate_limit_exceeded", said);
            Refused(Fault { retry: true, retry_after: Some(wait), ..fault }).into_response()
        }
    };
    response.extensions_mut().insert(pace);
    response
}

/// Says how many calls may still be made.
pub fn say_pace(pace: &Pace, response: &mut Response) {
    let seconds = pace.reset.as_secs() + u64::from(pace.reset.subsec_nanos() > 0);
    for (name, value) in [
        ("ratelimit-limit", pace.limit),
        ("ratelimit-remaining", pace.left),
        ("ratelimit-reset", seconds),
    ] {
        let name = HeaderName::from_static(name);
        response.headers_mut().insert(name, HeaderValue::from(value));
    }
}

impl From<ledger::Refused> for Refused {
    fn from(refused: ledger::Refused) -> Self {
        match refused {
            ledger::Refused::Money { next, .. } => {
                let fault = Fault::new(
                    402,
                    "budget_exceeded",
                    format!("{refused}.").replacen("this", "This", 1),
                );
                Refused(Fault { retry_after: Some(next), ..fault })
            }
            ledger::Refused::Store(error) => {
                tracing::error!(%error, code = error.code(), "the store failed a call");
                let said = "What this call may cost cannot be looked up now.";
                Refused(Fault { retry: true, ..Fault::new(503, "store_unavailable", said) })
            }
        }
    }
}
