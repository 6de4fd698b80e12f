//! Tools that nodes and models call, behind guards.
//!
//! [`Toolbox`] makes the built-in tools from [`Options`]; [`Toolbox::registry`]
//! gives them to models, behind schemas that arguments are checked against, and
//! its fields are the same tools as functions, for typed nodes. Further tools are
//! [added](Registry::add) to the [`Registry`].
//!
//! Invariants:
//! - A failed call is a value that a model can read ([`ToolError`]), never a panic.
//! - Whatever the arguments say, files outside the workspace directory are not
//!   touched, private addresses are not reached unless a name was allowed, and
//!   SQL writes nothing unless writing was allowed.
//! - Nothing here reads the environment or decides whether a person must approve.

mod address;
mod builtin;
mod database;
mod files;
mod http;
mod options;
mod registry;
mod search;
mod tool;
mod web;

pub use builtin::Toolbox;
pub use database::{DatabaseQuery, DatabaseRows, Databases};
pub use files::{FileEntry, Listing, Workspace};
pub use http::{HttpBody, HttpClient, HttpRequest, HttpResponse};
pub use options::{DatabaseOptions, FileOptions, HttpOptions, Options, WebSearchOptions};
pub use registry::Registry;
pub use search::{Documents, Passage};
pub use tool::{ArgumentProblem, Context, Definition, Effect, FnTool, Tool, ToolError};
pub use web::{WebResult, WebResults, WebSearch};
