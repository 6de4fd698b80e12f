//! [`Path`] and [`Query`]: what stands in an address, or a precise refusal.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::Refusal;

/// Parts of the path.
pub struct Path<T>(pub T);

/// What stands behind the `?`.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        check(parts.uri.path())?;
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|path| Path(path.0)).map_err(|error| Refusal::invalid(error.body_text()))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        check(parts.uri.query().unwrap_or_default())?;
        let query = axum::extract::Query::try_from_uri(&parts.uri);
        query.map(|query| Query(query.0)).map_err(|error| Refusal::invalid(error.body_text()))
    }
}

/// PostgreSQL's text cannot hold a NUL.
fn check(encoded: &str) -> Result<(), Refusal> {
    match encoded.contains("%00") {
        true => Err(Refusal::invalid("the address holds a NUL character (%00)")),
        false => Ok(()),
    }
}
