//! The Studio: gestures on the canvas as edits of the text.

use axum::Json;
use axum::http::StatusCode;
use weaver_api::studio::{Edited, GraphEditRequest, TextEdit};
use weaver_studio::edit::{self, Operation};

use crate::http::Refusal;
use crate::http::body::Body;
use crate::workflow::text_version;

/// Does operations on a graph of a text, all or none of them.
#[utoipa::path(post, path = "/studio/edit", tag = "studio",
    request_body = GraphEditRequest, responses((status = 200, body = Edited)))]
pub async fn edit(Body(request): Body<GraphEditRequest>) -> Result<Json<Edited>, Refusal> {
    let work = move || answer(&request);
    tokio::task::spawn_blocking(work).await.expect("the editor has no panic").map(Json)
}

fn answer(request: &GraphEditRequest) -> Result<Edited, Refusal> {
    let version = text_version(&request.source);
    if request.version.as_ref().is_some_and(|given| *given != version) {
        let detail = "the operations are meant for another text than the one that was sent";
        return Err(Refusal::new(StatusCode::CONFLICT, "version_conflict", detail)
            .with_help("read the text again with /studio/parse, and send its version"));
    }
    let operations = operations(&request.operations)?;
    let done =
        edit::edit(&request.source, request.graph.as_deref(), &operations).map_err(refused)?;
    let spec = weaver_studio::parse(&request.file, &done.source).spec;
    let wire = |edits: Vec<edit::TextEdit>| {
        let wire =
            |edit: edit::TextEdit| TextEdit { start: edit.start, end: edit.end, text: edit.text };
        edits.into_iter().map(wire).collect()
    };
    Ok(Edited {
        version: text_version(&done.source),
        edits: wire(done.edits),
        undo: wire(done.undo),
        source: done.source,
        spec,
    })
}

fn operations(given: &[serde_json::Value]) -> Result<Vec<Operation>, Refusal> {
    let read = |(index, operation): (usize, &serde_json::Value)| {
        serde_json::from_value(operation.clone()).map_err(|error| {
            Refusal::invalid("an operation does not have the right shape")
                .at(format!("/operations/{index}"), error.to_string())
        })
    };
    given.iter().enumerate().map(read).collect()
}

fn refused(refusal: edit::Refusal) -> Refusal {
    let mut pointer = format!("/operations/{}", refusal.operation);
    if !refusal.field.is_empty() {
        pointer = format!("{pointer}/{}", refusal.field);
    }
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "edit_refused", refusal.message.clone())
        .at(pointer, refusal.message)
        .with_help(refusal.help)
}
