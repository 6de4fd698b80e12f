//! Model names, and what a model can do.

use std::sync::Arc;

use crate::dialect::Dialect;
use crate::error::Error;
use crate::options::{Options, ProviderOptions};
use crate::provider::{self, Addressing, Auth, Known, Quirks};

/// A model that a name was resolved to. Cheap to clone: a call hands it on many times.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelRef(Arc<Model>);

/// What is known of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The provider's name: `openai`, `scripted`, or the host of a plain address.
    pub provider: String,
    /// The provider's name for people.
    pub title: String,
    /// The model as the provider names it; of the scripted model, the path of its script.
    pub model: String,
    /// The name that the caller asked for.
    pub requested: String,
    /// Base address; empty for the scripted model.
    pub base_url: String,
    /// Answers come from a script, not from a model.
    pub offline: bool,
    /// How it is spoken to.
    pub dialect: Dialect,
    /// Whether it may be spoken to in Responses instead of Chat Completions.
    pub(crate) offers_responses: bool,
    pub(crate) auth: Auth,
    pub(crate) addressing: Addressing,
    pub(crate) api_version: Option<String>,
    pub(crate) quirks: Quirks,
    /// The variable that would hold the key.
    pub(crate) key_variable: &'static str,
}

/// Azure's version of the interface when none is configured: the last that is
/// generally available with dated versions.
const AZURE_VERSION: &str = "2024-10-21";

impl std::ops::Deref for ModelRef {
    type Target = Model;

    fn deref(&self) -> &Model {
        &self.0
    }
}

impl From<Model> for ModelRef {
    fn from(model: Model) -> Self {
        ModelRef(Arc::new(model))
    }
}

impl ModelRef {
    /// The same model, spoken to in the dialect that a caller asks for, where its
    /// provider has that one too.
    pub(crate) fn speaking(mut self, wish: Option<Dialect>) -> Self {
        if let (true, Some(wish @ (Dialect::Chat | Dialect::Responses))) =
            (self.offers_responses, wish)
            && !Profile::of(&self.model).responses_only
            && self.dialect != wish
        {
            Arc::make_mut(&mut self.0).dialect = wish;
        }
        self
    }

    /// The address of a call, from the dialect's path with its query.
    pub(crate) fn url(&self, path: &str) -> String {
        let base = &self.base_url;
        if self.addressing == Addressing::Plain || base.ends_with("/v1") {
            return format!("{base}{path}");
        }
        let root = base.strip_suffix("/openai").unwrap_or(base);
        let version = self.api_version.as_deref().unwrap_or(AZURE_VERSION);
        match (root.contains("/deployments/"), path) {
            (true, _) => format!("{root}{path}?api-version={version}"),
            (false, "/models") => format!("{root}/openai{path}?api-version={version}"),
            (false, _) => {
                let deployment = encoded(&self.model);
                format!("{root}/openai/deployments/{deployment}{path}?api-version={version}")
            }
        }
    }
}

/// A name for a path: slashes stay, what would end the path does not.
pub(crate) fn encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'~' | b'/' | b'@' => {
                out.push(byte as char);
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

impl std::fmt::Display for ModelRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.offline, self.model.as_str()) {
            (true, "") => f.write_str(SCRIPTED),
            (true, path) => write!(f, "{SCRIPTED}:{path}"),
            (false, model) => write!(f, "{}/{model}", self.provider),
        }
    }
}

/// What a model takes, beyond what its provider takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    /// It reasons before it answers: no sampling settings, no stop texts, and its
    /// limit counts the reasoning.
    pub reasoning: bool,
    /// It answers in Responses only.
    pub responses_only: bool,
}

