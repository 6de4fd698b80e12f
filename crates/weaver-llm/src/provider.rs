//! The table of providers: an address with credentials, and how far it goes
//! along with the OpenAI dialect. A new vendor is a new row.

/// One known provider.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The name in `provider/model`.
    pub name: &'static str,
    /// Further names for it, such as LangChain's.
    pub aliases: &'static [&'static str],
    /// The name for people.
    pub title: &'static str,
    /// The usual address of its OpenAI-compatible interface; none where there is no usual one.
    pub base_url: Option<&'static str>,
    /// Variables that may hold the key, the usual one first; none where no key is needed.
    pub key_variables: &'static [&'static str],
    /// Whether it answers without a key.
    pub key_optional: bool,
    /// Variables that may hold another address.
    pub url_variables: &'static [&'static str],
    /// Where it departs from the dialect.
    pub quirks: Quirks,
    /// Starts of model names that mean this provider when none is named.
    pub prefixes: &'static [&'static str],
}

/// How a provider departs from OpenAI's Chat Completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// Whether `stream_options.include_usage` may be sent.
    pub stream_options: bool,
    /// How structured output is asked for.
    pub output: OutputSupport,
    /// The member that carries reasoning back to it, where it wants that.
    pub reasoning_member: Option<&'static str>,
    /// Whether `max_completion_tokens` is understood.
    pub max_completion_tokens: bool,
}

/// How a provider takes a schema for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputSupport {
    /// `response_format` of type `json_schema`.
    Schema,
    /// `response_format` of type `json_object`, the schema in the instructions.
    Object,
    /// The schema in the instructions only.
    Instructions,
}

const PLAIN: Quirks = Quirks {
    stream_options: true,
    output: OutputSupport::Schema,
    reasoning_member: None,
    max_completion_tokens: false,
};

/// An OpenAI-compatible address of which nothing else is known.
pub(crate) const UNKNOWN: Quirks = PLAIN;

