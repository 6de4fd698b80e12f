//! What a provider wants back unchanged, as one opaque text: the form in which
//! interfaces carry the signature of a thought.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use weaver_core::Value;

/// Tells our texts from those of providers.
const MARK: &str = "aw1.";

/// A thought and its provider's own part, as one text.
pub(super) fn seal(text: &str, opaque: &Value) -> String {
    let both = Value::list([Value::str(text), opaque.clone()]);
    format!("{MARK}{}", URL_SAFE_NO_PAD.encode(both.to_json()))
}

/// The thought and the provider's own part, if the text is one of ours.
pub(super) fn open(sealed: &str) -> Option<(String, Value)> {
    let bytes = URL_SAFE_NO_PAD.decode(sealed.strip_prefix(MARK)?).ok()?;
    let both = Value::from_json(std::str::from_utf8(&bytes).ok()?).ok()?;
    let [text, opaque] = both.as_list()? else { return None };
    Some((text.as_str()?.to_string(), opaque.clone()))
}

/// Whether a text is one of ours.
pub(super) fn is_ours(text: &str) -> bool {
    text.starts_with(MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_comes_back_and_nothing_else() {
        let opaque = Value::map([("thought_signature", Value::str("s+/="))]);
        let sealed = seal("hm", &opaque);
        assert!(is_ours(&sealed));
        assert_eq!(open(&sealed), Some(("hm".into(), opaque)));
        for other in ["", "aw1.", "aw1.!!", "EpoBCkYIBRgC", "aw1.e30"] {
            assert_eq!(open(other), None, "{other}");
        }
    }
}
