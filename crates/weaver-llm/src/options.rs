//! What the caller decides: providers, keys, times, retries.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::cache::Cache;
use crate::dialect::Dialect;
use crate::price::Price;
use crate::provider;
use crate::tally::Tally;

/// Settings of a [`crate::Gateway`]. The gateway reads no environment and no
/// configuration file of its own.
#[derive(Clone, Default)]
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
    /// When an endpoint that keeps failing is left alone.
    pub breaker: Breaker,
    /// Models to ask instead, in order, by `provider/model`; those of a request come first.
    pub fallbacks: BTreeMap<String, Vec<String>>,
    /// Prices that come before the built-in table, by `provider/model`.
    pub prices: BTreeMap<String, Price>,
    /// Answers that may be given again. Gateways whose options are clones share it.
    pub cache: Cache,
    /// Models whose answers may be given again without a word of the caller, by
    /// `provider/model`: how old they may be.
    pub cache_seconds: BTreeMap<String, u64>,
    /// Is told what each answer came to.
    pub tally: Option<Tally>,
}

/// Settings of one provider.
#[derive(Clone, Default)]
pub struct ProviderOptions {
    /// Base address up to and with the version segment, such as `http://127.0.0.1:8000/v1`.
    pub base_url: Option<String>,
    /// The key. Never printed.
    pub api_key: Option<String>,
    /// Further keys; calls are spread over all of them, and one that is limited or
    /// refused rests while the others work.
    pub more_keys: Vec<String>,
    /// The interface, where the address does not have the provider's usual one.
    pub dialect: Option<Dialect>,
    /// The version of the interface in the query, where there is one (Azure).
    pub api_version: Option<String>,
    /// Calls at a time with one key; absent is no limit. Further calls wait.
    pub concurrency: Option<usize>,
    /// Headers to add to each request, such as an organisation.
    pub headers: Vec<(String, String)>,
}

impl std::fmt::Debug for Options {
    /// Without the proxy, whose address may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("providers", &self.providers)
            .field("override_model", &self.override_model)
            .field("default_model", &self.default_model)
            .field("script", &self.script)
            .field("timeouts", &self.timeouts)
            .field("retry", &self.retry)
            .field("breaker", &self.breaker)
            .field("fallbacks", &self.fallbacks)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ProviderOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("ProviderOptions")
            .field("base_url", &self.base_url.as_deref().map(crate::http::address_of))
            .field("api_key", &self.api_key.as_ref().map(|_| "***"))
            .field("more_keys", &self.more_keys.len())
            .field("dialect", &self.dialect)
            .field("api_version", &self.api_version)
            .field("concurrency", &self.concurrency)
            .field("headers", &names)
            .finish()
    }
}

impl ProviderOptions {
    /// All keys, the first one first.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.api_key.iter().chain(&self.more_keys).map(String::as_str)
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

/// When an endpoint (one model at one address) that keeps failing is left alone.
/// After its rest one call tries it out, and an answer opens it for all.
#[derive(Clone, Copy, Debug)]
pub struct Breaker {
    /// Failed tries in a row, over all calls. Default 10; 0 never gives up.
    pub failures: u32,
    /// The first rest. Default 5 s; doubles each time, to a minute at most.
    pub rest: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        Breaker { failures: 10, rest: Duration::from_secs(5) }
    }
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
    /// `AGENTWEAVER_MODEL` for [`Options::default_model`], `HTTPS_PROXY` and `NO_PROXY`;
    /// for Azure `AZURE_OPENAI_API_VERSION`, for Vertex AI `GOOGLE_CLOUD_PROJECT` and
    /// `GOOGLE_CLOUD_LOCATION`.
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
                let settings = ProviderOptions { base_url, api_key, ..Default::default() };
                options.providers.insert(known.name.into(), settings);
            }
        }
        if let Some(azure) = options.providers.get_mut("azure") {
            azure.api_version =
                read("AZURE_OPENAI_API_VERSION").or_else(|| read("OPENAI_API_VERSION"));
        }
        if let (Some(vertex), Some(project)) =
            (options.providers.get_mut("vertex"), read("GOOGLE_CLOUD_PROJECT"))
        {
            let location = read("GOOGLE_CLOUD_LOCATION").unwrap_or_else(|| "global".into());
            vertex.base_url.get_or_insert_with(|| provider::vertex_url(&project, &location));
        }
        options.default_model = read("AGENTWEAVER_MODEL");
        let proxies = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
        options.proxy = proxies.iter().find_map(|name| read(name));
        options.no_proxy = read("NO_PROXY").or_else(|| read("no_proxy")).unwrap_or_default();
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Options {
        Options::from_vars(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string())
        })
    }

    #[test]
    fn variables_give_keys_and_addresses() {
        let options = read(&[
            ("OPENAI_API_KEY", "canary"),
            ("OPENAI_BASE_URL", "http://me:canary@127.0.0.1:9/v1"),
            ("GOOGLE_API_KEY", "g"),
            ("MISTRAL_API_KEY", " "),
            ("HTTPS_PROXY", "http://me:canary@proxy:3128"),
            ("AGENTWEAVER_MODEL", "ollama/llama3.2"),
        ]);
        let names: Vec<_> = options.providers.keys().map(String::as_str).collect();
        assert_eq!(names, ["google", "openai"], "a blank key is none");
        assert_eq!(options.default_model.as_deref(), Some("ollama/llama3.2"));
        assert!(options.proxy.is_some());
        let shown = format!("{options:?}");
        assert!(shown.contains("http://127.0.0.1:9") && !shown.contains("canary"), "{shown}");
    }

    #[test]
    fn ollama_host_is_read_as_ollama_reads_it() {
        for (host, expected) in [
            ("0.0.0.0", "http://127.0.0.1:11434"),
            ("box", "http://box:11434"),
            ("box:1234", "http://box:1234"),
            (":1234", "http://127.0.0.1:1234"),
            ("[::1]:1234", "http://[::1]:1234"),
            ("[::1]", "http://[::1]:11434"),
            ("http://box", "http://box:80"),
            ("https://box/ollama/", "https://box:443/ollama"),
        ] {
            let options = read(&[("OLLAMA_HOST", host)]);
            assert_eq!(options.providers["ollama"].base_url.as_deref(), Some(expected), "{host}");
        }
    }
}
