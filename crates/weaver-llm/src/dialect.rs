//! The seam between the gateway and the interfaces of providers: a dialect writes
//! a request in an interface's words and reads what comes back. Bytes, keys,
//! retries and limits are the gateway's; a dialect never does any IO.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::Answer;
use crate::chat::ChatRequest;
use crate::error::Error;
use crate::model::ModelRef;

/// How bytes look. Several providers share one dialect, and a provider may have
/// more than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Dialect {
    /// OpenAI's Chat Completions, and all who follow it.
    #[serde(rename = "openai")]
    Chat,
    /// OpenAI's Responses.
    #[serde(rename = "openai_responses")]
    Responses,
    /// Anthropic's Messages.
    #[serde(rename = "anthropic")]
    Anthropic,
    /// Google's `generateContent`, at the Gemini API and at Vertex AI.
    #[serde(rename = "gemini")]
    Gemini,
    /// Ollama's own interface.
    #[serde(rename = "ollama")]
    Ollama,
}

/// What goes to a provider.
pub(crate) struct Sent {
    /// Path below the base address, with its query.
    pub path: String,
    pub body: Value,
}

/// Reads one answer: the JSON values of a stream as they come, or the one value
/// of an answer in one piece, which servers send for a stream too.
pub(crate) trait Decode: Send {
    /// Takes the next value. Values of an unknown kind are passed over.
    fn value(&mut self, value: &Value) -> Result<(), Error>;

    /// Takes the word `[DONE]`, which ends a stream where it is used.
    fn done(&mut self) {}

    /// Whether nothing more is to come, so that the connection need not be waited for.
    fn is_done(&self) -> bool;

    /// At the end of the bytes: the last events, or why the answer is not whole.
    fn end(&mut self) -> Result<(), Error> {
        self.answer().end()
    }

    /// The events so far.
    fn answer(&mut self) -> &mut Answer;
}

impl Dialect {
    /// A chat request in the dialect's words.
    pub(crate) fn write(
        self,
        request: &ChatRequest,
        model: &ModelRef,
        stream: bool,
    ) -> Result<Sent, Error> {
        match self {
            Dialect::Chat => Ok(crate::openai::write(request, model, stream)),
            Dialect::Responses => Ok(crate::responses::write(request, model, stream)),
            Dialect::Anthropic => Ok(crate::anthropic::write(request, model, stream)),
            Dialect::Gemini => Ok(crate::gemini::write(request, model, stream)),
            Dialect::Ollama => crate::ollama::write(request, model, stream),
        }
    }

    /// A reader of the answer to such a request.
    pub(crate) fn decoder(self, answer: Answer) -> Box<dyn Decode> {
        match self {
            Dialect::Chat => Box::new(crate::openai::Decoder::new(answer)),
            Dialect::Responses => Box::new(crate::responses::Decoder::new(answer)),
            Dialect::Anthropic => Box::new(crate::anthropic::Decoder::new(answer)),
            Dialect::Gemini => Box::new(crate::gemini::Decoder::new(answer)),
            Dialect::Ollama => Box::new(crate::ollama::Decoder::new(answer)),
        }
    }

    /// A base address as people write it to the one that paths are added to: with
    /// or without the version, which official clients do not agree on.
    pub(crate) fn base_url(self, address: &str) -> String {
        let address = address.trim().trim_end_matches('/');
        let last = address.rsplit('/').next().unwrap_or_default();
        let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
        let has_path = rest.contains('/');
        let is_version =
            last.strip_prefix('v').is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()));
        match self {
            Dialect::Anthropic => address.strip_suffix("/v1").unwrap_or(address).into(),
            Dialect::Gemini if !is_version && last != "google" => format!("{address}/v1beta"),
            Dialect::Ollama => address.strip_suffix("/api").unwrap_or(address).into(),
            Dialect::Chat | Dialect::Responses if !has_path => format!("{address}/v1"),
            _ => address.into(),
        }
    }
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Dialect::Chat => "openai",
            Dialect::Responses => "openai_responses",
            Dialect::Anthropic => "anthropic",
            Dialect::Gemini => "gemini",
            Dialect::Ollama => "ollama",
        })
    }
}
