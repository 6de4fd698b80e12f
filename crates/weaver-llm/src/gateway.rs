//! [`Gateway`]: from a name to an answer.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, stream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use weaver_core::event::Usage;

use crate::chat::ChatRequest;
use crate::error::{Error, Phase};
use crate::http::{Endpoint, address_of};
use crate::model::{self, ModelRef};
use crate::openai;
use crate::options::Options;
use crate::price::{self, Price};
use crate::provider;
use crate::retry::Tries;
use crate::scripted::Scripted;
use crate::stream::{ChatEvent, ChatResponse, ChatStream};

/// The one way to a model. Cheap to clone; clones share connections and scripts.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

struct Shared {
    options: Options,
    client: reqwest::Client,
    /// Scripts by path, read once.
    scripts: Mutex<HashMap<String, Arc<Scripted>>>,
}

/// How a call may be ended, and where it stands.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// Calls it off; the connection to the provider is closed at once.
    pub cancel: CancellationToken,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
    /// How often this same call was made before, in other attempts of the node.
    /// Only the scripted model looks at it: `fail` with `times` counts these and the
    /// tries within the call, so that a node that runs again gets further.
    pub earlier_tries: u32,
}

/// Whether a provider could be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderStatus {
    /// The name in `provider/model`.
    pub name: String,
    /// Scheme, host and port that would be contacted.
    pub base_url: Option<String>,
    /// What is missing.
    pub problem: Option<Error>,
}

impl Gateway {
    /// A gateway with these settings. Fails when a script or the model of
    /// [`Options::override_model`] is no good, so that a run does not begin with it.
    pub fn new(options: Options) -> Result<Self, Error> {
        let client = crate::http::client(&options)?;
        let shared = Shared { options, client, scripts: Mutex::default() };
        let gateway = Gateway { shared: Arc::new(shared) };
        if gateway.shared.options.script.is_some() {
            gateway.resolve(model::SCRIPTED)?;
        }
        if gateway.shared.options.override_model.is_some() {
            gateway.resolve("")?;
        }
        Ok(gateway)
    }

    /// What a name means, without asking anyone; an empty one means the default
    /// model. The forms are `scripted`, `scripted:PATH`, `provider/model`,
    /// `provider:model`, `http://host:port/v1#model`, and bare names whose
    /// beginning tells the provider (`claude…`, `gpt-…`, `llama…`).
    pub fn resolve(&self, name: &str) -> Result<ModelRef, Error> {
        let options = &self.shared.options;
        let default = options.default_model.as_deref().filter(|_| name.trim().is_empty());
        let name = options.override_model.as_deref().or(default).unwrap_or(name);
        let model = model::resolve(name, options)?;
        if model.offline {
            self.script(&model.model)?;
        }
        Ok(model)
    }

    /// Asks a model; the answer arrives in pieces. Waits (and retries) until the
    /// first piece is there, so an error here has shown nothing to anyone.
    pub async fn chat(&self, request: ChatRequest, call: Call) -> Result<ChatStream, Error> {
        let model = self.prepare(&request)?;
        let mut tries = Tries::new(self.shared.options.retry, &call);
        loop {
            let opening = self.open(&model, &request, tries.made());
            match within(&call, &model, opening).await {
                Ok(stream) => {
                    let stream = guarded(stream, call, model.clone());
                    return Ok(stream.with_price(self.price(&model)));
                }
                Err(error) => tries.wait_after(error, &model).await?,
            }
        }
    }

    /// Asks a model and waits for the whole answer, retrying as long as none is there.
    pub async fn complete(&self, request: ChatRequest, call: Call) -> Result<ChatResponse, Error> {
        let model = self.prepare(&request)?;
        let mut tries = Tries::new(self.shared.options.retry, &call);
        loop {
            match within(&call, &model, self.whole(&model, &request, tries.made())).await {
                Ok(mut response) => {
                    let price = self.price(&model);
                    response.cost_micros =
                        price.map(|price| price.cost_micros(&response.usage.tokens));
                    return Ok(response);
                }
                Err(error) => tries.wait_after(error, &model).await?,
            }
        }
    }

    /// What so many tokens of a model cost, in micro-USD, where a price is known.
    /// The scripted model and local ones cost nothing that we know of.
    pub fn cost_micros(&self, model: &ModelRef, usage: &Usage) -> Option<u64> {
        self.price(model).map(|price| price.cost_micros(usage))
    }

