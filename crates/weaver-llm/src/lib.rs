//! The model gateway: one chat vocabulary, many dialects.
//!
//! [`Gateway`] takes a [`ChatRequest`], finds the model that its name means and
//! answers with a [`ChatStream`] or a whole [`ChatResponse`]. Three things are
//! kept apart: a *dialect* is how bytes look ([`Dialect`]), a *provider* is an
//! address with credentials ([`provider::TABLE`]), a *profile* is what a model can
//! do. A dialect turns requests and answers into JSON and back and knows nothing
//! else; keys, limits, retries, other models and money are the gateway's.
//!
//! Invariants:
//! - An answer is whole or an error. A stream that breaks off never looks like a
//!   short answer.
//! - Nothing here reads the environment, and no key is ever part of an error, a
//!   log line or a `Debug` form.
//! - Only the address of the resolved provider is contacted.
//! - The `scripted` model is a function of the request: the same request gets the
//!   same answer, in any process.
//! - Retries, other keys and other models happen only inside one call, before
//!   anything of the answer was shown; whether a node runs again is not decided here.
//! - What a provider sealed goes back unchanged, and to no other dialect.
//! - Money is counted in whole millionths of a dollar.

mod admission;
mod answer;
mod anthropic;
mod attempt;
mod budget;
mod cache;
pub mod chat;
mod check;
pub mod convert;
mod dialect;
pub mod embed;
mod error;
mod exchange;
mod failure;
mod frames;
mod gateway;
mod gemini;
mod http;
pub mod inbound;
mod model;
mod near;
mod ollama;
mod openai;
mod options;
mod picture;
pub mod price;
pub mod provider;
mod responses;
mod retry;
mod schema;
mod scripted;
mod stream;
mod tally;
mod tokens;

pub use cache::Cache;
pub use chat::{
    ChatMessage, ChatRequest, OutputSchema, Part, Role, Source, ToolCall, ToolChoice,
    ToolDefinition,
};
pub use dialect::Dialect;
pub use embed::{EmbedRequest, EmbedResponse, RerankRequest, RerankResponse};
pub use error::{Error, Phase};
pub use gateway::{Call, Gateway, ProviderStatus};
pub use model::{Model, ModelRef};
pub use near::nearest;
pub use options::{Breaker, Options, ProviderOptions, Retry, Timeouts};
pub use price::{BillLine, LongPrompt, Price};
pub use stream::{
    AnswerHead, Assembler, ChatEvent, ChatResponse, ChatStream, StopReason, TokenDetails,
    TokenUsage,
};
pub use tally::{Tallied, Tally};
pub use tokens::{Estimate, TokenCount};