/// All known providers.
pub const TABLE: &[Known] = &[
    Known {
        name: "openai",
        aliases: &[],
        title: "OpenAI",
        base_url: Some("https://api.openai.com/v1"),
        key_variables: &["OPENAI_API_KEY"],
        key_optional: false,
        url_variables: &["OPENAI_BASE_URL", "OPENAI_API_BASE"],
        quirks: Quirks { max_completion_tokens: true, ..PLAIN },
        prefixes: &["gpt-", "chatgpt-", "o1", "o3", "o4"],
    },
    Known {
        name: "anthropic",
        aliases: &["claude"],
        title: "Anthropic",
        base_url: Some("https://api.anthropic.com/v1"),
        key_variables: &["ANTHROPIC_API_KEY"],
        key_optional: false,
        url_variables: &["ANTHROPIC_BASE_URL"],
        quirks: Quirks { output: OutputSupport::Instructions, ..PLAIN },
        prefixes: &["claude"],
    },
    Known {
        name: "google",
        aliases: &["gemini", "google_genai", "google-genai"],
        title: "Google",
        base_url: Some("https://generativelanguage.googleapis.com/v1beta/openai"),
        key_variables: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        key_optional: false,
        url_variables: &["GEMINI_BASE_URL", "GOOGLE_BASE_URL"],
        quirks: PLAIN,
        prefixes: &["gemini"],
    },
    Known {
        name: "zhipu",
        aliases: &["zai", "glm", "zhipuai"],
        title: "Zhipu AI",
        base_url: Some("https://open.bigmodel.cn/api/paas/v4"),
        key_variables: &["ZHIPU_API_KEY", "ZHIPUAI_API_KEY", "ZAI_API_KEY"],
        key_optional: false,
        url_variables: &["ZHIPU_BASE_URL", "ZAI_BASE_URL"],
        quirks: Quirks {
            stream_options: false,
            output: OutputSupport::Object,
            reasoning_member: Some("reasoning_content"),
            max_completion_tokens: false,
        },
        prefixes: &["glm-"],
    },
    Known {
        name: "deepseek",
        aliases: &[],
        title: "DeepSeek",
        base_url: Some("https://api.deepseek.com/v1"),
        key_variables: &["DEEPSEEK_API_KEY"],
        key_optional: false,
        url_variables: &["DEEPSEEK_BASE_URL"],
        quirks: Quirks { output: OutputSupport::Object, ..PLAIN },
        prefixes: &["deepseek-chat", "deepseek-reasoner"],
    },
    Known {
        name: "qwen",
        aliases: &["dashscope", "alibaba"],
        title: "Qwen (DashScope)",
        base_url: Some("https://dashscope.aliyuncs.com/compatible-mode/v1"),
        key_variables: &["DASHSCOPE_API_KEY", "QWEN_API_KEY"],
        key_optional: false,
        url_variables: &["DASHSCOPE_BASE_URL", "QWEN_BASE_URL"],
        quirks: Quirks { output: OutputSupport::Object, ..PLAIN },
        prefixes: &["qwen-max", "qwen-plus", "qwen-turbo", "qwen-flash", "qwen3-max"],
    },
    Known {
        name: "mistral",
        aliases: &["mistralai"],
        title: "Mistral",
        base_url: Some("https://api.mistral.ai/v1"),
        key_variables: &["MISTRAL_API_KEY"],
        key_optional: false,
        url_variables: &["MISTRAL_BASE_URL"],
        quirks: Quirks { stream_options: false, ..PLAIN },
        prefixes: &["mistral-large", "mistral-medium", "mistral-small", "codestral", "magistral"],
    },
    Known {
        name: "groq",
        aliases: &[],
        title: "Groq",
        base_url: Some("https://api.groq.com/openai/v1"),
        key_variables: &["GROQ_API_KEY"],
        key_optional: false,
        url_variables: &["GROQ_BASE_URL"],
        quirks: PLAIN,
        prefixes: &[],
    },
    Known {
        name: "openrouter",
        aliases: &[],
        title: "OpenRouter",
        base_url: Some("https://openrouter.ai/api/v1"),
        key_variables: &["OPENROUTER_API_KEY"],
        key_optional: false,
        url_variables: &["OPENROUTER_BASE_URL"],
        quirks: PLAIN,
        prefixes: &[],
    },
    Known {
        name: "ollama",
        aliases: &[],
        title: "Ollama",
        base_url: Some("http://127.0.0.1:11434/v1"),
        key_variables: &["OLLAMA_API_KEY"],
        key_optional: true,
        url_variables: &["OLLAMA_BASE_URL"],
        quirks: PLAIN,
        prefixes: &[
            "llama",
            "qwen",
            "gemma",
            "phi",
            "mistral",
            "mixtral",
            "deepseek-r1",
            "gpt-oss",
        ],
    },
    Known {
        name: "vllm",
        aliases: &[],
        title: "vLLM",
        base_url: Some("http://127.0.0.1:8000/v1"),
        key_variables: &["VLLM_API_KEY"],
        key_optional: true,
        url_variables: &["VLLM_BASE_URL"],
        quirks: PLAIN,
        prefixes: &[],
    },
    Known {
        name: "llamacpp",
        aliases: &["llama.cpp", "llama-cpp"],
        title: "llama.cpp",
        base_url: Some("http://127.0.0.1:8080/v1"),
        key_variables: &["LLAMACPP_API_KEY"],
        key_optional: true,
        url_variables: &["LLAMACPP_BASE_URL"],
        quirks: PLAIN,
        prefixes: &[],
    },
];

/// The row of a provider name or alias.
pub fn known(name: &str) -> Option<&'static Known> {
    TABLE.iter().find(|row| row.name == name || row.aliases.contains(&name))
}

/// The row whose prefix fits a bare model name best (the longest wins).
pub(crate) fn by_prefix(model: &str) -> Option<&'static Known> {
    TABLE
        .iter()
        .flat_map(|row| row.prefixes.iter().map(move |prefix| (row, *prefix)))
        .filter(|(_, prefix)| model.starts_with(prefix))
        .max_by_key(|(_, prefix)| prefix.len())
        .map(|(row, _)| row)
}

/// `OLLAMA_HOST` as Ollama reads it (`host`, `host:port`, `:port` or an address) to a base address.
pub(crate) fn ollama_url(host: &str) -> String {
    let host = host.trim().trim_end_matches('/');
    let (scheme, rest) = host.split_once("://").unwrap_or(("http", host));
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(a, p)| (a, p));
    let default_port = match (host.contains("://"), scheme) {
        (true, "https") => "443",
        (true, _) => "80",
        (false, _) => "11434",
    };
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port),
        _ => (authority, default_port),
    };
    // A server may listen on every address; a client has to pick one.
    let name = if matches!(name, "" | "0.0.0.0") { "127.0.0.1" } else { name };
    let path = if path.is_empty() { String::new() } else { format!("/{path}") };
    format!("{scheme}://{name}:{port}{path}/v1")
}
