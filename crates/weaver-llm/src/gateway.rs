//! [`Gateway`]: from a name to an answer.

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::chat::ChatRequest;
use crate::error::Error;
use crate::model::{self, ModelRef};
use crate::options::Options;
use crate::stream::{ChatResponse, ChatStream};

/// The one way to a model. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct Gateway {
    options: std::sync::Arc<Options>,
}

/// How a call may be ended, and where it stands.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// Calls it off; the connection to the provider is closed at once.
    pub cancel: CancellationToken,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
    /// How often this same call was tried before, in other attempts of the
    /// node. Only the scripted model looks at it, so that `fail` with `times`
    /// gives the same answers after a crash.
    pub earlier_tries: u32,
}

impl Gateway {
    /// A gateway with these settings; fails when a script cannot be read.
    pub fn new(options: Options) -> Result<Self, Error> {
        Ok(Gateway { options: std::sync::Arc::new(options) })
    }

    /// What a name means, without asking anyone. An empty name means the default model.
    pub fn resolve(&self, name: &str) -> Result<ModelRef, Error> {
        model::resolve(name, &self.options)
    }

    /// Asks a model; the answer arrives in pieces. Waits (and retries) until the
    /// first piece is there, so an error here has shown nothing to anyone.
    pub async fn chat(&self, request: ChatRequest, call: Call) -> Result<ChatStream, Error> {
        let _ = call;
        let model = self.resolve(&request.model)?;
        Err(Error::protocol(&model.title, "its dialect is not built yet"))
    }

    /// Asks a model and waits for the whole answer, retrying as long as none is there.
    pub async fn complete(&self, request: ChatRequest, call: Call) -> Result<ChatResponse, Error> {
        self.chat(request, call).await?.collect(|_| {}).await
    }
}
