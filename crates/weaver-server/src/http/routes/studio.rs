//! The Studio: what a text means, how it would run, what there is to build with.

use axum::Json;
use weaver_api::Page;
use weaver_api::studio::{
    Compiled, ConvertRequest, Converted, NodeType, Parsed, SourceRequest, Template, Validated,
};
use weaver_studio::Analysis;

use crate::http::Refusal;
use crate::http::body::Body;
use crate::workflow::{report, text_version, validated};
use crate::{templates, wire};

/// Reads a text, however broken it is.
#[utoipa::path(post, path = "/studio/parse", tag = "studio",
    request_body = SourceRequest, responses((status = 200, body = Parsed)))]
pub async fn parse(Body(request): Body<SourceRequest>) -> Result<Json<Parsed>, Refusal> {
    let parsed = analysed(request, |analysis| Parsed {
        version: text_version(&analysis.source),
        spec: analysis.spec.clone(),
    });
    Ok(Json(parsed.await))
}

/// Says how a text would run: where each node, with which state, models and tools.
#[utoipa::path(post, path = "/studio/compile", tag = "studio",
    request_body = SourceRequest, responses((status = 200, body = Compiled)))]
pub async fn compile(Body(request): Body<SourceRequest>) -> Result<Json<Compiled>, Refusal> {
    Ok(Json(analysed(request, report).await))
}

/// Says all that is wrong with a text.
#[utoipa::path(post, path = "/studio/validate", tag = "studio",
    request_body = SourceRequest, responses((status = 200, body = Validated)))]
pub async fn validate(Body(request): Body<SourceRequest>) -> Result<Json<Validated>, Refusal> {
    Ok(Json(analysed(request, validated).await))
}

/// Writes a workflow of the old JSON format as a Python file.
#[utoipa::path(post, path = "/studio/convert", tag = "studio",
    request_body = ConvertRequest, responses((status = 200, body = Converted)))]
pub async fn convert(Body(request): Body<ConvertRequest>) -> Result<Json<Converted>, Refusal> {
    let work = move || weaver_studio::convert::convert(&(&request.document).into());
    let converted = tokio::task::spawn_blocking(work).await.expect("the converter has no panic");
    let converted = converted.map_err(|error| {
        Refusal::invalid("this is no old workflow").at("/document", error.to_string())
    })?;
    Ok(Json(wire::converted(converted)))
}

/// Lists the typed nodes, in the order of the palette.
#[utoipa::path(get, path = "/studio/nodes", tag = "studio",
    responses((status = 200, body = Page<NodeType>)))]
pub async fn nodes() -> Json<Page<NodeType>> {
    Json(Page { items: wire::node_types(), next_cursor: None })
}

/// Lists the templates, in the order of the gallery.
#[utoipa::path(get, path = "/studio/templates", tag = "studio",
    responses((status = 200, body = Page<Template>)))]
pub async fn templates() -> Json<Page<Template>> {
    Json(Page { items: templates::all(), next_cursor: None })
}

/// A large file takes some milliseconds, in which others want their answers.
pub async fn analysed<T: Send + 'static>(
    request: SourceRequest,
    answer: impl FnOnce(&Analysis) -> T + Send + 'static,
) -> T {
    let work = move || answer(&weaver_studio::parse(&request.file, &request.source));
    tokio::task::spawn_blocking(work).await.expect("neither parser nor compiler has a panic")
}
