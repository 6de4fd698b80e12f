//! Anthropic's Messages, as clients speak it to us.

mod read;
mod write;

pub use read::read;
pub use write::{Pieces, whole};
