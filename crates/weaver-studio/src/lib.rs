//! Python graph source to [`FileSpec`](weaver_core::spec::FileSpec): spans and diagnostics.
//!
//! Start with [`parse`] for one text, or with [`Document`] for a text that is
//! being edited; both give an [`Analysis`]. [`program`] cuts out of it what the
//! embedded interpreter runs.
//!
//! Invariants:
//! - Nothing is ever executed, no input is refused and no input makes a panic:
//!   a broken file gives the graph that can be understood and diagnostics.
//! - The crate is pure: no files, clock, environment, randomness or threads.
//! - Every span lies inside the text, on character boundaries.
//! - An analysis depends on the text alone, never on the edits that led to it.

mod analysis;
pub mod convert;
mod document;
pub mod edit;
pub mod typed_nodes;

mod assemble;
mod bindings;
mod checks;
mod chunk;
mod cut;
mod eval;
mod facts;
mod functions;
mod generators;
mod hosts;
mod problem;
mod schema;
mod subset;
mod syntax;
mod tools;
mod touched;
mod units;

pub use analysis::{Analysis, function, parse, program};
pub use document::{Document, EditError};
pub use problem::CODES;
pub use touched::{Touched, touched};
