//! [`Gateway`]: from a name to an answer.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use weaver_core::event::Usage;

use crate::admission::{Admission, Doors};
use crate::attempt::{Failed, first_answer, first_piece, guarded, timeout, watched};
use crate::budget;
use crate::cache::Slot;
use crate::chat::ChatRequest;
use crate::embed::{self, EmbedRequest, EmbedResponse, RerankRequest, RerankResponse};
use crate::error::{Error, Phase};
use crate::exchange;
use crate::http::{Endpoint, address_of};
use crate::model::{self, ModelRef};
use crate::options::{Options, ProviderOptions};
use crate::price::{self, Price};
use crate::provider;
use crate::scripted::Scripted;
use crate::stream::{ChatResponse, ChatStream, TokenUsage};
use crate::tally::Tallied;
use crate::tokens::{self, Estimate, TokenCount};

/// The one way to a model. Cheap to clone; clones share connections and scripts.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

struct Shared {
    options: Options,
    client: reqwest::Client,
    doors: Arc<Doors>,
    /// Scripts by path, read once.
    scripts: Mutex<HashMap<String, Arc<Scripted>>>,
    /// What names mean, for those that are asked for again and again.
    known: Mutex<HashMap<String, ModelRef>>,
    /// The settings of the options, for calls to hold.
    settings: HashMap<String, Arc<ProviderOptions>>,
}

/// Names come from callers; beyond so many all are looked up anew.
const KNOWN_MAX: usize = 1024;

