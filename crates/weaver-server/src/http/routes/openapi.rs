//! The OpenAPI document of the routes under `/api/v1`.

use axum::body::Bytes;
use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Content, InfoBuilder, OpenApi, Ref, RefOr, ResponseBuilder, Schema, SecurityRequirement, Server,
};
use utoipa::{PartialSchema, ToSchema};
use weaver_api::{FieldProblem, PROBLEM_TYPE, Place, Problem};
use weaver_studio::edit::Operation;

/// The document as it is sent.
#[derive(Clone)]
pub struct Document(Bytes);

impl Document {
    /// Completes what the routes say of themselves by what is true of all.
    pub fn new(document: OpenApi) -> Self {
        let document = complete(document);
        let json = document.to_pretty_json().expect("a document has a JSON form");
        Document((json + "\n").into())
    }

    /// `GET /openapi.json`
    pub async fn answer(self) -> impl IntoResponse {
        ([(header::CONTENT_TYPE, "application/json")], self.0)
    }
}

fn complete(mut document: OpenApi) -> OpenApi {
    document.info = InfoBuilder::new()
        .title("AgentWeaver")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Durable agent workflows. Refusals are `application/problem+json`; lists are pages with a \
             cursor; whoever changes something sends `Authorization: Bearer TOKEN`.",
        ))
        .build();
    document.servers = Some(vec![Server::new("/api/v1")]);
    let components = document.components.get_or_insert_default();
    let mut below = vec![(Operation::name().into_owned(), Operation::schema())];
    Operation::schemas(&mut below);
    components.schemas.extend(below);
    for (name, schema) in [
        (Problem::name(), Problem::schema()),
        (FieldProblem::name(), FieldProblem::schema()),
        (Place::name(), Place::schema()),
    ] {
        components.schemas.insert(name.into_owned(), schema);
    }
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
    components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    document.security = Some(vec![SecurityRequirement::new::<_, _, String>("token", [])]);
    for (path, item) in &mut document.paths.paths {
        let operations =
            [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            let refused = ResponseBuilder::new()
                .description("Refused; `code` says why.")
                .content(PROBLEM_TYPE, Content::new(Some(Ref::from_schema_name(Problem::name()))))
                .build();
            operation.responses.responses.insert("default".into(), RefOr::T(refused));
            for response in operation.responses.responses.values_mut() {
                let RefOr::T(response) = response else { continue };
                if response.description.is_empty() {
                    response.description = "Done.".into();
                }
                // A stream is no text to be read as one.
                if let Some(stream) = response.content.get_mut("text/event-stream") {
                    *stream = RefOr::T(Content::new::<RefOr<Schema>>(None));
                }
            }
            // `list` is a handler's name in several files.
            let mut area = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
            if path.starts_with("/studio/workflows") {
                area.insert_str(0, "studio_");
            }
            operation.operation_id = operation.operation_id.take().map(|id| format!("{area}_{id}"));
        }
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What clients are generated from.
    const COMMITTED: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/openapi.json");

    /// `AGENTWEAVER_WRITE_OPENAPI=1` writes the document anew.
    #[test]
    fn the_document_in_the_repository_is_that_of_the_routes() {
        let document = Document::new(super::super::described().into_openapi()).0;
        if std::env::var_os("AGENTWEAVER_WRITE_OPENAPI").is_some() {
            std::fs::write(COMMITTED, &document).unwrap();
        }
        let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
        assert!(
            committed.as_bytes() == document,
            "the routes have changed: write docs/reference/openapi.json anew with \
             AGENTWEAVER_WRITE_OPENAPI=1, and the client that is generated from it"
        );
    }

    /// Every `$ref` leads somewhere, and no two operations have one name.
    #[test]
    fn the_document_hangs_together() {
        let document = Document::new(super::super::described().into_openapi()).0;
        let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        let mut names = std::collections::HashSet::new();
        let mut left = vec![&document];
        while let Some(value) = left.pop() {
            if let Some(place) = value.get("$ref").and_then(|place| place.as_str()) {
                let pointer = place.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{place}");
            }
            if let Some(name) = value.get("operationId").and_then(|name| name.as_str()) {
                assert!(names.insert(name), "two operations are called {name}");
            }
            match value {
                serde_json::Value::Array(items) => left.extend(items),
                serde_json::Value::Object(fields) => left.extend(fields.values()),
                _ => {}
            }
        }
    }
}
