//! OpenAI's embeddings, as clients ask us for them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Fault;
use super::fields::Fields;
use crate::embed::{EmbedRequest, EmbedResponse};

/// Reads a body: what is to be embedded, and whether the vectors go out in base64.
pub fn read(body: &Value) -> Result<(EmbedRequest, bool), Fault> {
    let body = Fields::of(body)?;
    let base64 = match body.text("encoding_format")? {
        None | Some("float") => false,
        Some("base64") => true,
        Some(other) => {
            let said = format!("`{other}` is no format: use float or base64.");
            return Err(Fault::invalid(said).at("encoding_format"));
        }
    };
    let first = body.get("input").and_then(|input| input.get(0));
    if first.is_some_and(|first| first.is_number() || first.is_array()) {
        let said = "Texts that were cut into tokens already are not taken: send the texts.";
        return Err(Fault::invalid(said).at("input"));
    }
    let inputs = body.texts("input")?;
    if inputs.is_empty() {
        return Err(Fault::invalid("`input` needs at least one text.").at("input"));
    }
    let request = EmbedRequest {
        model: body.need("model")?.into(),
        inputs,
        dimensions: body.count("dimensions")?,
        purpose: None,
    };
    Ok((request, base64))
}

/// The answer.
pub fn whole(response: &EmbedResponse, base64: bool) -> Value {
    let vectors = response.vectors.iter().enumerate().map(|(index, vector)| {
        let embedding = match base64 {
            true => {
                let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
                json!(STANDARD.encode(bytes))
            }
            false => json!(vector),
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    });
    let tokens = response.usage.tokens.input;
    json!({
        "object": "list",
        "data": vectors.collect::<Vec<_>>(),
        "model": response.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_in_and_vectors_out() {
        let (request, base64) =
            read(&json!({"model": "m", "input": "a", "encoding_format": "base64"})).unwrap();
        assert_eq!((request.inputs, base64), (vec!["a".to_string()], true));
        let response = EmbedResponse {
            model: "m".into(),
            vectors: vec![vec![1.0, -0.5], vec![0.0, 2.0]],
            ..EmbedResponse::default()
        };
        assert_eq!(whole(&response, true)["data"][0]["embedding"], "AACAPwAAAL8=");
        assert_eq!(
            whole(&response, false)["data"][1],
            json!({"object": "embedding", "index": 1, "embedding": [0.0, 2.0]})
        );
    }

    #[test]
    fn tokens_and_nothing_are_refused() {
        for input in [json!([1, 2]), json!([[1], [2]]), json!([]), json!(null), json!(["a", 1])] {
            let fault = read(&json!({"model": "m", "input": input})).unwrap_err();
            assert!(fault.param.unwrap().starts_with("input"), "{input}");
        }
    }
}
