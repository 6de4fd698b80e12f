//! Which functions may be a worker's.

use std::collections::HashSet;

use weaver_core::spec::{Decider, FileSpec, FunctionSpec, NodeKind, Runs};
use weaver_core::{Diagnostic, Severity};

/// Functions that cannot run in the embedded interpreter must be nodes, error handlers or
/// routing functions: only those have a task that can wait for a worker.
pub fn check(spec: &FileSpec) -> Result<(), Vec<Diagnostic>> {
    let waiting = can_wait(spec);
    let outside = |function: &&FunctionSpec| matches!(function.runs, Runs::Worker { .. });
    let problems: Vec<Diagnostic> = spec
        .functions
        .iter()
        .filter(outside)
        .filter(|function| !waiting.contains(function.id.as_str()))
        .map(problem)
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn can_wait(spec: &FileSpec) -> HashSet<&str> {
    let mut ids = HashSet::new();
    for graph in &spec.graphs {
        ids.extend(graph.node_defaults.error_handler.as_deref());
        for node in &graph.nodes {
            ids.extend(node.policies.error_handler.as_deref());
            if let NodeKind::Function { id } = &node.kind {
                ids.insert(id);
            }
        }
        for branch in &graph.branches {
            if let Decider::Function(id) = &branch.decider {
                ids.insert(id);
            }
        }
    }
    ids
}

fn problem(function: &FunctionSpec) -> Diagnostic {
    Diagnostic {
        code: "needs_worker".into(),
        severity: Severity::Error,
        message: format!(
            "`{}` needs a Python worker, which runs nodes and routing functions only",
            function.id
        ),
        span: function.span,
        help: Some("do that part in a node, or use the standard library".into()),
    }
}
