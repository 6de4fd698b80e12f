//! OpenAPI schemas of types that write their JSON form themselves.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType};
use utoipa::{PartialSchema, ToSchema};

use crate::Value;

impl PartialSchema for Value {
    fn schema() -> RefOr<Schema> {
        let any = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
        any.description(Some("Any JSON value.")).into()
    }
}

impl ToSchema for Value {
    fn name() -> Cow<'static, str> {
        "Value".into()
    }
}
