//! The gallery: the files of `examples/`, in the binary.

use weaver_api::studio::Template;

/// A file that ships with the program.
struct Shipped {
    id: &'static str,
    title: &'static str,
    tags: &'static [&'static str],
    source: &'static str,
    script: &'static str,
    input: &'static str,
}

macro_rules! shipped {
    ($id:literal, $title:literal, $($tag:literal),+) => {
        Shipped {
            id: $id,
            title: $title,
            tags: &[$($tag),+],
            source: include_str!(concat!("../../../examples/", $id, ".py")),
            script: include_str!(concat!("../../../examples/", $id, ".script.yaml")),
            input: include_str!(concat!("../../../examples/", $id, ".input.json")),
        }
    };
}

/// What a newcomer does best first comes first.
static SHIPPED: &[Shipped] = &[
    shipped!("intent_triage", "Support triage", "support", "no Python"),
    shipped!("quickstart_react", "Agent with tools", "agent", "tools"),
    shipped!("research", "Research with sources", "research", "tools", "parallel"),
    shipped!("approval_flow", "Refunds with approval", "approval", "support"),
    shipped!("review_loop", "Write and review", "writing", "loop"),
    shipped!("map_reduce_summary", "Summary of a long text", "writing", "parallel"),
    shipped!("voting_panel", "Panel of judges", "agents", "parallel", "approval"),
    shipped!("supervisor", "Supervisor with sub-agents", "agents", "subgraphs"),
    shipped!("data_extraction", "Data out of prose", "data", "schema"),
    shipped!("batch_labels", "Labels for a list", "data", "loop", "no Python"),
    shipped!("retry_fallback", "Retries and a fallback model", "reliability"),
    shipped!("subgraph_reuse", "One graph inside another", "subgraphs", "memory"),
    shipped!("long_term_memory", "Memory across conversations", "agent", "memory"),
];

/// Every template, in the order of the gallery.
pub fn all() -> Vec<Template> {
    SHIPPED.iter().map(Shipped::template).collect()
}

/// The template of an id.
pub fn find(id: &str) -> Option<Template> {
    SHIPPED.iter().find(|shipped| shipped.id == id).map(Shipped::template)
}

impl Shipped {
    fn template(&self) -> Template {
        Template {
            id: self.id.into(),
            title: self.title.into(),
            summary: summary(self.source).into(),
            tags: self.tags.iter().map(ToString::to_string).collect(),
            source: self.source.into(),
            script: Some(self.script.into()),
            input: serde_json::from_str(self.input).expect("examples have inputs that are JSON"),
        }
    }
}

/// The first line of a file's docstring.
fn summary(source: &str) -> &str {
    let text = source.trim_start().trim_start_matches("\"\"\"");
    text.lines().next().unwrap_or_default().trim_end_matches("\"\"\"").trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_runs_as_it_is() {
        let all = all();
        assert!(all.len() >= 12);
        for template in all {
            let analysis = weaver_studio::parse(&template.id, &template.source);
            assert!(crate::workflow::report(&analysis).runs, "{}", template.id);
            assert!(template.summary.ends_with('.'), "{}: {}", template.id, template.summary);
        }
    }
}
