//! The dialect of Anthropic's Messages.

mod read;
mod schema;
mod write;

pub(crate) use read::Decoder;
pub(crate) use write::{count, takes_beginnings, write};
