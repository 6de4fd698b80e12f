//! The table of providers: an address with credentials, the dialect it speaks, and
//! where it departs from that. A new vendor is a new row.

use crate::dialect::Dialect;

/// One known provider.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The name in `provider/model`.
    pub name: &'static str,
    /// Further names for it, such as LangChain's.
    pub aliases: &'static [&'static str],
    /// The name for people.
    pub title: &'static str,
    /// The interface it speaks, unless the address says another.
    pub dialect: Dialect,
    /// How it wants its key.
    pub auth: Auth,
    /// How its addresses are made.
    pub addressing: Addressing,
    /// Whether it has OpenAI's Responses beside Chat Completions.
    pub responses: bool,
    /// The usual address; none where there is no usual one.
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

/// The header that carries a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `authorization: Bearer KEY`.
    Bearer,
    /// `x-api-key: KEY`, Anthropic's.
    XApiKey,
    /// `x-goog-api-key: KEY`; an access token of Google's goes as a bearer token.
    Google,
    /// `api-key: KEY`, Azure's.
    ApiKey,
}

/// How the address of a call is made from the base address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// The dialect's path follows the base address.
    Plain,
    /// Azure: the model is a deployment in the path, the version of the interface in the query.
    Azure,
}

impl Auth {
    /// Name and value of the header.
    pub(crate) fn header(self, key: &str) -> (&'static str, String) {
        match self {
            Auth::XApiKey => ("x-api-key", key.into()),
            Auth::ApiKey => ("api-key", key.into()),
            // Access tokens of Google's begin so; its keys do not.
            Auth::Google if !key.starts_with("ya29.") => ("x-goog-api-key", key.into()),
            Auth::Google | Auth::Bearer => ("authorization", format!("Bearer {key}")),
        }
    }

    /// The header of a dialect, at a provider of which nothing else is known.
    pub(crate) fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Anthropic => Auth::XApiKey,
            Dialect::Gemini => Auth::Google,
            Dialect::Chat | Dialect::Responses | Dialect::Ollama => Auth::Bearer,
        }
    }
}

/// How a provider departs from OpenAI's Chat Completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// Whether `stream_options.include_usage` may be sent.
    pub stream_options: bool,
    /// How structured output is asked for.
    pub output: OutputSupport,
    /// Whether and how it wants reasoning back.
    pub reasoning: ReasoningBack,
    /// How an effort of reasoning is asked for.
    pub effort: Effort,
    /// Whether it can be said which tool to call; if not, the model always decides.
    pub tool_choice: bool,
    /// Whether `max_completion_tokens` is understood.
    pub max_completion_tokens: bool,
    /// Whether ids of calls must be nine letters and digits.
    pub short_call_ids: bool,
}

/// How a provider takes the reasoning of earlier answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasoningBack {
    /// Not at all.
    No,
    /// In this member of each message of the model.
    Always(&'static str),
    /// In this member, of answers since the user last spoke.
    SinceUser(&'static str),
    /// In `reasoning_details`, as it came.
    Details,
}

/// How a provider is told how long to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// `reasoning_effort: "low"`.
    Word,
    /// `reasoning: {"effort": "low"}`.
    Object,
    /// `thinking: {"type": "enabled"}` beside the word.
    Thinking,
    /// `enable_thinking: true`.
    Switch,
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
    reasoning: ReasoningBack::No,
    effort: Effort::Word,
    tool_choice: true,
    max_completion_tokens: false,
    short_call_ids: false,
};

/// An OpenAI-compatible address of which nothing else is known.
pub(crate) const UNKNOWN: Quirks = PLAIN;

/// A row to start from: OpenAI's dialect, a key that is needed, no departures.
const COMPATIBLE: Known = Known {
    name: "",
    aliases: &[],
    title: "",
    dialect: Dialect::Chat,
    auth: Auth::Bearer,
    addressing: Addressing::Plain,
    responses: false,
    base_url: None,
    key_variables: &[],
    key_optional: false,
    url_variables: &[],
    quirks: PLAIN,
    prefixes: &[],
};

