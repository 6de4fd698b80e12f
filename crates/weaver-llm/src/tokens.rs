//! How many tokens a text will be, before anyone is asked.

use crate::chat::ChatRequest;
use crate::model::ModelRef;

/// Tokens of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenCount {
    /// How many.
    pub tokens: u64,
    /// The provider counted; otherwise we estimated.
    pub exact: bool,
}

/// The tokens of a prompt, estimated.
pub(crate) fn of_request(request: &ChatRequest, _model: &ModelRef) -> u64 {
    let text: usize = request.messages.iter().map(|message| message.text().len()).sum();
    (text / 4) as u64
}
