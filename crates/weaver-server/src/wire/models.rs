//! Providers with their models and prices, as they are shown.

use weaver_api::models::{LongPrice, Model, ModelPrice, ModelProvider};
use weaver_llm::{Error, Gateway};

use crate::http::gateway::Listed;

/// A provider with its models, or why it cannot be asked.
pub fn provider(gateway: &Gateway, listed: Listed) -> ModelProvider {
    let Listed { provider, address, names } = listed;
    let model =
        |name: &String| Model { name: name.clone(), price: price(gateway, &provider, name) };
    let (models, problem) = match names {
        Ok(names) => (names.iter().map(model).collect(), None),
        Err(error) => (Vec::new(), Some(reason(&error))),
    };
    ModelProvider { provider, address, problem, models }
}

fn price(gateway: &Gateway, provider: &str, name: &str) -> Option<ModelPrice> {
    let resolved = gateway.resolve(&format!("{provider}/{name}")).ok()?;
    let price = gateway.price(&resolved)?;
    let long = price.long.map(|long| LongPrice {
        above: long.above,
        input: long.input,
        output: long.output,
        cached_read: long.cached_read,
        cached_write: long.cached_write,
        cached_write_long: long.cached_write_long,
    });
    Some(ModelPrice {
        input: price.input,
        output: price.output,
        cached_read: price.cached_read,
        cached_write: price.cached_write,
        cached_write_long: price.cached_write_long,
        reasoning: price.reasoning,
        audio_input: price.audio_input,
        audio_cached: price.audio_cached,
        audio_output: price.audio_output,
        long,
    })
}

/// Why a provider cannot be asked, where its name stands already.
fn reason(error: &Error) -> String {
    match error {
        Error::MissingKey { variable, .. } => format!("no key: set {variable}"),
        Error::Network { address, message, .. } => format!("no answer at {address}: {message}"),
        error => error.to_string(),
    }
}
