//! Embeddings, rankings, token counts and lists of models: one value for another.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use weaver_core::event::Usage;

use crate::chat::ChatRequest;
use crate::dialect::{Dialect, Sent};
use crate::error::Error;
use crate::exchange::{ask, look};
use crate::http::Endpoint;
use crate::model::ModelRef;
use crate::stream::TokenUsage;
use crate::{anthropic, gemini, responses};

/// Texts to be embedded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EmbedRequest {
    /// A model's name, as in [`ChatRequest::model`].
    pub model: String,
    /// The texts; none may be empty.
    pub inputs: Vec<String>,
    /// Length of the vectors, where the model can choose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<u32>,
    /// What the vectors are for, where the model makes a difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<EmbedPurpose>,
}

/// What vectors are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmbedPurpose {
    /// To be found.
    Document,
    /// To find with.
    Query,
}

/// Vectors in the order of their texts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EmbedResponse {
    /// The model that answered, as the provider names it.
    pub model: String,
    /// The provider's name in our table.
    pub provider: String,
    /// One vector for each text.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens; zeroes where the provider counts none.
    pub usage: TokenUsage,
    /// Millionths of a US dollar, where a price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
}

/// Documents to be ordered by how well they answer a query.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RerankRequest {
    /// A model's name, as in [`ChatRequest::model`].
    pub model: String,
    /// The query.
    pub query: String,
    /// The documents.
    pub documents: Vec<String>,
    /// How many of them to give back; absent is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<u32>,
}

/// Documents by how well they fit, the best first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RerankResponse {
    /// The provider's name in our table.
    pub provider: String,
    /// Places in the request's list, with scores of the model's own scale.
    pub ranking: Vec<Ranked>,
    /// Tokens; zeroes where the provider counts none.
    pub usage: TokenUsage,
}

/// One document's place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// Which document of the request, from 0.
    pub index: usize,
    /// How well it fits; larger is better.
    pub score: f64,
}

/// Texts in one call; providers that take fewer say how many.
fn batch_max(model: &ModelRef) -> usize {
    match (model.dialect, model.provider.as_str()) {
        (_, "qwen") => 10,
        (_, "zhipu") => 64,
        (Dialect::Gemini, _) => 100,
        _ => 512,
    }
}

/// Embeds texts, in several calls when they are many.
pub(crate) async fn embed(
    endpoint: &Endpoint,
    request: &EmbedRequest,
) -> Result<EmbedResponse, Error> {
    let model = &endpoint.model;
    let mut response = EmbedResponse {
        model: model.model.clone(),
        provider: model.provider.clone(),
        ..Default::default()
    };
    for texts in request.inputs.chunks(batch_max(model)) {
        let sent = write(model, request, texts)?;
        let value = ask(endpoint, &sent.path, &sent.body).await?;
        let vectors = vectors(&value);
        if vectors.len() != texts.len() {
            let message = format!("{} texts gave {} vectors", texts.len(), vectors.len());
            return Err(Error::protocol(&model.title, message));
        }
        response.vectors.extend(vectors);
        if let Some(name) = value["model"].as_str() {
            response.model = name.into();
        }
        let count = |pointer: &str| value.pointer(pointer).and_then(Value::as_u64);
        let counts = [
            "/usage/prompt_tokens",
            "/usage/total_tokens",
            "/prompt_eval_count",
            "/usageMetadata/promptTokenCount",
        ];
        let input = counts.iter().find_map(|pointer| count(pointer)).unwrap_or(0);
        response.usage.tokens += Usage { input, ..Usage::default() };
    }
    Ok(response)
}

fn write(model: &ModelRef, request: &EmbedRequest, texts: &[String]) -> Result<Sent, Error> {
    let name = &model.model;
    let mut sent = match model.dialect {
        Dialect::Anthropic => {
            return Err(Error::bad_request(format!("{} makes no embeddings.", model.title)));
        }
        Dialect::Ollama => {
            Sent { path: "/api/embed".into(), body: json!({"model": name, "input": texts}) }
        }
        Dialect::Chat | Dialect::Responses => {
            let body = json!({"model": name, "input": texts, "encoding_format": "float"});
            Sent { path: "/embeddings".into(), body }
        }
        Dialect::Gemini => return Ok(write_gemini(model, request, texts)),
    };
    if let Some(dimensions) = request.dimensions {
        sent.body["dimensions"] = json!(dimensions);
    }
    Ok(sent)
}

fn write_gemini(model: &ModelRef, request: &EmbedRequest, texts: &[String]) -> Sent {
    let purpose = request.purpose.map(|purpose| match purpose {
        EmbedPurpose::Document => "RETRIEVAL_DOCUMENT",
        EmbedPurpose::Query => "RETRIEVAL_QUERY",
    });
    if model.base_url.contains("/publishers/") {
        let instance = |text: &String| match purpose {
            Some(purpose) => json!({"content": text, "task_type": purpose}),
            None => json!({"content": text}),
        };
        let mut body = json!({"instances": texts.iter().map(instance).collect::<Vec<_>>()});
        if let Some(dimensions) = request.dimensions {
            body["parameters"] = json!({"outputDimensionality": dimensions});
        }
        return Sent { path: gemini::path(model, "predict"), body };
    }
    let one = |text: &String| {
        let name = format!("models/{}", model.model);
        let mut one = json!({"model": name, "content": {"parts": [{"text": text}]}});
        if let Some(purpose) = purpose {
            one["taskType"] = json!(purpose);
        }
        if let Some(dimensions) = request.dimensions {
            one["outputDimensionality"] = json!(dimensions);
        }
        one
    };
    let requests: Vec<_> = texts.iter().map(one).collect();
    Sent { path: gemini::path(model, "batchEmbedContents"), body: json!({"requests": requests}) }
}

