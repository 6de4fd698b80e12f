//! Edits of a graph as edits of its text.

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use weaver_core::spec::FileSpec;
use weaver_studio::edit::{self, Operation, TextEdit};

use crate::http::Refusal;
use crate::http::body::Body;
use crate::workflow::text_version;

/// `POST /studio/edit`. It stands here and not with the other wire types because the
/// operations are the parser's own.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditSource {
    /// The file's text.
    source: String,
    /// The version of the text that the operations are meant for; absent: this one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// The variable of the graph's builder; absent: the only graph.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    graph: Option<String>,
    /// What to do, one after the other: all of it or nothing.
    operations: Vec<Operation>,
}

/// A text after operations.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EditedSource {
    /// The new text.
    source: String,
    /// Names the new text.
    version: String,
    /// What changed, in bytes of the old text: sorted, not overlapping.
    edits: Vec<TextEdit>,
    /// The edits of the new text that give back the old one, byte for byte.
    undo: Vec<TextEdit>,
    /// What the new text means.
    spec: FileSpec,
}

/// Does operations on a graph of a text. All bytes outside the edits stay.
#[utoipa::path(post, path = "/studio/edit", tag = "studio",
    request_body = EditSource, responses((status = 200, body = EditedSource)))]
pub async fn edit(Body(request): Body<EditSource>) -> Result<Json<EditedSource>, Refusal> {
    let now = text_version(&request.source);
    if request.version.as_ref().is_some_and(|version| *version != now) {
        let detail = "the operations were meant for another text";
        return Err(Refusal::new(StatusCode::CONFLICT, "version_conflict", detail)
            .at("/version", format!("the text that was sent is {now}")));
    }
    // Each operation parses the text again.
    let work = move || edited(&request);
    tokio::task::spawn_blocking(work).await.expect("the parser has no panic").map(Json)
}

fn edited(request: &EditSource) -> Result<EditedSource, Refusal> {
    let done = edit::edit(&request.source, request.graph.as_deref(), &request.operations);
    let edited = done.map_err(refused)?;
    let analysis = weaver_studio::parse("workflow.py", &edited.source);
    Ok(EditedSource {
        version: text_version(&edited.source),
        edits: edited.edits,
        undo: edited.undo,
        spec: analysis.spec.clone(),
        source: edited.source,
    })
}

fn refused(refusal: edit::Refusal) -> Refusal {
    let field = match refusal.field {
        "" => String::new(),
        field => format!("/{field}"),
    };
    let pointer = format!("/operations/{}{field}", refusal.operation);
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "edit_refused", refusal.message.clone())
        .with_help(refusal.help)
        .at(pointer, refusal.message)
}
