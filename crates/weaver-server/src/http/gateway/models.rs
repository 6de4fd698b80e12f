//! `GET /v1/models` and `GET /v1/models/{id}`, in OpenAI's words and in Anthropic's.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, State};
use serde_json::{Value, json};
use weaver_llm::Error;
use weaver_llm::inbound::Api;

use super::{Agent, Refused, agents};
use crate::http::App;
use crate::http::guard::Caller;

/// All models of all providers that answer, as `provider/model`, and all agents.
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Extension(api): Extension<Api>,
) -> Result<Json<Value>, Refused> {
    let asks = app.models.of(caller.tenant).await?;
    let mut models = vec![model(api, "scripted", "agentweaver")];
    for listed in asks.lists.ask(|_| true).await {
        let Ok(names) = listed.names else { continue };
        let provider = &listed.provider;
        models.extend(names.iter().map(|name| model(api, &format!("{provider}/{name}"), provider)));
    }
    let agents = agents::names(&app, caller).await?;
    models.extend(agents.iter().map(|name| model(api, name, "agentweaver")));
    Ok(Json(match api {
        Api::OpenAi => json!({"object": "list", "data": models}),
        Api::Anthropic => {
            let (first, last) = (models.first().cloned(), models.last().cloned());
            let id = |model: Option<Value>| model.map(|model| model["id"].clone());
            json!({"data": models, "has_more": false, "first_id": id(first), "last_id": id(last)})
        }
    }))
}

/// One model, under any name that a request may use.
pub async fn get(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Extension(api): Extension<Api>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refused> {
    if agents::is_agent(&id) {
        Agent::find(&app, caller, &id).await?;
        return Ok(Json(model(api, &id, "agentweaver")));
    }
    let asks = app.models.of(caller.tenant).await?;
    let resolved = asks.gateway.resolve(&id)?;
    if resolved.offline {
        return Ok(Json(model(api, &id, "agentweaver")));
    }
    // A model at a plain address has no provider whose list could be asked for.
    let known = asks.gateway.providers().iter().any(|own| own.name == resolved.provider);
    if known {
        let names = asks.lists.of(&resolved.provider).await?;
        if !names.iter().any(|name| is_same(name, &resolved.model)) {
            let names = names.iter().map(String::as_str);
            let near = weaver_llm::nearest(&resolved.model, names);
            let hint = near.map(|near| format!("Did you mean `{near}`?")).unwrap_or_default();
            return Err(Refused::from(Error::ModelNotFound {
                provider: resolved.title.clone(),
                model: resolved.model.clone(),
                message: hint,
            }));
        }
    }
    Ok(Json(model(api, &id, &resolved.provider)))
}

/// Lists have names with tags and dates that requests may leave out.
fn is_same(listed: &str, asked: &str) -> bool {
    listed.strip_prefix(asked).is_some_and(|rest| {
        let date = rest.strip_prefix('-').is_some_and(|date| {
            date.len() >= 8 && date.chars().all(|c| c.is_ascii_digit() || c == '-')
        });
        rest.is_empty() || rest == ":latest" || date
    })
}

/// When a model was made is not known; both interfaces want a time.
fn model(api: Api, id: &str, owner: &str) -> Value {
    match api {
        Api::OpenAi => json!({"id": id, "object": "model", "created": 0, "owned_by": owner}),
        Api::Anthropic => json!({
            "type": "model", "id": id, "display_name": id, "created_at": "1970-01-01T00:00:00Z",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn tags_and_dates_may_be_left_out() {
        assert!(is_same("gpt-4o", "gpt-4o") && is_same("llama3.2:latest", "llama3.2"));
        assert!(is_same("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"));
        assert!(is_same("gpt-4o-2024-08-06", "gpt-4o"));
        assert!(!is_same("gpt-4o-mini", "gpt-4o") && !is_same("gpt-4", "gpt-4o"));
    }
}
