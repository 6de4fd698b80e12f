//! Classes that describe data.

use serde::{Deserialize, Serialize};

use crate::diagnostic::Span;
use crate::value::Value;

/// A class that describes data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SchemaSpec {
    /// The class name.
    pub name: String,
    /// What it is made with.
    pub kind: SchemaKind,
    /// Own and inherited fields, in Python's order.
    pub fields: Vec<FieldSpec>,
    /// The docstring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
    /// JSON Schema of an instance, for structured output and input forms.
    pub json_schema: Value,
    /// The class statement.
    pub span: Span,
}

/// What a schema is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SchemaKind {
    /// `TypedDict`.
    TypedDict,
    /// `@dataclass`.
    Dataclass,
    /// A pydantic `BaseModel`: the only kind that is validated.
    Pydantic,
    /// `MessagesState` or a subclass of it.
    Messages,
    /// A `NamedTuple`.
    NamedTuple,
    /// An `Enum`: each member is a field whose default is its value.
    Enum,
}

/// One field of a schema.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FieldSpec {
    /// The key.
    pub name: String,
    /// The annotation as written, without `Annotated` and reducer.
    #[serde(rename = "type")]
    pub annotation: String,
    /// How writes merge; absent for a plain key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reducer: Option<ReducerSpec>,
    /// What an `Annotated[T, reducer]` key starts as (`T()`): `[]`, `""`, `0`, `{}` …; absent where T has no empty value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<Value>,
    /// A literal default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Whether an instance must have it.
    pub required: bool,
    /// `Field(description=...)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `IsLastStep`, `RemainingSteps`: computed, not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<String>,
    /// Where it is declared.
    pub span: Span,
}

/// How writes to a key merge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ReducerSpec {
    /// `operator.add` and everything that means the same (`list.__add__`, `lambda a, b: a + b`).
    Add,
    /// `operator.or_`.
    Or,
    /// `operator.and_`.
    And,
    /// `operator.mul`.
    Mul,
    /// `max`.
    Max,
    /// `min`.
    Min,
    /// `add_messages`.
    AddMessages,
    /// A function of the file, by name in [`super::FileSpec::functions`].
    Function {
        /// The name.
        name: String,
    },
    /// `DeltaChannel(f)`: a function of the file that gets all writes of a step at once.
    Delta {
        /// The name.
        name: String,
    },
    /// A channel class written out: `LastValue`, `EphemeralValue`, `Topic`, `AnyValue`, `UntrackedValue`, `DeltaChannel`.
    Channel {
        /// The class.
        class: String,
        /// `accumulate=True` of a `Topic`.
        accumulate: bool,
    },
}
