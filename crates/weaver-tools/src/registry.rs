//! [`Registry`]: the tools that there are, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;
use weaver_core::Value;

use crate::tool::{ArgumentProblem, Context, Definition, Effect, Tool, ToolError};

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
        let problems: Vec<_> = entry.arguments.iter_errors(&instance).map(problem).collect();
        if problems.is_empty() { Ok(()) } else { Err(ToolError::InvalidArguments(problems)) }
    }

    /// What a call with these arguments may do; [`Effect::AtMostOnce`] for a tool
    /// that there is not.
    pub fn effect(&self, name: &str, args: &Value) -> Effect {
        self.tools.get(name).map_or(Effect::AtMostOnce, |entry| entry.tool.effect(args))
    }

    /// The same registry with only these tools. Fails at a name that there is not.
    pub fn only(&self, names: &[&str]) -> Result<Registry, ToolError> {
        let mut tools = BTreeMap::new();
        for name in names {
            tools.insert(name.to_string(), self.entry(name)?.clone());
        }
        Ok(Registry { tools: Arc::new(tools) })
    }

    /// Validates the arguments and calls the tool within its time limit and the
    /// caller's deadline.
    pub async fn call(
        &self,
        name: &str,
        args: Value,
        context: &Context,
    ) -> Result<Value, ToolError> {
        self.validate(name, &args)?;
        let entry = self.entry(name)?;
        let mut limit = entry.tool.definition().timeout;
        if let Some(deadline) = context.deadline {
            limit = limit.min(deadline.saturating_duration_since(Instant::now()));
        }
        let call = entry.tool.call(args, context);
        match tokio::time::timeout(limit, call).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ToolError::Timeout { tool: name.into(), limit }),
        }
    }

    fn entry(&self, name: &str) -> Result<&Entry, ToolError> {
        self.tools.get(name).ok_or_else(|| {
            let names: Vec<_> = self.tools.keys().map(|known| format!("`{known}`")).collect();
            let hint = match names.is_empty() {
                true => " There are no tools here.".into(),
                false => format!(" There are {}.", names.join(", ")),
            };
            ToolError::UnknownTool { name: name.into(), hint }
        })
    }
}

/// What is wrong with an argument, for someone who sees only this sentence. An
/// argument that is long is not shown in full.
fn problem(error: jsonschema::ValidationError<'_>) -> ArgumentProblem {
    let pointer = error.instance_path().to_string();
    let shown = error.instance().to_string().chars().count() <= SHOWN_MAX;
    let message = match shown {
        true => error.to_string(),
        false => error.masked_with("The value").to_string(),
    };
    ArgumentProblem { pointer, message }
}

/// Characters of an argument that a message may repeat.
const SHOWN_MAX: usize = 200;
