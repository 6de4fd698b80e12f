//! [`Body`]: a JSON body, or a precise refusal.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use serde::de::{self, DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

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
        let bytes = read(request, BODY_TIME_MAX).await?;
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        parse(text).map(Body)
    }
}

/// A body that is not there after so long is not waited for.
const BODY_TIME_MAX: Duration = Duration::from_secs(60);

async fn read(request: Request, at_most: Duration) -> Result<Bytes, Refusal> {
    // What it says of its length is enough to refuse it.
    if request.body().size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(too_large());
    }
    let whole = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX);
    let Ok(read) = tokio::time::timeout(at_most, whole).await else {
        let detail = format!("the body was not there after {} s", at_most.as_secs());
        return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", detail));
    };
    read.map_err(|error| {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        match cause.to_string().contains("length limit") {
            true => too_large(),
            false => Refusal::new(
                StatusCode::BAD_REQUEST,
                "body_unreadable",
                format!("the body did not arrive whole: {cause}"),
            ),
        }
    })
}

fn too_large() -> Refusal {
    let detail = format!("a body has at most {} MiB", BODY_BYTES_MAX >> 20);
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    // Whoever reads a key twice may see either; PostgreSQL's text cannot hold a NUL.
    read_as::<Plain>(bytes)?;
    read_as(bytes)
}

fn read_as<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    // The place is looked for only when something is wrong: keeping it takes time.
    serde_json::from_slice(bytes).or_else(|_| {
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let pointer = pointer(error.path());
            let cause = error.into_inner();
            match cause.classify() {
                serde_json::error::Category::Data => {
                    Refusal::invalid("the body does not have the right shape")
                        .at(pointer, cause.to_string())
                }
                _ => not_json(&cause),
            }
        })?;
        json.end().map_err(|error| not_json(&error))?;
        Ok(value)
    })
}

fn not_json(error: &serde_json::Error) -> Refusal {
    let detail = format!("the body is not JSON: {error}");
    Refusal::new(StatusCode::BAD_REQUEST, "body_not_json", detail)
}

/// JSON without a key that comes twice in an object, and without NUL characters.
struct Plain;

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Plain)
    }
}

impl<'de> Visitor<'de> for Plain {
    type Value = Plain;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Plain, E> {
        Ok(Plain)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Plain, E> {
        Ok(Plain)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Plain, E> {
        Ok(Plain)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Plain, E> {
        Ok(Plain)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Plain, E> {
        Ok(Plain)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Plain, E> {
        match text.contains('\0') {
            true => Err(E::custom("the text holds a NUL character (\\u0000)")),
            false => Ok(Plain),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Plain, A::Error> {
        while items.next_element::<Plain>()?.is_some() {}
        Ok(Plain)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Plain, A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = fields.next_key::<Cow<'de, str>>()? {
            Plain.visit_str::<A::Error>(&key)?;
            fields.next_value::<Plain>()?;
            if let Some(twice) = keys.replace(key) {
                return Err(de::Error::custom(format!("the key `{twice}` comes twice")));
            }
        }
        Ok(Plain)
    }
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

    #[test]
    fn a_key_that_comes_twice_is_refused_however_deep() {
        for (text, pointer) in [
            (r#"{"a": 1, "b": 2, "a": 3}"#, ""),
            (r#"{"input": [0, {"x": {"y": 1, "\u0079": 2}}]}"#, "/input/1/x"),
        ] {
            let refusal = parse::<serde_json::Value>(text.as_bytes()).unwrap_err();
            assert_eq!(refusal.problem().status, 422);
            assert!(refusal.problem().errors[0].detail.contains("twice"), "{refusal:?}");
            assert!(refusal.problem().errors[0].pointer.starts_with(pointer), "{refusal:?}");
        }
        let apart = br#"[{"a": 1}, {"a": {"a": 1}}]"#;
        assert!(parse::<serde_json::Value>(apart).is_ok());
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_not_waited_for() {
        let drip = futures::stream::pending::<Result<Bytes, std::io::Error>>();
        let request = Request::new(axum::body::Body::from_stream(drip));
        let refusal = read(request, Duration::from_millis(1)).await.unwrap_err();
        assert_eq!((refusal.problem().status, &*refusal.problem().code), (408, "body_too_slow"));
    }
}
