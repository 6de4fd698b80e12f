//! What can be done to a graph: wire types.

use serde::{Deserialize, Deserializer, Serialize};
use weaver_core::Value;
use weaver_core::value::Map;

/// One operation on a graph. Its JSON form is tagged by `op`:
/// `{"op": "add_edge", "source": "a", "target": "b"}`. The entry is `__start__`, the
/// exit `__end__`, as in [`weaver_core::spec::EdgeSpec`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Operation {
    /// Adds a node without edges.
    AddNode {
        /// Its name: new in the graph, without `|` and `:`.
        name: String,
        /// What runs it.
        node: NewNode,
    },
    /// Removes a node with its edges and routes.
    RemoveNode {
        /// The node.
        name: String,
        /// Removes its function too, if nothing else uses it.
        #[serde(default)]
        remove_function: bool,
    },
    /// Gives a node another name, in everything that names it.
    RenameNode {
        /// The node.
        name: String,
        /// Its new name.
        to: String,
    },
    /// Changes settings of a typed node.
    SetNode {
        /// The node.
        name: String,
        /// New values by setting; `null` removes a setting. Those that are not named stay.
        #[cfg_attr(feature = "schema", schema(value_type = Object))]
        settings: Map,
    },
    /// Adds a plain edge.
    AddEdge {
        /// Node or `__start__`.
        source: String,
        /// Node or `__end__`.
        target: String,
    },
    /// Removes a plain edge, or one source of a join.
    RemoveEdge {
        /// Node or `__start__`.
        source: String,
        /// Node or `__end__`.
        target: String,
    },
    /// Moves one or both ends of a plain edge, or one source of a join.
    RedirectEdge {
        /// The source as it is.
        source: String,
        /// The target as it is.
        target: String,
        /// The new source; the old one if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to_source: Option<String>,
        /// The new target; the old one if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to_target: Option<String>,
    },
    /// Adds conditional edges: a function that decides, and its routes.
    AddCondition {
        /// Node or `__start__`.
        source: String,
        /// What decides: a function that the file has. Either this or `new_function`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        function: Option<String>,
        /// A function of that name, which is written with the branch and answers its first route.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        new_function: Option<String>,
        /// Targets by what the function answers, at least one.
        #[cfg_attr(feature = "schema", schema(value_type = Object))]
        routes: Map,
    },
    /// Removes conditional edges; the function stays.
    RemoveCondition {
        /// Node or `__start__`.
        source: String,
        /// [`weaver_core::spec::BranchSpec::name`]; may be left out if the source has one branch.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        branch: Option<String>,
    },
    /// Adds a route to a branch, or to a typed node that decides (`condition`: the
    /// route is the expression; `intent`: the intent's name).
    AddBranch {
        /// Node or `__start__`.
        source: String,
        /// As in [`Operation::RemoveCondition`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        branch: Option<String>,
        /// What the function answers: [`weaver_core::spec::EdgeSpec::label`].
        route: String,
        /// Node or `__end__`.
        target: String,
    },
    /// Changes a route's key, target or both.
    SetBranch {
        /// Node or `__start__`.
        source: String,
        /// As in [`Operation::RemoveCondition`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        branch: Option<String>,
        /// The route as it is.
        route: String,
        /// Its new key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to_route: Option<String>,
        /// Its new target.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<String>,
    },
    /// Removes a route; with the last one the branch goes too.
    RemoveBranch {
        /// Node or `__start__`.
        source: String,
        /// As in [`Operation::RemoveCondition`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        branch: Option<String>,
        /// The route.
        route: String,
    },
    /// Makes a node the one that is run first.
    SetEntry {
        /// The node.
        target: String,
    },
    /// Adds a field to a schema.
    AddField {
        /// The class; the graph's state if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        schema: Option<String>,
        /// The key.
        name: String,
        /// Its type as Python text: `list[str]`.
        #[serde(rename = "type")]
        annotation: String,
        /// How writes merge: `add`, `or`, `and`, `mul`, `max`, `min`, `add_messages`, or a
        /// function of the file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reducer: Option<String>,
    },
    /// Changes a field's type or reducer.
    SetField {
        /// The class; the graph's state if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        schema: Option<String>,
        /// The key.
        name: String,
        /// The new type.
        #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
        annotation: Option<String>,
        /// The new reducer; `null` removes it, left out it stays.
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            deserialize_with = "given_or_null"
        )]
        #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
        reducer: Option<Option<String>>,
    },
    /// Gives a field another name, in its class and in all that reads or writes it. Refused
    /// where the file does not surely show what does.
    RenameField {
        /// The class; the graph's state if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        schema: Option<String>,
        /// The key.
        name: String,
        /// Its new name: a Python name that the state does not have.
        to: String,
    },
    /// Removes a field from its class. Code that uses the key stays as it is.
    RemoveField {
        /// The class; the graph's state if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        schema: Option<String>,
        /// The key.
        name: String,
    },
}

/// What runs a new node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(untagged, deny_unknown_fields)]
pub enum NewNode {
    /// A typed node.
    Typed {
        /// Its name in [`crate::typed_nodes::NODE_TYPES`].
        typed: String,
        /// Its settings.
        #[serde(default)]
        #[cfg_attr(feature = "schema", schema(value_type = Object))]
        settings: Map,
    },
    /// A function that the file has.
    Function {
        /// Its name.
        function: String,
    },
    /// A function that is written with the node, and does nothing yet.
    NewFunction {
        /// Its name: a Python name that is free.
        new_function: String,
    },
}

/// Tells `null` from a field that is not there.
fn given_or_null<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(input).map(Some)
}

/// What a [`Value`] of a setting may be: all but tagged values other than references.
pub(super) fn is_plain(value: &Value) -> bool {
    match value {
        Value::Float(x) => x.is_finite(),
        Value::List(items) => items.iter().all(is_plain),
        Value::Map(map) => match value.tag() {
            Some(tag) => tag == "ref",
            None => map.values().all(is_plain),
        },
        _ => true,
    }
}
