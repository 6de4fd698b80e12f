//! OpenAI's Responses, as clients speak it to us.

mod read;
mod write;

pub use read::read;
pub use write::{Echo, Pieces, whole};
