//! Tools that nodes and models call, behind guards.
//!
//! [`Registry`] holds tools by name and calls them with arguments that it has
//! checked; [`Registry::builtin`] has the built-in ones. Typed nodes may call the
//! same code directly: [`http`], [`database`], [`files`], [`search`].
//!
//! Invariants:
//! - A failed call is a value that a model can read ([`ToolError`]), never a panic.
//! - Whatever the arguments say, files outside the workspace directory are not
//!   touched, private addresses are not reached unless a name was allowed, and
//!   SQL writes nothing unless writing was allowed.
//! - Nothing here reads the environment or decides whether a person must approve.

mod registry;
mod tool;

pub use registry::Registry;
pub use tool::{ArgumentProblem, Context, Definition, Effect, Tool, ToolError};
