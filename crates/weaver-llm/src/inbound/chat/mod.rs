//! OpenAI's Chat Completions, as clients speak it to us.

mod read;
mod write;

pub(super) use read::any_object;
pub use read::{include_usage, read};
pub use write::{Pieces, whole};