/// The vectors in any dialect's answer, in order.
fn vectors(value: &Value) -> Vec<Vec<f32>> {
    let list = ["data", "embeddings", "predictions"].iter().find_map(|key| value[*key].as_array());
    let mut items: Vec<&Value> = list.into_iter().flatten().collect();
    // OpenAI says the order, and some servers do not keep it.
    items.sort_by_key(|item| item["index"].as_u64().unwrap_or(0));
    let nested = |item: &'_ Value| -> Option<Vec<f32>> {
        let inner = [&item["embedding"], &item["embeddings"]["values"], &item["values"], item];
        inner.into_iter().find_map(numbers)
    };
    items.into_iter().filter_map(nested).collect()
}

fn numbers(value: &Value) -> Option<Vec<f32>> {
    match value {
        Value::Array(items) => items.iter().map(|n| n.as_f64().map(|n| n as f32)).collect(),
        // Asked for floats, some servers send their bytes all the same.
        Value::String(text) => {
            let bytes = STANDARD.decode(text).ok()?;
            let float = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
            Some(bytes.chunks_exact(4).map(float).collect())
        }
        _ => None,
    }
}

/// Orders documents, by the interface that Cohere, Jina, vLLM, llama.cpp and others share.
pub(crate) async fn rerank(
    endpoint: &Endpoint,
    request: &RerankRequest,
) -> Result<RerankResponse, Error> {
    let model = &endpoint.model;
    if model.dialect != Dialect::Chat {
        return Err(Error::bad_request(format!("{} orders no documents.", model.title)));
    }
    let mut body =
        json!({"model": model.model, "query": request.query, "documents": request.documents});
    if let Some(top) = request.top {
        body["top_n"] = json!(top);
    }
    let value = ask(endpoint, "/rerank", &body).await?;
    let results = ["results", "data"].iter().find_map(|key| value[*key].as_array());
    let results = results.ok_or_else(|| Error::protocol(&model.title, "it has no `results`"))?;
    let mut ranking = Vec::with_capacity(results.len());
    for result in results {
        let score = result["relevance_score"].as_f64().or(result["score"].as_f64());
        let index = result["index"].as_u64().map(|index| index as usize);
        let (Some(index), Some(score)) = (index, score) else {
            return Err(Error::protocol(&model.title, "a result has no index or no score"));
        };
        if index >= request.documents.len() {
            return Err(Error::protocol(&model.title, format!("there is no document {index}")));
        }
        ranking.push(Ranked { index, score });
    }
    ranking.sort_by(|a, b| b.score.total_cmp(&a.score));
    ranking.truncate(request.top.map_or(usize::MAX, |top| top as usize));
    let input = ["/usage/prompt_tokens", "/usage/total_tokens", "/meta/billed_units/input_tokens"]
        .iter()
        .find_map(|pointer| value.pointer(pointer)?.as_u64());
    let tokens = Usage { input: input.unwrap_or(0), ..Usage::default() };
    let usage = TokenUsage { tokens, ..TokenUsage::default() };
    Ok(RerankResponse { provider: model.provider.clone(), ranking, usage })
}

/// The tokens of a prompt as the provider counts them; none where it does not count.
pub(crate) async fn count(
    endpoint: &Endpoint,
    request: &ChatRequest,
) -> Result<Option<u64>, Error> {
    let model = &endpoint.model;
    let (sent, member) = match model.dialect {
        Dialect::Anthropic => (anthropic::count(request, model), "input_tokens"),
        Dialect::Gemini => (gemini::count(request, model), "totalTokens"),
        Dialect::Responses => (responses::count(request, model), "input_tokens"),
        Dialect::Chat | Dialect::Ollama => return Ok(None),
    };
    let value = ask(endpoint, &sent.path, &sent.body).await?;
    match value[member].as_u64() {
        Some(tokens) => Ok(Some(tokens)),
        None => Err(Error::protocol(&model.title, format!("it has no `{member}`"))),
    }
}

/// The names of the provider's models.
pub(crate) async fn models(endpoint: &Endpoint) -> Result<Vec<String>, Error> {
    let path = match endpoint.model.dialect {
        Dialect::Anthropic => "/v1/models?limit=1000",
        Dialect::Gemini => "/models?pageSize=1000",
        Dialect::Ollama => "/api/tags",
        Dialect::Chat | Dialect::Responses => "/models",
    };
    let value = look(endpoint, path).await?;
    let list = value["data"].as_array().or(value["models"].as_array()).or(value.as_array());
    let list =
        list.ok_or_else(|| Error::protocol(&endpoint.model.title, "it is no list of models"))?;
    let name = |item: &Value| {
        let name = item["id"].as_str().or(item["name"].as_str())?;
        Some(name.strip_prefix("models/").unwrap_or(name).to_string())
    };
    Ok(list.iter().filter_map(name).collect())
}