    /// All providers by name, and what keeps each from being asked: for a list of
    /// models or a check of the set-up. Nobody is contacted.
    pub fn providers(&self) -> Vec<ProviderStatus> {
        let options = &self.shared.options;
        let known = provider::TABLE.iter().map(|row| row.name);
        let own = options.providers.keys().map(String::as_str);
        let mut names: Vec<_> = known.chain(own).collect();
        names.sort_unstable();
        names.dedup();
        let status = |name: &str| {
            let outcome = model::resolve(&format!("{name}/any"), options);
            let base_url = outcome.as_ref().ok().map(|model| address_of(&model.base_url));
            ProviderStatus { name: name.into(), base_url, problem: outcome.err() }
        };
        names.into_iter().map(status).collect()
    }

    fn price(&self, model: &ModelRef) -> Option<Price> {
        let own = self.shared.options.prices.get(&model.to_string());
        own.copied().or_else(|| price::lookup(&model.provider, &model.model))
    }

    fn prepare(&self, request: &ChatRequest) -> Result<ModelRef, Error> {
        let model = self.resolve(&request.model)?;
        crate::check::check(request)?;
        Ok(model)
    }

    async fn open(
        &self,
        model: &ModelRef,
        request: &ChatRequest,
        tries: u32,
    ) -> Result<ChatStream, Error> {
        match model.offline {
            true => first_piece(self.script(&model.model)?.chat(request, tries)?).await,
            false => {
                let endpoint = self.endpoint(model);
                let limit = self.shared.options.timeouts.first_token;
                let opening =
                    async { first_piece(openai::stream(endpoint, request, tries).await?).await };
                timeout(limit, Phase::FirstToken, model, opening).await
            }
        }
    }

    async fn whole(
        &self,
        model: &ModelRef,
        request: &ChatRequest,
        tries: u32,
    ) -> Result<ChatResponse, Error> {
        match model.offline {
            true => self.script(&model.model)?.chat(request, tries)?.collect(|_| {}).await,
            false => {
                let limit = self.shared.options.timeouts.whole;
                let asking = openai::complete(self.endpoint(model), request, tries);
                timeout(limit, Phase::FirstToken, model, asking).await
            }
        }
    }

    fn endpoint(&self, model: &ModelRef) -> Endpoint {
        let settings = self.shared.options.providers.get(&model.provider).cloned();
        Endpoint {
            client: self.shared.client.clone(),
            model: model.clone(),
            settings: settings.unwrap_or_default(),
            timeouts: self.shared.options.timeouts,
        }
    }

    fn script(&self, path: &str) -> Result<Arc<Scripted>, Error> {
        let mut scripts = self.shared.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(script) = scripts.get(path) {
            return Ok(script.clone());
        }
        let script = Arc::new(Scripted::load(path)?);
        scripts.insert(path.into(), script.clone());
        Ok(script)
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

/// Reads a stream until it has shown something, so that an error that comes
/// instead can still be retried; gives the same stream from its beginning.
async fn first_piece(mut stream: ChatStream) -> Result<ChatStream, Error> {
    let mut read = Vec::new();
    while let Some(event) = stream.next().await {
        let event = event?;
        let is_head = matches!(event, ChatEvent::Start(_));
        read.push(Ok(event));
        if !is_head {
            break;
        }
    }
    Ok(ChatStream::new(stream::iter(read).chain(stream)))
}

/// The stream, ended by the caller's cancel or deadline.
fn guarded(stream: ChatStream, call: Call, model: ModelRef) -> ChatStream {
    ChatStream::new(stream::unfold(Some(stream), move |state| {
        let (call, model) = (call.clone(), model.clone());
        async move {
            let mut stream = state?;
            let next = async { Ok(stream.next().await) };
            match within(&call, &model, next).await {
                Ok(Some(item)) => {
                    let goes_on = item.is_ok();
                    Some((item, goes_on.then_some(stream)))
                }
                Ok(None) => None,
                // The stream is dropped here, which closes the connection.
                Err(error) => Some((Err(error), None)),
            }
        }
    }))
}

/// The work, unless the caller cancels or its deadline passes first.
async fn within<T>(
    call: &Call,
    model: &ModelRef,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let deadline = async {
        match call.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = call.cancel.cancelled() => Err(Error::Cancelled),
        outcome = work => outcome,
        () = deadline => Err(Error::Timeout {
            provider: model.title.clone(),
            phase: Phase::Total,
            limit: std::time::Duration::ZERO,
        }),
    }
}

async fn timeout<T>(
    limit: std::time::Duration,
    phase: Phase,
    model: &ModelRef,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let late = |_| Error::Timeout { provider: model.title.clone(), phase, limit };
    tokio::time::timeout(limit, work).await.map_err(late)?
}
