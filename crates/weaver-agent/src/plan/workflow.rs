//! What `nodes.workflow` must name.

use weaver_core::spec::{GraphSpec, TypedNode};

use super::graph::Compiler;

impl Compiler<'_> {
    /// A graph that is started as an execution of its own must be in the file.
    pub(super) fn check_workflow(&mut self, graph: &GraphSpec, node: &TypedNode) {
        let setting = node.settings.iter().find(|setting| setting.name == "graph");
        let Some((setting, name)) = setting.and_then(|own| Some((own, own.value.as_str()?))) else {
            return;
        };
        for missing in super::choose(self.spec, Some(name)).err().into_iter().flatten() {
            let (message, help) = (missing.message, missing.help);
            self.problem(graph, &missing.code, setting.span, message, help.as_deref());
        }
    }
}
