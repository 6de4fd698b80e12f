//! The dialect of OpenAI's Responses.

mod read;
mod write;

pub(crate) use read::Decoder;
pub(crate) use write::{count, write};
