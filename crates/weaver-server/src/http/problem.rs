//! [`Refusal`]: turns what went wrong into answers. The one place that does.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use weaver_api::{FieldProblem, PROBLEM_TYPE, Place, Problem};
use weaver_runtime::executions::Refused;
use weaver_runtime::tasks;

/// A request that is not done.
#[derive(Clone, Debug)]
pub struct Refusal(Box<Problem>);

impl Refusal {
    /// A refusal with a stable code that has a page in `docs/errors/`.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Refusal(Box::new(Problem {
            kind: format!("urn:agentweaver:error:{code}"),
            title: title(code),
            status: status.as_u16(),
            detail: detail.into(),
            code: code.to_string(),
            help: None,
            errors: Vec::new(),
            version: None,
            request_id: String::new(),
        }))
    }

    /// There is no such thing, or it is somebody else's.
    pub fn not_found(what: impl Into<String>) -> Self {
        Refusal::new(StatusCode::NOT_FOUND, "not_found", what)
    }

    /// The body or the query says something that cannot be.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", detail)
    }

    /// The same with the place in the body.
    pub fn at(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let (pointer, detail) = (pointer.into(), detail.into());
        self.0.errors.push(FieldProblem { pointer, detail, place: None });
        self
    }

    /// The same with a place in a text of the body.
    pub fn at_place(
        mut self,
        pointer: impl Into<String>,
        detail: impl Into<String>,
        place: Place,
    ) -> Self {
        let (pointer, detail) = (pointer.into(), detail.into());
        self.0.errors.push(FieldProblem { pointer, detail, place: Some(place) });
        self
    }

    /// The same about a body that is a part of the one that was sent.
    pub fn inside(mut self, prefix: &str) -> Self {
        for error in &mut self.0.errors {
            error.pointer.insert_str(0, prefix);
        }
        self
    }

    /// The same with the way out.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// The same with the version that is there now.
    pub fn with_version(mut self, version: u64) -> Self {
        self.0.version = Some(version);
        self
    }

    /// The same with the request's name.
    pub fn of_request(mut self, id: &str) -> Self {
        self.0.request_id = id.to_string();
        self
    }

    /// What is answered.
    pub fn into_problem(self) -> Box<Problem> {
        self.0
    }

    /// What is answered.
    pub fn problem(&self) -> &Problem {
        &self.0
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).expect("refusals have valid statuses");
        let kind = HeaderValue::from_static(PROBLEM_TYPE);
        let mut response = (status, [(header::CONTENT_TYPE, kind)], Json(&*self.0)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_TYPE));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// `version_conflict` as `Version conflict`.
fn title(code: &str) -> String {
    let words = code.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}

impl From<tasks::Refused> for Refusal {
    fn from(refused: tasks::Refused) -> Self {
        match refused {
            tasks::Refused::Failed(error) => Refused::Failed(error).into(),
            tasks::Refused::Invalid(_) => Refusal::invalid(refused.to_string()),
            other => {
                let code = "lease_lost";
                Refusal::new(StatusCode::CONFLICT, code, other.to_string())
                    .with_help("drop the work: nothing of it is kept")
            }
        }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let detail = refused.to_string();
        match refused {
            Refused::NotFound(_) => Refusal::not_found(detail),
            Refused::Invalid(_) => Refusal::invalid(detail),
            Refused::Field { pointer, message } => {
                Refusal::invalid(message.clone()).at(pointer, message)
            }
            Refused::Conflict(_) => Refusal::new(StatusCode::CONFLICT, "state_conflict", detail),
            Refused::KeyReused => {
                Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail)
            }
            Refused::Failed(weaver_runtime::Error::NotFound(_)) => Refusal::not_found(detail),
            Refused::Failed(weaver_runtime::Error::Invalid(_)) => Refusal::invalid(detail),
            Refused::Failed(weaver_runtime::Error::Store(error)) => {
                tracing::error!(%error, code = error.code(), "the store failed a request");
                Refusal::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    error.code(),
                    "the store cannot answer now; nothing was changed that was not acknowledged",
                )
            }
            other => {
                tracing::error!(error = %other, "a request failed");
                Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "this is a bug of ours")
            }
        }
    }
}
