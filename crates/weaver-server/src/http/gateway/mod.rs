//! The model gateway for clients of OpenAI's and Anthropic's interfaces: any model
//! of any provider, and any agent of the house, in either's words. The words themselves
//! are `weaver_llm::inbound`.

mod account;
mod again;
mod agents;
mod anthropic;
mod body;
mod embeddings;
mod lists;
mod models;
mod openai_chat;
mod openai_responses;
mod refused;
mod sse;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::StreamExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use weaver_llm::inbound::{Api, Asked, Fault, Writer};
use weaver_llm::{Call, ChatRequest, ChatResponse, ChatStream, Dialect, Gateway, Options};
use weaver_store::TenantId;

use super::guard::Caller;
use super::{App, Refusal};
use crate::error::CliError;
use crate::ledger::Ledger;
use crate::vault::Vault;
use account::Opened;
use again::Again;
use agents::{Agent, Agents};
pub use lists::{Listed, Lists};
use refused::Refused;
pub use refused::in_its_words;

/// Every route.
pub fn router(app: Arc<App>) -> Router<Arc<App>> {
    Router::new()
        .route("/v1/chat/completions", post(openai_chat::create))
        .route("/v1/responses", post(openai_responses::create))
        .route("/v1/embeddings", post(embeddings::create))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*id}", get(models::get))
        .route("/v1/messages", post(anthropic::create))
        .route("/v1/messages/count_tokens", post(anthropic::count))
        .route_layer(axum::middleware::from_fn_with_state(app, account::pace))
        .method_not_allowed_fallback(not_allowed)
}

/// The interface that a request is made in, if it is one of these routes.
pub fn api_of(uri: &Uri, headers: &HeaderMap) -> Option<Api> {
    let path = uri.path().strip_prefix("/v1")?;
    if !(path.is_empty() || path.starts_with('/')) {
        return None;
    }
    // Both have lists of models at one place; only Anthropic's clients say a version.
    let anthropic = path.starts_with("/messages") || headers.contains_key("anthropic-version");
    Some(if anthropic { Api::Anthropic } else { Api::OpenAi })
}

/// The models that clients may ask: the same for all tenants, each with its own keys.
pub struct Models {
    options: Options,
    vault: Vault,
    ledger: Ledger,
    /// Without anybody's keys: for names and prices.
    house: Gateway,
    by_tenant: Mutex<HashMap<TenantId, Arc<Asks>>>,
    agents: Agents,
    /// Calls off what is still under way some time after the server began to drain.
    stop: CancellationToken,
}

/// The models of one tenant, as long as it has these keys.
pub struct Asks {
    tenant: TenantId,
    keys: Option<Uuid>,
    ledger: Ledger,
    gateway: Gateway,
    lists: Lists,
    stop: CancellationToken,
}

/// Answers that are under way when the server drains have so long to end.
const DRAIN: Duration = Duration::from_secs(10);

impl Models {
    /// Models by these settings, until the server drains. Needs a tokio runtime.
    pub fn new(
        options: Options,
        vault: Vault,
        ledger: Ledger,
        drain: CancellationToken,
    ) -> Result<Self, CliError> {
        // What is wrong with the settings is said before anybody asks.
        let house = Gateway::new(options.clone());
        let house = house.map_err(|error| CliError::usage(error.to_string()))?;
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        tokio::spawn(async move {
            drain.cancelled().await;
            tokio::time::sleep(DRAIN).await;
            stopping.cancel();
        });
        let by_tenant = Mutex::default();
        let agents = Agents::default();
        Ok(Models { options, vault, ledger, house, by_tenant, agents, stop })
    }

    /// Names and prices.
    pub fn prices(&self) -> &Gateway {
        &self.house
    }

    /// A gateway with the keys that a tenant has now.
    pub async fn gateway(&self, tenant: TenantId) -> Result<Gateway, Refusal> {
        let keys = self.vault.keys(tenant).await?;
        Gateway::new(keys.join(&self.options)).map_err(|error| Refusal::invalid(error.to_string()))
    }

    /// Those of a tenant.
    pub async fn of(&self, tenant: TenantId) -> Result<Arc<Asks>, Refused> {
        let keys = self.vault.keys(tenant).await?;
        let mut by_tenant = self.by_tenant.lock().expect("nothing panics while it is held");
        if let Some(asks) = by_tenant.get(&tenant).filter(|asks| asks.keys == keys.id) {
            return Ok(asks.clone());
        }
        let gateway = Gateway::new(keys.join(&self.options))?;
        let lists = Lists::new(gateway.clone());
        let asks = Arc::new(Asks {
            tenant,
            keys: keys.id,
            ledger: self.ledger.clone(),
            gateway,
            lists,
            stop: self.stop.clone(),
        });
        by_tenant.insert(tenant, asks.clone());
        Ok(asks)
    }
}