impl Profile {
    /// By the name; OpenAI's reasoning models are the ones that reject settings
    /// which others take.
    pub fn of(model: &str) -> Self {
        let bare = model.rsplit('/').next().unwrap_or(model);
        let o_series = ["o1", "o3", "o4"]
            .iter()
            .any(|start| bare == *start || bare.starts_with(&format!("{start}-")));
        let gpt5 = ["gpt-5", "gpt-6"].iter().any(|start| bare.starts_with(start))
            && !bare.contains("-chat");
        let pro = bare.contains("-pro") || bare.contains("-codex");
        let research = bare.contains("deep-research") || bare.starts_with("computer-use");
        let responses_only = ((o_series || gpt5) && pro) || research || bare.starts_with("codex-");
        Profile { reasoning: o_series || gpt5, responses_only }
    }
}

/// The provider name of the offline model.
pub(crate) const SCRIPTED: &str = "scripted";

/// Reads a name. Forms, in the order they are tried:
///
/// | form | meaning |
/// |---|---|
/// | `scripted`, `scripted:PATH` | the offline model, with a script |
/// | `http://host:port/v1#model` | that model at that OpenAI-compatible address |
/// | `provider/model`, `provider:model` | a model of a known or configured provider |
/// | `claude`, `gpt-4o`, `gemini-…`, `llama3.2` … | the provider is known by how the name begins |
pub(crate) fn resolve(name: &str, options: &Options) -> Result<ModelRef, Error> {
    let name = name.trim();
    if name == SCRIPTED {
        let script = options.script.as_ref().map(|path| path.display().to_string());
        return Ok(scripted(name, script.unwrap_or_default()));
    }
    if let Some(path) = name.strip_prefix("scripted:") {
        return Ok(scripted(name, path.into()));
    }
    let address = name.strip_prefix("url=").unwrap_or(name);
    if address.starts_with("http://") || address.starts_with("https://") {
        return at_address(name, address);
    }
    match split_provider(name, options) {
        Some((provider, model)) => of_provider(name, &provider, model, options),
        None => bare(name, options),
    }
}

fn scripted(requested: &str, path: String) -> ModelRef {
    ModelRef::from(Model {
        provider: SCRIPTED.into(),
        title: "The scripted offline model".into(),
        model: path,
        requested: requested.into(),
        base_url: String::new(),
        offline: true,
        dialect: Dialect::Chat,
        offers_responses: false,
        auth: Auth::Bearer,
        addressing: Addressing::Plain,
        api_version: None,
        quirks: provider::UNKNOWN,
        key_variable: "",
    })
}

fn at_address(requested: &str, address: &str) -> Result<ModelRef, Error> {
    let (base, model) = address.split_once('#').unwrap_or((address, ""));
    if model.is_empty() {
        return Err(Error::UnknownModel {
            message: format!(
                "`{requested}` does not say which model: write the address, `#` and the model, as in `{base}#llama3.2`."
            ),
        });
    }
    let host = base.split("://").nth(1).unwrap_or_default();
    let host = host.split(['/', '?']).next().unwrap_or_default();
    if host.contains('@') {
        // The name of a model is shown, logged and stored.
        return Err(Error::UnknownModel {
            message: "An address with a password is refused as the name of a model: configure a provider with that address and its key instead.".into(),
        });
    }
    Ok(ModelRef::from(Model {
        provider: host.into(),
        title: host.into(),
        model: model.into(),
        requested: requested.into(),
        base_url: Dialect::Chat.base_url(base),
        offline: false,
        dialect: Dialect::Chat,
        offers_responses: false,
        auth: Auth::Bearer,
        addressing: Addressing::Plain,
        api_version: None,
        quirks: provider::UNKNOWN,
        key_variable: "",
    }))
}

/// Splits `provider/model` or `provider:model` where the first part is a provider;
/// `llama3.2:1b` is a bare name with a tag.
fn split_provider<'a>(name: &'a str, options: &Options) -> Option<(String, &'a str)> {
    ['/', ':'].iter().find_map(|separator| {
        let (head, model) = name.split_once(*separator)?;
        let head = head.to_lowercase();
        let is_provider = provider::known(&head).is_some() || options.providers.contains_key(&head);
        is_provider.then_some((head, model))
    })
}

