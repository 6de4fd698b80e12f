//! The dialect of OpenAI's Chat Completions, as OpenAI and the many that follow
//! it speak it. Departures are quirks of the provider ([`crate::provider::Quirks`])
//! or read leniently; nothing here knows a provider by name.

mod read;
mod write;

pub(crate) use read::Decoder;
pub(crate) use write::{audio, may_be_strict, tool, url, write};