impl Asks {
    /// The whole answer. When the client goes away this is dropped, and with it the
    /// connection to the provider.
    async fn whole(
        &self,
        asked: Asked,
        write: impl FnOnce(&ChatResponse) -> Value,
    ) -> Result<Response, Refused> {
        let mut request = self.request(asked)?;
        let Opened { mut bill, call, known } = self.open(&mut request).await?;
        let is_known = known.is_some();
        let answered = match known {
            Some(response) => Ok(response),
            None => self.gateway.complete(request, call).await,
        };
        match answered {
            Ok(response) => {
                bill.end(&response.head, &response.usage);
                Ok(again::say(is_known, Json(write(&response)).into_response()))
            }
            Err(error) => {
                bill.fail(&error);
                Err(error.into())
            }
        }
    }

    /// The answer in pieces.
    async fn pieces(
        &self,
        asked: Asked,
        writer: impl Writer + 'static,
    ) -> Result<Response, Refused> {
        let mut request = self.request(asked)?;
        let Opened { mut bill, call, known } = self.open(&mut request).await?;
        let is_known = known.is_some();
        let answered = match known {
            Some(response) => Ok(ChatStream::of(&response)),
            None => self.gateway.chat(request, call).await,
        };
        match answered {
            Ok(stream) => {
                // The bill goes with the stream, however that ends.
                let noted = stream.map(move |event| {
                    match &event {
                        Ok(event) => bill.event(event),
                        Err(error) => bill.fail(error),
                    }
                    event.map_err(|error| Fault::from(&error))
                });
                Ok(again::say(is_known, sse::answer(noted.boxed(), Box::new(writer))))
            }
            Err(error) => {
                bill.fail(&error);
                Err(error.into())
            }
        }
    }

    /// The tokens of a prompt, where a model will say them only at the end of its answer.
    fn input_estimate(&self, asked: &Asked) -> Result<u64, Refused> {
        if agents::is_agent(&asked.request.model) {
            // What its models are sent is its own affair.
            return Ok(0);
        }
        match self.gateway.resolve(&asked.request.model)?.dialect {
            Dialect::Anthropic => Ok(0),
            _ => Ok(self.gateway.estimate(&asked.request)?.input),
        }
    }

    fn request(&self, asked: Asked) -> Result<ChatRequest, Refused> {
        let model = self.gateway.resolve(&asked.request.model)?;
        Ok(asked.for_model(&model)?)
    }

    fn call(&self) -> Call {
        Call { cancel: self.stop.clone(), ..Call::default() }
    }
}

/// The whole answer of a model or an agent.
async fn whole(
    app: &Arc<App>,
    caller: Caller,
    asked: Asked,
    write: impl FnOnce(&ChatResponse) -> Value,
) -> Result<Response, Refused> {
    match agents::is_agent(&asked.request.model) {
        true => Agent::find(app, caller, &asked.request.model).await?.whole(asked, write).await,
        false => app.models.of(caller.tenant).await?.whole(asked, write).await,
    }
}

/// The answer of a model or an agent in pieces.
async fn pieces(
    app: &Arc<App>,
    caller: Caller,
    asked: Asked,
    writer: impl Writer + 'static,
) -> Result<Response, Refused> {
    match agents::is_agent(&asked.request.model) {
        true => Agent::find(app, caller, &asked.request.model).await?.pieces(asked, writer).await,
        false => app.models.of(caller.tenant).await?.pieces(asked, writer).await,
    }
}

/// A name for an answer whose provider gives none.
fn answer_id(prefix: &str) -> String {
    format!("{prefix}{}", uuid::Uuid::now_v7().simple())
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

async fn not_allowed(method: Method, uri: Uri) -> Refused {
    let said = format!("{} does not take {method}.", uri.path());
    Refused(Fault::new(405, "method_not_allowed", said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_told_by_its_path_and_headers() {
        let api = |path: &'static str, anthropic: bool| {
            let mut headers = HeaderMap::new();
            if anthropic {
                headers.insert("anthropic-version", "2023-06-01".parse().unwrap());
            }
            api_of(&Uri::from_static(path), &headers)
        };
        assert_eq!(api("/v1/messages", false), Some(Api::Anthropic));
        assert_eq!(api("/v1/models", true), Some(Api::Anthropic));
        assert_eq!(api("/v1/models", false), Some(Api::OpenAi));
        assert_eq!(api("/v1/nothing", false), Some(Api::OpenAi));
        assert_eq!(api("/v10/models", false), None);
        assert_eq!(api("/api/v1/executions", true), None);
    }
}