/// All known providers.
pub const TABLE: &[Known] = &[
    Known {
        name: "openai",
        title: "OpenAI",
        responses: true,
        base_url: Some("https://api.openai.com/v1"),
        key_variables: &["OPENAI_API_KEY"],
        url_variables: &["OPENAI_BASE_URL", "OPENAI_API_BASE"],
        quirks: Quirks { max_completion_tokens: true, ..PLAIN },
        prefixes: &["gpt-", "chatgpt-", "o1", "o3", "o4"],
        ..COMPATIBLE
    },
    Known {
        name: "anthropic",
        aliases: &["claude"],
        title: "Anthropic",
        dialect: Dialect::Anthropic,
        auth: Auth::XApiKey,
        base_url: Some("https://api.anthropic.com"),
        key_variables: &["ANTHROPIC_API_KEY"],
        url_variables: &["ANTHROPIC_BASE_URL"],
        prefixes: &["claude"],
        ..COMPATIBLE
    },
    Known {
        name: "google",
        aliases: &["gemini", "google_genai", "google-genai"],
        title: "Google",
        dialect: Dialect::Gemini,
        auth: Auth::Google,
        base_url: Some("https://generativelanguage.googleapis.com/v1beta"),
        key_variables: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        url_variables: &["GEMINI_BASE_URL", "GOOGLE_BASE_URL"],
        prefixes: &["gemini"],
        ..COMPATIBLE
    },
    Known {
        name: "zhipu",
        aliases: &["zai", "glm", "zhipuai"],
        title: "Zhipu AI",
        base_url: Some("https://open.bigmodel.cn/api/paas/v4"),
        key_variables: &["ZHIPU_API_KEY", "ZHIPUAI_API_KEY", "ZAI_API_KEY"],
        url_variables: &["ZHIPU_BASE_URL", "ZAI_BASE_URL"],
        quirks: Quirks {
            stream_options: false,
            output: OutputSupport::Object,
            reasoning: ReasoningBack::Always("reasoning_content"),
            effort: Effort::Thinking,
            tool_choice: false,
            ..PLAIN
        },
        prefixes: &["glm-"],
        ..COMPATIBLE
    },
    Known {
        name: "deepseek",
        title: "DeepSeek",
        base_url: Some("https://api.deepseek.com/v1"),
        key_variables: &["DEEPSEEK_API_KEY"],
        url_variables: &["DEEPSEEK_BASE_URL"],
        // Its thinking must go on through the calls of one question.
        quirks: Quirks {
            output: OutputSupport::Object,
            reasoning: ReasoningBack::SinceUser("reasoning_content"),
            effort: Effort::Thinking,
            ..PLAIN
        },
        prefixes: &["deepseek-chat", "deepseek-reasoner", "deepseek-v"],
        ..COMPATIBLE
    },
    Known {
        name: "qwen",
        aliases: &["dashscope", "alibaba"],
        title: "Qwen (DashScope)",
        base_url: Some("https://dashscope.aliyuncs.com/compatible-mode/v1"),
        key_variables: &["DASHSCOPE_API_KEY", "QWEN_API_KEY"],
        url_variables: &["DASHSCOPE_BASE_URL", "QWEN_BASE_URL"],
        quirks: Quirks { output: OutputSupport::Object, effort: Effort::Switch, ..PLAIN },
        prefixes: &["qwen-max", "qwen-plus", "qwen-turbo", "qwen-flash", "qwen3-max"],
        ..COMPATIBLE
    },
    Known {
        name: "mistral",
        aliases: &["mistralai"],
        title: "Mistral",
        base_url: Some("https://api.mistral.ai/v1"),
        key_variables: &["MISTRAL_API_KEY"],
        url_variables: &["MISTRAL_BASE_URL"],
        quirks: Quirks { stream_options: false, short_call_ids: true, ..PLAIN },
        prefixes: &["mistral-large", "mistral-medium", "mistral-small", "codestral", "magistral"],
        ..COMPATIBLE
    },
    Known {
        name: "groq",
        title: "Groq",
        base_url: Some("https://api.groq.com/openai/v1"),
        key_variables: &["GROQ_API_KEY"],
        url_variables: &["GROQ_BASE_URL"],
        ..COMPATIBLE
    },
    Known {
        name: "openrouter",
        title: "OpenRouter",
        base_url: Some("https://openrouter.ai/api/v1"),
        key_variables: &["OPENROUTER_API_KEY"],
        url_variables: &["OPENROUTER_BASE_URL"],
        quirks: Quirks { reasoning: ReasoningBack::Details, effort: Effort::Object, ..PLAIN },
        ..COMPATIBLE
    },
    Known {
        name: "ollama",
        title: "Ollama",
        dialect: Dialect::Ollama,
        base_url: Some("http://127.0.0.1:11434"),
        key_variables: &["OLLAMA_API_KEY"],
        key_optional: true,
        url_variables: &["OLLAMA_BASE_URL"],
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
        ..COMPATIBLE
    },
    Known {
        name: "vllm",
        title: "vLLM",
        base_url: Some("http://127.0.0.1:8000/v1"),
        key_variables: &["VLLM_API_KEY"],
        key_optional: true,
        url_variables: &["VLLM_BASE_URL"],
        ..COMPATIBLE
    },
    Known {
        name: "llamacpp",
        aliases: &["llama.cpp", "llama-cpp"],
        title: "llama.cpp",
        base_url: Some("http://127.0.0.1:8080/v1"),
        key_variables: &["LLAMACPP_API_KEY"],
        key_optional: true,
        url_variables: &["LLAMACPP_BASE_URL"],
        ..COMPATIBLE
    },
    Known {
        name: "azure",
        aliases: &["azure_openai", "azure-openai"],
        title: "Azure OpenAI",
        auth: Auth::ApiKey,
        addressing: Addressing::Azure,
        key_variables: &["AZURE_OPENAI_API_KEY"],
        url_variables: &["AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_BASE_URL"],
        quirks: Quirks { max_completion_tokens: true, ..PLAIN },
        ..COMPATIBLE
    },
    Known {
        name: "vertex",
        aliases: &["google_vertexai", "vertexai", "vertex-ai", "gemini-vertex"],
        title: "Vertex AI",
        dialect: Dialect::Gemini,
        auth: Auth::Google,
        key_variables: &["VERTEX_ACCESS_TOKEN", "VERTEX_API_KEY"],
        url_variables: &["VERTEX_BASE_URL"],
        ..COMPATIBLE
    },
    Known {
        name: "xai",
        title: "xAI",
        base_url: Some("https://api.x.ai/v1"),
        key_variables: &["XAI_API_KEY"],
        url_variables: &["XAI_BASE_URL"],
        prefixes: &["grok"],
        ..COMPATIBLE
    },
    Known {
        name: "moonshot",
        aliases: &["kimi"],
        title: "Moonshot AI",
        base_url: Some("https://api.moonshot.ai/v1"),
        key_variables: &["MOONSHOT_API_KEY"],
        url_variables: &["MOONSHOT_BASE_URL"],
        prefixes: &["kimi-", "moonshot-"],
        ..COMPATIBLE
    },
    Known {
        name: "together",
        aliases: &["togetherai"],
        title: "Together AI",
        base_url: Some("https://api.together.xyz/v1"),
        key_variables: &["TOGETHER_API_KEY"],
        url_variables: &["TOGETHER_BASE_URL"],
        ..COMPATIBLE
    },
    Known {
        name: "fireworks",
        aliases: &["fireworks_ai"],
        title: "Fireworks AI",
        base_url: Some("https://api.fireworks.ai/inference/v1"),
        key_variables: &["FIREWORKS_API_KEY"],
        url_variables: &["FIREWORKS_BASE_URL"],
        ..COMPATIBLE
    },
    Known {
        name: "cerebras",
        title: "Cerebras",
        base_url: Some("https://api.cerebras.ai/v1"),
        key_variables: &["CEREBRAS_API_KEY"],
        url_variables: &["CEREBRAS_BASE_URL"],
        ..COMPATIBLE
    },
    Known {
        name: "siliconflow",
        title: "SiliconFlow",
        base_url: Some("https://api.siliconflow.cn/v1"),
        key_variables: &["SILICONFLOW_API_KEY"],
        url_variables: &["SILICONFLOW_BASE_URL"],
        ..COMPATIBLE
    },
    Known {
        name: "jina",
        title: "Jina AI",
        base_url: Some("https://api.jina.ai/v1"),
        key_variables: &["JINA_API_KEY"],
        url_variables: &["JINA_BASE_URL"],
        prefixes: &["jina-"],
        ..COMPATIBLE
    },
    Known {
        name: "voyage",
        aliases: &["voyageai"],
        title: "Voyage AI",
        base_url: Some("https://api.voyageai.com/v1"),
        key_variables: &["VOYAGE_API_KEY"],
        url_variables: &["VOYAGE_BASE_URL"],
        prefixes: &["voyage-", "rerank-"],
        ..COMPATIBLE
    },
    Known {
        name: "lmstudio",
        aliases: &["lm-studio"],
        title: "LM Studio",
        base_url: Some("http://127.0.0.1:1234/v1"),
        key_variables: &["LMSTUDIO_API_KEY"],
        key_optional: true,
        url_variables: &["LMSTUDIO_BASE_URL"],
        ..COMPATIBLE
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

/// The base address of Google's models at Vertex AI.
pub(crate) fn vertex_url(project: &str, location: &str) -> String {
    let host = match location {
        "global" => "aiplatform.googleapis.com".to_string(),
        location => format!("{location}-aiplatform.googleapis.com"),
    };
    format!("https://{host}/v1/projects/{project}/locations/{location}/publishers/google")
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
    format!("{scheme}://{name}:{port}{path}")
}
