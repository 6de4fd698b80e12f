//! Search on the web, through whoever was configured; offline, in the local
//! documents, and saying so.

use serde_json::{Value as Json, json};
use weaver_core::Value;

use crate::http::{HttpBody, HttpClient, HttpRequest, HttpResponse};
use crate::options::{HttpOptions, WebSearchOptions};
use crate::search::Documents;
use crate::tool::ToolError;

/// Searches the web, or what stands in for it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct WebSearch {
    options: WebSearchOptions,
    client: HttpClient,
    documents: Documents,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct WebResults {
    /// `searxng`, `tavily`, `brave`, or `local documents`.
    pub source: &'static str,
    /// The best first.
    pub results: Vec<WebResult>,
}

/// One result.
#[derive(Clone, Debug, PartialEq)]
pub struct WebResult {
    /// The page's title, or the heading of a passage.
    pub title: String,
    /// The page's address, or a file and line.
    pub url: String,
    /// A piece of the text.
    pub snippet: String,
}

impl WebResults {
    /// `{"source", "offline", "results": [{"title", "url", "snippet"}]}`.
    pub fn to_value(&self) -> Value {
        let results = self.results.iter().map(|result| {
            Value::map([
                ("title", Value::str(&*result.title)),
                ("url", Value::str(&*result.url)),
                ("snippet", Value::str(&*result.snippet)),
            ])
        });
        Value::map([
            ("source", Value::str(self.source)),
            ("offline", (self.source == LOCAL).into()),
            ("results", Value::list(results)),
        ])
    }
}

const LOCAL: &str = "local documents";

impl WebSearch {
    /// A search with these settings; a configured server may have a private address.
    pub fn new(
        options: WebSearchOptions,
        http: &HttpOptions,
        documents: Documents,
    ) -> Result<Self, ToolError> {
        let mut http = http.clone();
        let address = match &options {
            WebSearchOptions::SearXng { url } => Some(url),
            WebSearchOptions::Tavily { url, .. } | WebSearchOptions::Brave { url, .. } => {
                url.as_ref()
            }
            WebSearchOptions::Local => None,
        };
        if let Some(address) = address {
            let url = reqwest::Url::parse(address).map_err(|error| {
                ToolError::failed(format!("the search server `{address}` is no address: {error}"))
            })?;
            http.allow.extend(url.host_str().map(str::to_string));
        }
        Ok(WebSearch { options, client: HttpClient::new(http)?, documents })
    }

    /// The best results for a query.
    pub async fn search(&self, query: &str, limit: usize) -> Result<WebResults, ToolError> {
        match &self.options {
            WebSearchOptions::Local => self.local(query, limit).await,
            WebSearchOptions::SearXng { url } => {
                let url = format!("{}/search", url.trim_end_matches('/'));
                let query = pairs(&[("q", query), ("format", "json")]);
                let request = HttpRequest { url, query, ..HttpRequest::default() };
                let found = self.ask("SearXNG", request).await?;
                Ok(results("searxng", &found["results"], ["title", "url", "content"], limit))
            }
            WebSearchOptions::Tavily { key, url } => {
                let url = url.as_deref().unwrap_or("https://api.tavily.com");
                let body = json!({"query": query, "max_results": limit});
                let request = HttpRequest {
                    method: "POST".into(),
                    url: format!("{}/search", url.trim_end_matches('/')),
                    headers: pairs(&[("authorization", &format!("Bearer {key}"))]),
                    body: HttpBody::Json(Value::from(&body)),
                    ..HttpRequest::default()
                };
                let found = self.ask("Tavily", request).await?;
                Ok(results("tavily", &found["results"], ["title", "url", "content"], limit))
            }
            WebSearchOptions::Brave { key, url } => {
                let url = url.as_deref().unwrap_or("https://api.search.brave.com");
                let request = HttpRequest {
                    url: format!("{}/res/v1/web/search", url.trim_end_matches('/')),
                    query: pairs(&[("q", query), ("count", &limit.min(20).to_string())]),
                    headers: pairs(&[("x-subscription-token", key)]),
                    ..HttpRequest::default()
                };
                let found = self.ask("Brave Search", request).await?;
                let fields = ["title", "url", "description"];
                Ok(results("brave", &found["web"]["results"], fields, limit))
            }
        }
    }

    async fn local(&self, query: &str, limit: usize) -> Result<WebResults, ToolError> {
        let passages = self.documents.search(query, limit).await?;
        let results = passages.into_iter().map(|passage| WebResult {
            title: match passage.heading.is_empty() {
                true => passage.path.clone(),
                false => passage.heading,
            },
            url: format!("{}:{}", passage.path, passage.line),
            snippet: passage.text,
        });
        Ok(WebResults { source: LOCAL, results: results.collect() })
    }

    async fn ask(&self, name: &str, request: HttpRequest) -> Result<Json, ToolError> {
        let HttpResponse { status, body, .. } = self.client.send(request).await?;
        match (status, &body) {
            (200, Value::Map(_)) => Ok(Json::from(&body)),
            (401 | 403, _) => Err(ToolError::failed(format!(
                "{name} refused the search (status {status}): is the key right, or its JSON format enabled?"
            ))),
            (200, _) => {
                Err(ToolError::failed(format!("{name} answered with something else than JSON.")))
            }
            _ => Err(ToolError::failed(format!("{name} could not search (status {status})."))),
        }
    }
}

fn results(
    source: &'static str,
    list: &Json,
    [title, url, snippet]: [&str; 3],
    limit: usize,
) -> WebResults {
    let text = |result: &Json, key: &str| result[key].as_str().unwrap_or_default().to_string();
    let results = list.as_array().into_iter().flatten().take(limit).map(|result| WebResult {
        title: text(result, title),
        url: text(result, url),
        snippet: text(result, snippet),
    });
    WebResults { source, results: results.collect() }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}