/// How a call may be ended, and where it stands.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// Calls it off; the connection to the provider is closed at once.
    pub cancel: CancellationToken,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
    /// The most it may cost, in micro-USD. A prompt that costs more is not sent; the
    /// answer is limited to what is left, and a stream that passes it is cut. It holds
    /// for each try, and only for models with a price.
    pub budget_micros: Option<u64>,
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
        let settings = options.providers.iter();
        let settings =
            settings.map(|(name, settings)| (name.clone(), Arc::new(settings.clone()))).collect();
        let shared = Shared {
            options,
            client,
            doors: Arc::default(),
            scripts: Mutex::default(),
            known: Mutex::default(),
            settings,
        };
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
        if let Some(model) = lock(&self.shared.known).get(name) {
            return Ok(model.clone());
        }
        let model = self.find(name)?;
        let mut known = lock(&self.shared.known);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(name.into(), model.clone());
        Ok(model)
    }

    fn find(&self, name: &str) -> Result<ModelRef, Error> {
        let options = &self.shared.options;
        let default = options.default_model.as_deref().filter(|_| name.trim().is_empty());
        let name = options.override_model.as_deref().or(default).unwrap_or(name);
        let model = model::resolve(name, options)?;
        if model.offline {
            self.script(&model.model)?;
        }
        Ok(model)
    }

    /// Asks a model; the answer arrives in pieces. Waits (and retries, and falls back
    /// to other models) until the first piece is there, so an error here has shown
    /// nothing to anyone.
    pub async fn chat(&self, request: ChatRequest, call: Call) -> Result<ChatStream, Error> {
        let models = self.candidates(&request)?;
        let slot = self.slot(&request, &models[0]);
        if let Some(response) = slot.as_ref().and_then(Slot::get) {
            self.tell(&models[0], &response);
            return Ok(ChatStream::of(&response).with_price(Some(Price::default())));
        }
        let ask = |model, tries| self.open(model, &request, call.budget_micros, tries);
        let (stream, model) = first_answer(&models, self.options().retry, &call, ask).await?;
        let stream = guarded(stream, call, model.clone());
        let stream = match slot {
            Some(slot) => slot.keep(stream),
            None => stream,
        };
        let price = self.price(model);
        let stream = match self.options().tally.clone() {
            Some(tally) => tally.follow(stream, model.clone(), price),
            None => stream,
        };
        Ok(stream.with_price(price))
    }

    /// Asks a model and waits for the whole answer, retrying as long as none is there.
    pub async fn complete(&self, request: ChatRequest, call: Call) -> Result<ChatResponse, Error> {
        let models = self.candidates(&request)?;
        let slot = self.slot(&request, &models[0]);
        if let Some(response) = slot.as_ref().and_then(Slot::get) {
            self.tell(&models[0], &response);
            return Ok(response);
        }
        let ask = |model, tries| self.whole(model, &request, call.budget_micros, tries);
        let (mut response, model) = first_answer(&models, self.options().retry, &call, ask).await?;
        let price = self.price(model);
        response.cost_micros = price.map(|price| price.cost_micros(&response.usage));
        self.tell(model, &response);
        if let Some(slot) = slot {
            slot.put(&response);
        }
        Ok(response)
    }

    /// The answer that was given to the same request before, where that may be given
    /// again: it costs nothing, so nothing need be set aside for it.
    pub fn cached(&self, request: &ChatRequest) -> Result<Option<ChatResponse>, Error> {
        if request.cache_seconds.is_none() && self.options().cache_seconds.is_empty() {
            return Ok(None);
        }
        let model = self.prepare(request)?;
        Ok(self.slot(request, &model).and_then(|slot| slot.get()))
    }

    /// Turns texts into vectors, in their order. Fails before asking anyone when a
    /// text is empty, which providers refuse or answer with nonsense.
    pub async fn embed(&self, request: EmbedRequest, call: Call) -> Result<EmbedResponse, Error> {
        if let Some(at) = request.inputs.iter().position(|text| text.trim().is_empty()) {
            return Err(Error::bad_request(format!("Text {} to embed is empty.", at + 1)));
        }
        let models = [self.resolve(&request.model)?];
        let request = &request;
        let ask = |model, _| {
            self.one_value(
                model,
                move |endpoint| async move { embed::embed(&endpoint, request).await },
            )
        };
        let (mut response, model) = first_answer(&models, self.options().retry, &call, ask).await?;
        let price = self.price(model);
        response.cost_micros = price.map(|price| price.cost_micros(&response.usage));
        Ok(response)
    }

    /// Orders documents by how well they answer a query.
    pub async fn rerank(
        &self,
        request: RerankRequest,
        call: Call,
    ) -> Result<RerankResponse, Error> {
        let models = [self.resolve(&request.model)?];
        let request = &request;
        let ask = |model, _| {
            self.one_value(
                model,
                move |endpoint| async move { embed::rerank(&endpoint, request).await },
            )
        };
        Ok(first_answer(&models, self.options().retry, &call, ask).await?.0)
    }

    /// Counts the tokens of a prompt: the provider does where it can, or else we estimate.
    pub async fn count_tokens(
        &self,
        request: ChatRequest,
        call: Call,
    ) -> Result<TokenCount, Error> {
        let model = self.prepare(&request)?;
        let estimate = TokenCount { tokens: tokens::of_request(&request, &model), exact: false };
        if model.offline {
            return Ok(estimate);
        }
        let models = [model];
        let request = &request;
        let ask = |model, _| {
            self.one_value(model, move |mut endpoint| async move {
                endpoint.betas.clone_from(&request.betas);
                embed::count(&endpoint, request).await
            })
        };
        let (counted, _) = first_answer(&models, self.options().retry, &call, ask).await?;
        Ok(counted.map_or(estimate, |tokens| TokenCount { tokens, exact: true }))
    }

    /// What a request will come to, without asking anyone: for a budget to reserve. The
    /// longest answer counts as said in full.
    pub fn estimate(&self, request: &ChatRequest) -> Result<Estimate, Error> {
        let model = self.prepare(request)?;
        let input = tokens::of_request(request, &model);
        let output_max = request.max_tokens.map(u64::from);
        let output = output_max.unwrap_or(0);
        let usage = TokenUsage::from(Usage { input, output, ..Usage::default() });
        let cost_micros = self.price(&model).map(|price| price.cost_micros(&usage));
        Ok(Estimate { input, output_max, cost_micros })
    }

    /// The names of a provider's models, as it lists them.
    pub async fn models(&self, provider: &str, call: Call) -> Result<Vec<String>, Error> {
        let models = [self.resolve(&format!("{provider}/any"))?];
        let ask = |model, _| {
            self.one_value(model, |endpoint| async move { embed::models(&endpoint).await })
        };
        Ok(first_answer(&models, self.options().retry, &call, ask).await?.0)
    }

    /// What so many tokens of a model cost, in micro-USD, where a price is known.
    /// The scripted model and local ones cost nothing that we know of.
    pub fn cost_micros(&self, model: &ModelRef, usage: &TokenUsage) -> Option<u64> {
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

    /// What a model costs: as the options say, or as the built-in table does.
    pub fn price(&self, model: &ModelRef) -> Option<Price> {
        let own = self.shared.options.prices.get(&model.to_string());
        own.copied().or_else(|| price::lookup(&model.provider, &model.model))
    }

    fn options(&self) -> &Options {
        &self.shared.options
    }

    fn tell(&self, model: &ModelRef, response: &ChatResponse) {
        let Some(tally) = &self.options().tally else { return };
        let (usage, cost_micros) = (&response.usage, response.cost_micros);
        tally.tell(&Tallied { model, usage, cost_micros, cached: response.head.cached });
    }

    /// Where the answer of a model to a request is kept, if it is.
    fn slot(&self, request: &ChatRequest, model: &ModelRef) -> Option<Slot> {
        let by_model = || self.options().cache_seconds.get(&model.to_string()).copied();
        let seconds = request.cache_seconds.or_else(by_model).filter(|seconds| *seconds > 0)?;
        // The scripted model is a function of the request already.
        let cache = (!model.offline).then_some(&self.options().cache)?;
        Some(cache.slot(request, model, Duration::from_secs(seconds)))
    }

    fn prepare(&self, request: &ChatRequest) -> Result<ModelRef, Error> {
        let model = self.resolve(&request.model)?.speaking(request.dialect);
        crate::check::check(request, &model)?;
        Ok(model)
    }

    /// The model of a request and those to ask instead. One of the latter that cannot
    /// be asked is passed over.
    fn candidates(&self, request: &ChatRequest) -> Result<Vec<ModelRef>, Error> {
        let first = self.prepare(request)?;
        let configured = self.options().fallbacks.get(&first.to_string());
        let names = match request.fallbacks.is_empty() {
            true => configured.map(Vec::as_slice).unwrap_or_default(),
            false => &request.fallbacks,
        };
        let mut models = vec![first];
        if self.options().override_model.is_none() {
            let others = names.iter().filter_map(|name| self.resolve(name).ok());
            models.extend(others.map(|model| model.speaking(request.dialect)));
        }
        Ok(models)
    }

    async fn open(
        &self,
        model: ModelRef,
        request: &ChatRequest,
        budget_micros: Option<u64>,
        tries: u32,
    ) -> Result<ChatStream, Failed> {
        let price = self.price(&model);
        let (request, meter) = budget::affordable(request, &model, price, budget_micros)?;
        let request = &*request;
        if model.offline {
            return Ok(first_piece(self.script(&model.model)?.chat(request, tries)?).await?);
        }
        let (admission, endpoint) = self.admit(&model).await?;
        let limit = self.options().timeouts.first_token;
        let opening =
            async { first_piece(exchange::stream(endpoint, request, tries).await?).await };
        match timeout(limit, Phase::FirstToken, &model, opening).await {
            Ok(stream) => Ok(watched(stream, admission, meter)),
            Err(error) => Err(Failed::of(error, &admission)),
        }
    }

    async fn whole(
        &self,
        model: ModelRef,
        request: &ChatRequest,
        budget_micros: Option<u64>,
        tries: u32,
    ) -> Result<ChatResponse, Failed> {
        let price = self.price(&model);
        let (request, _) = budget::affordable(request, &model, price, budget_micros)?;
        let request = &*request;
        if model.offline {
            let stream = self.script(&model.model)?.chat(request, tries)?;
            return Ok(stream.collect(|_| {}).await?);
        }
        self.one_value(model, |endpoint| exchange::complete(endpoint, request, tries)).await
    }

    /// One try of a question that has one answer.
    async fn one_value<T, F>(
        &self,
        model: ModelRef,
        ask: impl FnOnce(Endpoint) -> F,
    ) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Error>>,
    {
        if model.offline {
            let said = "The scripted offline model answers chats only.";
            return Err(Error::bad_request(said).into());
        }
        let (admission, endpoint) = self.admit(&model).await?;
        let limit = self.options().timeouts.whole;
        match timeout(limit, Phase::FirstToken, &model, ask(endpoint)).await {
            Ok(value) => {
                admission.report(Ok(()));
                Ok(value)
            }
            Err(error) => Err(Failed::of(error, &admission)),
        }
    }

    async fn admit(&self, model: &ModelRef) -> Result<(Admission, Endpoint), Error> {
        let settings = self.shared.settings.get(&model.provider).cloned().unwrap_or_default();
        let admission = self.shared.doors.admit(model, &settings, self.options().breaker).await?;
        let endpoint = Endpoint {
            client: self.shared.client.clone(),
            model: model.clone(),
            key: admission.key.clone(),
            settings,
            timeouts: self.options().timeouts,
            betas: Vec::new(),
        };
        Ok((admission, endpoint))
    }

    fn script(&self, path: &str) -> Result<Arc<Scripted>, Error> {
        let mut scripts = lock(&self.shared.scripts);
        if let Some(script) = scripts.get(path) {
            return Ok(script.clone());
        }
        let script = Arc::new(Scripted::load(path)?);
        scripts.insert(path.into(), script.clone());
        Ok(script)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is guarded is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("options", &self.shared.options).finish_non_exhaustive()
    }
}
