//! What the caller decides: providers, keys, times, retries.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::price::Price;
use crate::provider;

/// Settings of a [`crate::Gateway`]. The gateway reads no environment and no
/// configuration file of its own.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Settings by provider name (`openai`, `ollama`, or a new name with an
    /// address); a known provider that is absent has no key and its usual address.
    pub providers: BTreeMap<String, ProviderOptions>,
    /// When set, every request goes to this model, whatever it names: what
    /// `--model` does. The scripted model still sees the name that was asked for.
    pub override_model: Option<String>,
    /// The model of requests that name none.
    pub default_model: Option<String>,
    /// Script of the model named plain `scripted`; without one its built-in rules answer.
    pub script: Option<PathBuf>,
    /// Address of a proxy for all calls but those to this machine.
    pub proxy: Option<String>,
    /// Hosts and networks that are reached without the proxy, separated by commas.
    pub no_proxy: String,
    /// Time limits.
    pub timeouts: Timeouts,
    /// Retries within one call.
    pub retry: Retry,
    /// Prices that come before the built-in table, by `provider/model`.
    pub prices: BTreeMap<String, Price>,
}

/// Settings of one provider.
#[derive(Clone, Default)]
pub struct ProviderOptions {
    /// Base address up to and with the version segment, such as `http://127.0.0.1:8000/v1`.
    pub base_url: Option<String>,
    /// The key. Never printed.
    pub api_key: Option<String>,
    /// Headers to add to each request, such as an organisation.
    pub headers: Vec<(String, String)>,
}

impl std::fmt::Debug for ProviderOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("ProviderOptions")
            .field("base_url", &self.base_url)
            .field("api_key", &self.api_key.as_ref().map(|_| "***"))
            .field("headers", &names)
            .finish()
    }
}

/// Time limits of one try.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Making the connection. Default 10 s.
    pub connect: Duration,
    /// From the request to the first piece of a streamed answer. Default 120 s:
    /// reasoning models think before they speak.
    pub first_token: Duration,
    /// Between pieces. Default 60 s.
    pub idle: Duration,
    /// From the request to the whole of an answer that is not streamed. Default 600 s.
    pub whole: Duration,
}

/// Retries within one call. Waits are drawn evenly from zero to the growing
/// limit ("full jitter"); a provider's `Retry-After` is waited for in full.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// Tries in all, the first included. Default 3; 1 never retries.
    pub attempts: u32,
    /// Limit of the first wait. Default 500 ms; doubles with each try.
    pub base: Duration,
    /// Limit of any wait. Default 20 s. A provider that asks for longer gets its
    /// error passed on at once.
    pub cap: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            connect: Duration::from_secs(10),
            first_token: Duration::from_secs(120),
            idle: Duration::from_secs(60),
            whole: Duration::from_secs(600),
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Retry { attempts: 3, base: Duration::from_millis(500), cap: Duration::from_secs(20) }
    }
}

impl Options {
    /// Reads the usual variables through `variable`, for embedded mode: for each
    /// provider of the table its key (`OPENAI_API_KEY`, …) and address
    /// (`OPENAI_BASE_URL`, …; `OLLAMA_HOST` as Ollama itself reads it), and
    /// `AGENTWEAVER_MODEL` for [`Options::default_model`], `HTTPS_PROXY` and `NO_PROXY`.
    ///
    /// ```
    /// let options = weaver_llm::Options::from_vars(|name| std::env::var(name).ok());
    /// # let _ = options;
    /// ```
    pub fn from_vars(variable: impl Fn(&str) -> Option<String>) -> Self {
        let read = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let mut options = Options::default();
        for known in provider::TABLE {
            let base_url = known.url_variables.iter().find_map(|name| read(name)).or_else(|| {
                (known.name == "ollama")
                    .then(|| read("OLLAMA_HOST").map(|host| provider::ollama_url(&host)))?
            });
            let api_key = known.key_variables.iter().find_map(|name| read(name));
            if base_url.is_some() || api_key.is_some() {
                let settings = ProviderOptions { base_url, api_key, headers: Vec::new() };
                options.providers.insert(known.name.into(), settings);
            }
        }
        options.default_model = read("AGENTWEAVER_MODEL");
        let proxies = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
        options.proxy = proxies.iter().find_map(|name| read(name));
        options.no_proxy = read("NO_PROXY").or_else(|| read("no_proxy")).unwrap_or_default();
        options
    }
}
