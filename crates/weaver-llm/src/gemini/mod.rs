//! The dialect of Google's `generateContent`, at the Gemini API and at Vertex AI.

mod read;
mod write;

pub(crate) use read::Decoder;
pub(crate) use write::{count, path, write};
