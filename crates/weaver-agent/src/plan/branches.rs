//! From [`weaver_core::spec::BranchSpec`] to the engine's.

use weaver_core::Value;
use weaver_core::spec::{Decider, GraphSpec, NodeKind};
use weaver_engine::{self as engine, GraphBuilder};

use super::Target;
use super::graph::Compiler;
use crate::tool_node;

impl Compiler<'_> {
    pub(super) fn branches(&mut self, graph: &GraphSpec, builder: &mut GraphBuilder<Value>) {
        for branch in &graph.branches {
            let source = graph.nodes.iter().find(|node| node.name == branch.source);
            let source_schema = source.and_then(|node| node.input_schema.as_deref());
            let (what, schema) = match &branch.decider {
                Decider::Function(id) => {
                    let annotated = self.annotated_schema(id);
                    let schema =
                        annotated.as_deref().or(source_schema).unwrap_or(&graph.state.schema);
                    let class = self.instance_class(schema);
                    (self.function(id, class.clone()), (annotated, class))
                }
                Decider::ToolsCondition => {
                    self.targets.insert("tools_condition".into(), Target::ToolsCondition);
                    ("tools_condition".into(), (None, None))
                }
                Decider::ToolCalls { answered } => {
                    let with_state = self.tools_take_state(graph);
                    let name = format!("tool_calls:{with_state}:{answered:?}");
                    let answered = answered.clone();
                    self.targets.insert(name.clone(), Target::ToolCalls { with_state, answered });
                    (name.into(), (None, None))
                }
                Decider::Dynamic(reason) => {
                    let message = format!(
                        "the route from `{}` cannot be decided here: {reason}",
                        branch.source
                    );
                    let help = "route with a function of this file";
                    self.problem(graph, "needs_worker", branch.span, message, Some(help));
                    continue;
                }
            };
            let path_map = branch.path_map.as_ref().map(|map| {
                map.iter().map(|(key, node)| (key.clone(), node.as_str().into())).collect()
            });
            builder.branch(
                &*branch.source,
                engine::BranchSpec {
                    name: branch.name.as_str().into(),
                    what,
                    input: self.schema_keys(schema.0.as_deref()),
                    schema: schema.1.map(Into::into),
                    targets: path_map,
                },
            );
        }
    }

    /// Whether a tool that the graph's nodes call is given the state.
    fn tools_take_state(&self, graph: &GraphSpec) -> bool {
        let called = graph.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::ToolNode { tools, .. } => Some(tools),
            _ => None,
        });
        called.flatten().any(|name| {
            let tool = self.spec.tools.iter().find(|tool| tool.name == *name);
            let functions = &self.spec.functions;
            let function = tool.and_then(|tool| functions.iter().find(|f| f.id == tool.function));
            function.is_some_and(tool_node::takes_state)
        })
    }
}
