//! [`Registry`]: the tools that there are, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use weaver_core::Value;

use crate::tool::{ArgumentProblem, Context, Definition, Tool, ToolError};

/// The tools of a run, by name. Cheap to clone.
#[derive(Clone, Default)]
pub struct Registry {
    tools: Arc<BTreeMap<String, Entry>>,
}

#[derive(Clone)]
struct Entry {
    tool: Arc<dyn Tool>,
    arguments: Arc<jsonschema::Validator>,
}

impl Registry {
    /// Adds a tool; a later one replaces an earlier one of the same name. Fails
    /// when its name or schema is no good, with a sentence.
    pub fn add(&mut self, tool: impl Tool + 'static) -> Result<(), String> {
        let definition = tool.definition();
        let name = definition.name.clone();
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > 64 || !name.chars().all(good) {
            return Err(format!(
                "`{name}` is no name for a tool: use letters, digits, `_` and `-`, at most 64"
            ));
        }
        let schema = serde_json::Value::from(&definition.parameters);
        let arguments = jsonschema::validator_for(&schema)
            .map_err(|error| format!("the schema of the tool `{name}` is wrong: {error}"))?;
        let entry = Entry { tool: Arc::new(tool), arguments: Arc::new(arguments) };
        Arc::make_mut(&mut self.tools).insert(name, entry);
        Ok(())
    }

    /// All definitions, by name.
    pub fn definitions(&self) -> impl Iterator<Item = &Definition> {
        self.tools.values().map(|entry| entry.tool.definition())
    }

    /// The definition of one tool.
    pub fn get(&self, name: &str) -> Option<&Definition> {
        self.tools.get(name).map(|entry| entry.tool.definition())
    }

    /// Whether arguments fit, without calling anything.
    pub fn validate(&self, name: &str, args: &Value) -> Result<(), ToolError> {
        let entry = self.entry(name)?;
        let instance = serde_json::Value::from(args);
        let problems: Vec<_> = entry
            .arguments
            .iter_errors(&instance)
            .map(|error| ArgumentProblem {
                pointer: error.instance_path().to_string(),
                message: error.to_string(),
            })
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(ToolError::InvalidArguments(problems)) }
    }

    /// Validates the arguments and calls the tool within its time limit.
    pub async fn call(
        &self,
        name: &str,
        args: Value,
        context: &Context,
    ) -> Result<Value, ToolError> {
        self.validate(name, &args)?;
        let entry = self.entry(name)?;
        let limit = entry.tool.definition().timeout;
        let call = entry.tool.call(args, context);
        match tokio::time::timeout(limit, call).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ToolError::Timeout { tool: name.into(), limit }),
        }
    }

    fn entry(&self, name: &str) -> Result<&Entry, ToolError> {
        self.tools
            .get(name)
            .ok_or_else(|| ToolError::UnknownTool { name: name.into(), hint: String::new() })
    }
}
