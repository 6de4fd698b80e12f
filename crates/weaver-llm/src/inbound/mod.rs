//! The other side of the dialects: requests that clients send in the words of
//! OpenAI's and Anthropic's interfaces are read into a [`ChatRequest`], and answers
//! are written in those words, whole or in pieces. Nothing here does any IO.
//!
//! - Words that a provider of the same dialect understands and we do not are kept
//!   for it alone; a wish that no model of ours can fill is refused with its place.
//! - Reasoning goes out sealed, so that a client that sends it back unchanged gives
//!   each provider exactly what it said.

pub mod anthropic;
mod blocks;
pub mod chat;
pub mod embeddings;
mod fault;
mod fields;
pub mod responses;
mod seal;

pub use fault::{Api, Fault};

use crate::chat::ChatRequest;
use crate::dialect::Dialect;
use crate::model::ModelRef;

/// A request as a client sent it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// What is asked for.
    pub request: ChatRequest,
    /// The answer is to come in pieces.
    pub stream: bool,
    /// A wish that only models of one dialect fill.
    only: Option<(Dialect, Fault)>,
}

impl Asked {
    /// The request for what is no model of a provider, and decides itself which wishes
    /// it can fill.
    pub fn into_request(self) -> ChatRequest {
        self.request
    }

    /// The request for the model that its name was resolved to, or which wish that
    /// one cannot fill.
    pub fn for_model(self, model: &ModelRef) -> Result<ChatRequest, Fault> {
        let mut request = self.request;
        if let Some((dialect, fault)) = self.only {
            request.dialect = Some(dialect);
            if model.clone().speaking(request.dialect).dialect != dialect {
                return Err(fault);
            }
        }
        if request.extra_for == Some(Dialect::Anthropic) && model.dialect == Dialect::Anthropic {
            // How long to think is among the client's own words.
            request.reasoning_effort = None;
        }
        Ok(request)
    }
}

/// A piece of a streamed answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The name of the server-sent event, in interfaces that name them.
    pub event: Option<&'static str>,
    /// Its data: JSON, or `[DONE]`.
    pub data: String,
}

impl Frame {
    /// An event that the interface gives no name.
    fn plain(data: &serde_json::Value) -> Self {
        Frame { event: None, data: data.to_string() }
    }

    /// An event whose name is the `type` of its data too.
    fn named(event: &'static str, data: &serde_json::Value) -> Self {
        Frame { event: Some(event), data: data.to_string() }
    }
}

/// Writes an answer in pieces.
pub trait Writer: Send {
    /// Writes what an event comes to, which may be nothing.
    fn event(&mut self, event: &crate::ChatEvent, out: &mut Vec<Frame>);

    /// Says that the answer broke off, and why. Nothing follows it.
    fn fail(&mut self, fault: &Fault, out: &mut Vec<Frame>);
}
