//! [`Fault`]: what a client is told in place of an answer, in each interface's words.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Value, json};

use crate::error::Error;

/// An interface that clients speak to us in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// OpenAI's, Chat Completions and Responses alike.
    OpenAi,
    /// Anthropic's.
    Anthropic,
}

/// A request that got no answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The HTTP status in OpenAI's interface; Anthropic's differs for an overload.
    pub status: u16,
    /// OpenAI's word where it has one, else ours.
    pub code: Cow<'static, str>,
    /// A sentence or two that name the way out.
    pub message: String,
    /// The place in the body: `messages[2].content[0].image_url`.
    pub param: Option<String>,
    /// Whether the same request may succeed later.
    pub retry: bool,
    /// When to come back.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A refusal with a status and a code.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Fault {
            status,
            code: code.into(),
            message: message.into(),
            param: None,
            retry: false,
            retry_after: None,
        }
    }

    /// The body says what cannot be.
    pub fn invalid(message: impl Into<String>) -> Self {
        Fault::new(400, "invalid_value", message)
    }

    /// The same with the place in the body.
    pub fn at(mut self, param: &str) -> Self {
        self.param = (!param.is_empty()).then(|| param.into());
        self
    }

    /// The same within an item of a list.
    pub(super) fn within(self, list: &str, index: usize) -> Self {
        self.inside(&format!("{list}[{index}]"))
    }

    /// The same within a member.
    pub(super) fn inside(mut self, outer: &str) -> Self {
        self.param = Some(match self.param {
            Some(inner) if inner.starts_with('[') => format!("{outer}{inner}"),
            Some(inner) => format!("{outer}.{inner}"),
            None => outer.into(),
        });
        self
    }

    /// The HTTP status in an interface.
    pub fn status(&self, api: Api) -> u16 {
        match (api, self.status, &*self.code) {
            (Api::Anthropic, 503, "model_overloaded" | "model_circuit_open") => 529,
            _ => self.status,
        }
    }

    /// The body of the answer; with the request's id where the interface has it there.
    pub fn body(&self, api: Api, request_id: Option<&str>) -> Value {
        match api {
            Api::OpenAi => self.openai(),
            Api::Anthropic => self.anthropic(request_id),
        }
    }

    fn openai(&self) -> Value {
        let kind = match self.status {
            401 => "authentication_error",
            403 => "permission_error",
            429 if self.code == "insufficient_quota" => "insufficient_quota",
            429 => "rate_limit_error",
            400..=499 => "invalid_request_error",
            _ => "server_error",
        };
        json!({"error": {
            "message": self.message, "type": kind, "param": self.param, "code": self.code,
        }})
    }

    fn anthropic(&self, request_id: Option<&str>) -> Value {
        let kind = match self.status(Api::Anthropic) {
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            400..=499 => "invalid_request_error",
            504 => "timeout_error",
            529 => "overloaded_error",
            _ => "api_error",
        };
        let message = match &self.param {
            Some(param) => format!("{param}: {}", self.message),
            None => self.message.clone(),
        };
        json!({
            "type": "error",
            "error": {"type": kind, "message": message},
            "request_id": request_id,
        })
    }
}

impl From<&Error> for Fault {
    fn from(error: &Error) -> Self {
        let (status, code) = match error {
            Error::UnknownModel { .. } | Error::ModelNotFound { .. } => (404, "model_not_found"),
            Error::MissingKey { .. } | Error::Auth { .. } => (401, error.code()),
            Error::Forbidden { .. } => (403, error.code()),
            Error::Quota { .. } => (429, "insufficient_quota"),
            Error::RateLimited { .. } => (429, "rate_limit_exceeded"),
            // A failure of the provider's own is no overload.
            Error::Overloaded { status: 500, .. } => (500, error.code()),
            Error::Overloaded { .. } | Error::CircuitOpen { .. } => (503, error.code()),
            Error::OverBudget { .. } => (402, error.code()),
            Error::ContextTooLong { .. } => (400, "context_length_exceeded"),
            Error::ContentFiltered { .. } => (400, "content_filter"),
            Error::BadRequest { status, .. } => (
                status.filter(|status| [409, 413, 422].contains(status)).unwrap_or(400),
                "invalid_value",
            ),
            Error::Timeout { .. } => (504, error.code()),
            Error::Network { .. } | Error::Cut { .. } | Error::Protocol { .. } => {
                (502, error.code())
            }
            Error::Script { .. } => (500, error.code()),
            Error::Cancelled => (503, error.code()),
        };
        let param = match error {
            Error::UnknownModel { .. } | Error::ModelNotFound { .. } => Some("model".into()),
            Error::ContextTooLong { .. } => Some("messages".into()),
            _ => None,
        };
        Fault {
            param,
            retry: error.retry_is_safe(),
            retry_after: error.retry_after(),
            ..Fault::new(status, code, error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_interface_has_its_own_envelope() {
        let busy = Error::Overloaded {
            provider: "P".into(),
            message: "busy".into(),
            status: 529,
            reset: Some(Duration::from_secs(3)),
        };
        let fault = Fault::from(&busy);
        assert!(fault.retry && fault.retry_after == Some(Duration::from_secs(3)));
        assert_eq!((fault.status(Api::OpenAi), fault.status(Api::Anthropic)), (503, 529));
        let broken = Fault { status: 500, ..fault.clone() };
        assert_eq!(broken.body(Api::Anthropic, None)["error"]["type"], "api_error");
        assert_eq!(fault.body(Api::OpenAi, None)["error"]["type"], "server_error");
        let anthropic = fault.body(Api::Anthropic, Some("r1"));
        assert_eq!(anthropic["error"]["type"], "overloaded_error");
        assert_eq!((&anthropic["type"], &anthropic["request_id"]), (&json!("error"), &json!("r1")));
    }

    #[test]
    fn the_place_of_a_wrong_member_is_named_from_the_top() {
        let fault = Fault::invalid("No.").at("url").within("content", 1).within("messages", 0);
        assert_eq!(fault.param.as_deref(), Some("messages[0].content[1].url"));
        let said = fault.body(Api::Anthropic, None)["error"]["message"].clone();
        assert_eq!(said, "messages[0].content[1].url: No.");
        assert_eq!(Fault::invalid("No.").within("input", 2).param.as_deref(), Some("input[2]"));
    }
}
