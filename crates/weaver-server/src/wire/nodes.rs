//! Typed nodes as the palette and the forms show them.

use weaver_api::studio::{NodeSetting, NodeType, SettingKind};
use weaver_studio::typed_nodes::{self, Argument, ArgumentKind, NODE_TYPES};

/// All typed nodes, in the order of the palette.
pub fn node_types() -> Vec<NodeType> {
    NODE_TYPES.iter().map(node_type).collect()
}

fn node_type(node: &typed_nodes::NodeType) -> NodeType {
    NodeType {
        name: node.name.into(),
        group: node.group.into(),
        summary: node.doc.into(),
        needs_server: node.needs_server,
        settings: node.arguments.iter().map(setting).collect(),
    }
}

fn setting(argument: &Argument) -> NodeSetting {
    let (kind, choices) = kind(argument.kind);
    NodeSetting {
        name: argument.name.into(),
        kind,
        required: argument.required,
        default: argument.default.into(),
        doc: argument.doc.into(),
        choices: choices.iter().map(ToString::to_string).collect(),
    }
}

fn kind(kind: ArgumentKind) -> (SettingKind, &'static [&'static str]) {
    let plain = match kind {
        ArgumentKind::OneOf(choices) => return (SettingKind::OneOf, choices),
        ArgumentKind::IntOrOneOf(choices) => return (SettingKind::IntOrOneOf, choices),
        ArgumentKind::Text => SettingKind::Text,
        ArgumentKind::Template => SettingKind::Template,
        ArgumentKind::Expression => SettingKind::Expression,
        ArgumentKind::Key => SettingKind::Key,
        ArgumentKind::Node => SettingKind::Node,
        ArgumentKind::Bool => SettingKind::Bool,
        ArgumentKind::Int => SettingKind::Int,
        ArgumentKind::Number => SettingKind::Number,
        ArgumentKind::List => SettingKind::List,
        ArgumentKind::Dict => SettingKind::Dict,
        ArgumentKind::ListOrDict => SettingKind::ListOrDict,
        ArgumentKind::Schema => SettingKind::Schema,
        ArgumentKind::Any => SettingKind::Any,
    };
    (plain, &[])
}