fn of_provider(
    requested: &str,
    name: &str,
    model: &str,
    options: &Options,
) -> Result<ModelRef, Error> {
    if model.is_empty() {
        return Err(Error::UnknownModel {
            message: format!("`{requested}` names a provider and no model: write `{name}/MODEL`."),
        });
    }
    let row = provider::known(name);
    let key = row.map_or(name, |row| row.name);
    let settings = options.providers.get(key).or_else(|| options.providers.get(name));
    let base_url = settings
        .and_then(|settings| settings.base_url.clone())
        .or_else(|| row?.base_url.map(str::to_string))
        .ok_or_else(|| Error::UnknownModel {
            message: format!("The provider `{name}` has no address: set its `base_url`."),
        })?;
    let has_key = settings.is_some_and(|settings| settings.keys().next().is_some());
    let own_address = settings.is_some_and(|settings| settings.base_url.is_some());
    let title = row.map_or(name, |row| row.title);
    let key_variable = row.and_then(|row| row.key_variables.first()).copied().unwrap_or("");
    // At an address of the user's own, a proxy say, a key may not be needed: let it answer.
    let needs_key = row.is_some_and(|row| !row.key_optional) && !own_address;
    if needs_key && !has_key {
        return Err(Error::MissingKey {
            model: requested.into(),
            provider: title.into(),
            variable: key_variable.into(),
        });
    }
    let dialect = dialect_of(row, settings, &base_url);
    let usual = row.map_or(Dialect::Chat, |row| row.dialect);
    let offers_responses = row.is_some_and(|row| row.responses) || dialect == Dialect::Responses;
    let profile = Profile::of(model);
    let model = Model {
        provider: key.into(),
        title: title.into(),
        model: model.into(),
        requested: requested.into(),
        base_url: match row.map_or(Addressing::Plain, |row| row.addressing) {
            Addressing::Plain => dialect.base_url(&base_url),
            Addressing::Azure => base_url.trim_end_matches('/').into(),
        },
        offline: false,
        dialect,
        offers_responses,
        auth: match row {
            Some(row) if dialect == usual => row.auth,
            _ => Auth::of(dialect),
        },
        addressing: row.map_or(Addressing::Plain, |row| row.addressing),
        api_version: settings.and_then(|settings| settings.api_version.clone()),
        quirks: row.map_or(provider::UNKNOWN, |row| row.quirks),
        key_variable,
    };
    // Reasoning is passed back only in Responses. Many proxies have Chat Completions
    // alone, so at an address of the user's own that one is taken.
    let better = profile.responses_only || (profile.reasoning && !own_address);
    Ok(ModelRef::from(match better && offers_responses && dialect == Dialect::Chat {
        true => Model { dialect: Dialect::Responses, ..model },
        false => model,
    }))
}

/// The dialect of a provider at an address: what is configured, or the usual one,
/// unless the address ends as that of a compatible interface does.
fn dialect_of(row: Option<&Known>, settings: Option<&ProviderOptions>, base_url: &str) -> Dialect {
    if let Some(dialect) = settings.and_then(|settings| settings.dialect) {
        return dialect;
    }
    let base_url = base_url.trim_end_matches('/');
    match row.map_or(Dialect::Chat, |row| row.dialect) {
        Dialect::Gemini if base_url.ends_with("/openai") => Dialect::Chat,
        Dialect::Ollama if base_url.ends_with("/v1") => Dialect::Chat,
        dialect => dialect,
    }
}

fn bare(name: &str, options: &Options) -> Result<ModelRef, Error> {
    let name_lower = name.to_lowercase();
    if let Some((_, model)) = FAMILIES.iter().find(|(family, _)| *family == name_lower) {
        let (provider, model) = model.split_once('/').expect("families name a provider");
        return of_provider(name, provider, model, options);
    }
    match provider::by_prefix(&name_lower) {
        Some(row) => of_provider(name, row.name, name, options),
        None => Err(Error::UnknownModel { message: unknown(name, options) }),
    }
}

