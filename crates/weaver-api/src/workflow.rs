//! Workflows as people keep them: a name, a file, where its nodes stand on the canvas.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;
use crate::execution::given;

/// Where nodes stand on the canvas, by name. A node that is missing is laid out by
/// itself.
pub type Layout = BTreeMap<String, Position>;

/// Where a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// To the right, in pixels at full size.
    pub x: f64,
    /// Down.
    pub y: f64,
}

/// A workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Workflow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The name of its file.
    pub file: String,
    /// The file's text; left out in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The script that answers for its models; left out in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// Where nodes stand on the canvas; left out in lists.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub layout: Layout,
    /// Another one after each change. Its `ETag` is this number in quotes.
    pub version: u64,
    /// The version that brought the newest text.
    pub revision: u64,
    /// Names file and text: what executions of it have as their `version`.
    pub hash: String,
    /// When it was made.
    pub created_at: Time,
    /// When it was changed last.
    pub updated_at: Time,
    /// Where it is kept.
    pub origin: Origin,
    /// The file's path, if it is kept in a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// Where a workflow is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// In the database.
    Database,
    /// As a file in a folder that others may edit too.
    Folder,
}

/// `POST /workflows`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWorkflow {
    /// Its name: 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// The name of its file; made from the name if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The file's text; it may have problems.
    pub source: String,
    /// The script that answers for its models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// Where nodes stand on the canvas.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub layout: Layout,
}

/// `PUT /workflows/{id}`: what is absent stays. The version that the change was made to
/// comes as `version`, or as `If-Match`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkflowPatch {
    /// The version that it was made to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name of its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The file's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The script that answers for its models; null takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub script: Option<Option<String>>,
    /// Where nodes stand on the canvas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
}

/// A text that a workflow has had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkflowVersion {
    /// The workflow's version then.
    pub version: u64,
    /// The name of its file then.
    pub file: String,
    /// The file's text.
    pub source: String,
    /// The script that answered for its models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// As in [`Workflow::hash`].
    pub hash: String,
    /// When it came.
    pub created_at: Time,
}

/// `POST /studio/templates/{id}/use`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UseTemplate {
    /// The workflow's name; absent: the template's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}
