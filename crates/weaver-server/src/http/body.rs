//! [`Body`]: a JSON body, or a precise refusal.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

use super::Refusal;

/// A body larger than this is refused before it is read.
pub const BODY_BYTES_MAX: usize = 8 << 20;

/// A JSON body of a type. An absent body reads as `{}`.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let is_json = request.headers().get(header::CONTENT_TYPE).is_none_or(|kind| {
            kind.to_str().is_ok_and(|kind| kind.trim().starts_with("application/json"))
        });
        if !is_json {
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "the body must be application/json",
            ));
        }
        let bytes = read(request).await?;
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        parse(text).map(Body)
    }
}

async fn read(request: Request) -> Result<Bytes, Refusal> {
    axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await.map_err(|error| {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        match cause.to_string().contains("length limit") {
            true => Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                format!("a body has at most {} MiB", BODY_BYTES_MAX >> 20),
            ),
            false => Refusal::new(
                StatusCode::BAD_REQUEST,
                "body_unreadable",
                format!("the body did not arrive whole: {cause}"),
            ),
        }
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = pointer(error.path());
        let cause = error.into_inner();
        match cause.classify() {
            serde_json::error::Category::Data => {
                Refusal::invalid("the body does not have the right shape")
                    .at(pointer, cause.to_string())
            }
            _ => Refusal::new(
                StatusCode::BAD_REQUEST,
                "body_not_json",
                format!("the body is not JSON: {cause}"),
            ),
        }
    })?;
    json.end().map_err(|error| {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "body_not_json",
            format!("the body is not JSON: {error}"),
        )
    })?;
    // PostgreSQL's text cannot hold it, and no reader expects it.
    match has_nul(bytes) {
        true => Err(Refusal::invalid("a text in the body holds a NUL character (\\u0000)")),
        false => Ok(value),
    }
}

/// Whether a text in JSON holds a NUL character; a backslash that is escaped itself
/// begins none.
fn has_nul(json: &[u8]) -> bool {
    let escapes = json.windows(6).enumerate().filter(|(_, part)| *part == b"\\u0000");
    escapes
        .map(|(at, _)| json[..at].iter().rev().take_while(|byte| **byte == b'\\').count())
        .any(|backslashes| backslashes % 2 == 0)
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => "/?".into(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use weaver_api::execution::{CancelRequest, SubmitRequest};

    #[test]
    fn a_wrong_body_is_refused_with_the_place() {
        let text = br#"{"workflow": {"file": "a.py", "source": "", "grpah": "x"}, "input": {}}"#;
        let refusal = parse::<SubmitRequest>(text).unwrap_err();
        assert_eq!(refusal.problem().status, 422);
        assert_eq!(refusal.problem().errors[0].pointer, "/workflow/grpah");
        let refusal = parse::<CancelRequest>(b"{\"reason\": ").unwrap_err();
        assert_eq!((refusal.problem().status, &*refusal.problem().code), (400, "body_not_json"));
        let refusal = parse::<CancelRequest>(b"{} {}").unwrap_err();
        assert_eq!(refusal.problem().code, "body_not_json");
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        assert_eq!(parse::<serde_json::Value>(deep.as_bytes()).unwrap_err().problem().status, 400);
        let refusal = parse::<CancelRequest>(br#"{"reason": "a\u0000b"}"#).unwrap_err();
        assert_eq!(refusal.problem().status, 422);
        let python = br#"{"reason": "print('a\\u0000b')"}"#;
        assert!(parse::<CancelRequest>(python).is_ok(), "the text of an escape is no NUL");
    }
}