/// Names of families, for people who write `model="claude"`.
const FAMILIES: &[(&str, &str)] = &[
    ("claude", "anthropic/claude-sonnet-4-5"),
    ("gpt", "openai/gpt-4o"),
    ("gemini", "google/gemini-2.5-flash"),
    ("glm", "zhipu/glm-4.6"),
    ("llama", "ollama/llama3.2"),
];

fn unknown(name: &str, options: &Options) -> String {
    if name.is_empty() {
        return "No model is named: pass `--model provider/model`, or `--model scripted` to run offline."
            .into();
    }
    let head = name.split(['/', ':']).next().unwrap_or(name).to_lowercase();
    let names = provider::TABLE
        .iter()
        .flat_map(|row: &Known| std::iter::once(row.name).chain(row.aliases.iter().copied()))
        .chain(options.providers.keys().map(String::as_str))
        .chain([SCRIPTED]);
    let near = crate::near::nearest(&head, names);
    let hint = match near {
        Some(near) => format!(" Did you mean `{near}`?"),
        None => String::new(),
    };
    format!(
        "`{name}` is no model that can be found.{hint} Write `provider/model` (openai, anthropic, google, zhipu, ollama …), an address with `#model`, or `scripted`."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options::from_vars(|name| name.ends_with("_API_KEY").then(|| "k".into()))
    }

    #[test]
    fn every_form_of_a_name() {
        for (name, expected) in [
            ("openai/gpt-4o", "openai/gpt-4o"),
            ("openai:gpt-4o", "openai/gpt-4o"),
            ("google_genai:gemini-2.5-pro", "google/gemini-2.5-pro"),
            ("claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
            ("gpt-4o-mini", "openai/gpt-4o-mini"),
            ("o3", "openai/o3"),
            ("glm-4.6", "zhipu/glm-4.6"),
            ("llama3.2:1b", "ollama/llama3.2:1b"),
            ("qwen3:8b", "ollama/qwen3:8b"),
            ("qwen-plus", "qwen/qwen-plus"),
            ("mistral-large-latest", "mistral/mistral-large-latest"),
            ("openrouter/meta-llama/llama-3-8b", "openrouter/meta-llama/llama-3-8b"),
            ("http://127.0.0.1:8000/v1#my/model", "127.0.0.1:8000/my/model"),
            ("url=http://host:8000/v1#m", "host:8000/m"),
            ("scripted", "scripted"),
            ("scripted:demo.yaml", "scripted:demo.yaml"),
        ] {
            assert_eq!(resolve(name, &options()).unwrap().to_string(), expected, "{name}");
        }
        assert!(resolve("claude", &options()).unwrap().model.starts_with("claude-"));
    }

    #[test]
    fn a_missing_key_names_its_variable_and_the_way_out() {
        let error = resolve("claude", &Options::default()).unwrap_err().to_string();
        assert!(
            error.contains("ANTHROPIC_API_KEY") && error.contains("--model scripted"),
            "{error}"
        );
        assert!(resolve("ollama/llama3.2", &Options::default()).is_ok());
    }

    #[test]
    fn unknown_names_get_near_ones() {
        let error = resolve("opnai/gpt-4o", &options()).unwrap_err().to_string();
        assert!(error.contains("Did you mean `openai`?"), "{error}");
        let error = resolve("http://127.0.0.1/v1", &options()).unwrap_err().to_string();
        assert!(error.contains("#llama3.2"), "{error}");
        let error = resolve("http://u:canary@host/v1#m", &options()).unwrap_err().to_string();
        assert!(error.contains("password") && !error.contains("canary"), "{error}");
        assert!(resolve("openai/", &options()).unwrap_err().to_string().contains("no model"));
    }

    #[test]
    fn reasoning_models_are_known_by_name() {
        for name in ["o1", "o3-mini", "gpt-5", "gpt-5-mini", "openai/o4-mini"] {
            assert!(Profile::of(name).reasoning, "{name}");
        }
        for name in ["gpt-4o", "gpt-5-chat-latest", "o365-chat", "llama3.2"] {
            assert!(!Profile::of(name).reasoning, "{name}");
        }
    }
}
