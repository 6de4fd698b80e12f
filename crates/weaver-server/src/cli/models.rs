//! The commands that ask models.

use clap::Args;

/// Examples of `agentweaver models`.
pub const MODELS: &str = "\
Examples:
  agentweaver models                               every provider; models of those that answer
  agentweaver models openrouter                    all models of one
  agentweaver models --json | jq '.[].models[].name'

Prices are in US dollars for a million tokens.";

/// Examples of `agentweaver chat`.
pub const CHAT: &str = "\
Examples:
  agentweaver chat --model anthropic/claude-sonnet-4-5
  agentweaver chat --model ollama/llama3.2 --system 'Answer in one sentence.'
  echo 'What is a superstep?' | agentweaver chat --model scripted

In the chat: /new forgets what was said, /exit ends, Ctrl-C stops an answer.";

/// `agentweaver models`
#[derive(Debug, Args)]
pub struct ModelsArgs {
    /// Only this provider, with all of its models
    pub provider: Option<String>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// `agentweaver chat`
#[derive(Debug, Args)]
pub struct ChatArgs {
    /// The model: provider/model, an address with #model, or scripted
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Instructions that stand before the conversation
    #[arg(long, value_name = "TEXT")]
    pub system: Option<String>,
}
