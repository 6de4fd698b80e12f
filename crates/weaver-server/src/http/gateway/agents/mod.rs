//! Workflows as models: one whose state has `messages` is asked as `agent/NAME`.
//! A request is an execution of its own on a thread of its own, with the client's
//! messages as input; its last message is the answer.

mod telling;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde_json::Value;
use weaver_agent::plan;
use weaver_api::execution::WorkflowSource;
use weaver_api::workflow::Workflow;
use weaver_core::spec::{END, GraphSpec};
use weaver_core::{Hash, Severity, Value as CoreValue};
use weaver_llm::inbound::{Asked, Fault, Writer};
use weaver_llm::{ChatRequest, ChatResponse, convert};
use weaver_runtime::Order;
use weaver_runtime::executions::Submission;

use super::{Refused, sse};
use crate::catalog::Catalog;
use crate::http::guard::Caller;
use crate::http::tail::Tail;
use crate::http::{App, Refusal};
use crate::wire;
use telling::Telling;

/// What the names of agents begin with.
const PREFIX: &str = "agent/";
/// What a graph must have in its state to be talked to.
const MESSAGES: &str = "messages";
/// Names the execution that answers.
const HEADER: HeaderName = HeaderName::from_static("x-agentweaver-execution");
/// Workflows that are looked through for one of a name, and listed.
const LISTED_MAX: usize = 1000;
const PAGE: usize = 200;
/// Texts of which it is known whether they can be talked to; beyond, all are read anew.
const KNOWN_MAX: usize = 1024;

/// Which texts can be talked to: they are asked again and again.
#[derive(Default)]
pub struct Agents(Mutex<HashMap<Hash, Option<Speakers>>>);

/// The nodes of a graph whose words may be the answer: those that it may end behind.
type Speakers = Arc<HashSet<String>>;

/// A workflow that can be talked to.
pub struct Agent {
    app: Arc<App>,
    caller: Caller,
    /// As the client called it.
    name: String,
    id: String,
    source: WorkflowSource,
    speakers: Speakers,
}

/// Whether a model's name is that of an agent.
pub fn is_agent(model: &str) -> bool {
    model.starts_with(PREFIX)
}

/// The names of all agents: by the workflow's name, or by its id where two have one name.
pub async fn names(app: &App, caller: Caller) -> Result<Vec<String>, Refused> {
    let mut found = Vec::new();
    for workflow in workflows(app, caller).await? {
        let source = catalog(app, caller).source(&workflow.id, None, None).await;
        if source.is_ok_and(|source| app.models.agents.speakers(&source).is_some()) {
            found.push(workflow);
        }
    }
    let same = |name: &str| found.iter().filter(|workflow| workflow.name == name).count();
    let names = found.iter().map(|workflow| match same(&workflow.name) {
        1 => format!("{PREFIX}{}", workflow.name),
        _ => format!("{PREFIX}{}", workflow.id),
    });
    Ok(names.collect())
}

impl Agent {
    /// The agent of a name, by the workflow's id or its name.
    pub async fn find(app: &Arc<App>, caller: Caller, model: &str) -> Result<Self, Refused> {
        let name = model.strip_prefix(PREFIX).unwrap_or(model);
        let catalog = catalog(app, caller);
        let id = match catalog.get(name).await {
            Ok(workflow) => workflow.id,
            Err(_) => by_name(app, caller, name).await?,
        };
        let source = catalog.source(&id, None, None).await?;
        app.sources.check(&source).await?;
        let speakers = app.models.agents.speakers(&source).ok_or_else(|| {
            let said = format!(
                "The workflow `{name}` has no `{MESSAGES}` in its state: it cannot be talked to."
            );
            Fault::invalid(said).at("model")
        })?;
        Ok(Agent { app: app.clone(), caller, name: model.into(), id, source, speakers })
    }

    /// The whole answer. When the client goes away the execution is cancelled.
    pub async fn whole(
        self,
        asked: Asked,
        write: impl FnOnce(&ChatResponse) -> Value,
    ) -> Result<Response, Refused> {
        let telling = self.begin(asked).await?;
        let named = telling.execution().to_string();
        let response = telling.whole().await?;
        Ok(say(&named, Json(write(&response)).into_response()))
    }

    /// The answer in pieces: what the nodes say behind which the graph may end.
    pub async fn pieces(
        self,
        asked: Asked,
        writer: impl Writer + 'static,
    ) -> Result<Response, Refused> {
        let telling = self.begin(asked).await?;
        let named = telling.execution().to_string();
        Ok(say(&named, sse::answer(telling.pieces().boxed(), Box::new(writer))))
    }

    async fn begin(self, asked: Asked) -> Result<Telling, Refused> {
        let request = asked.into_request();
        refuse(&request)?;
        let messages = convert::from_chat(&request.messages);
        let messages = CoreValue::list(messages.iter().map(weaver_core::Message::to_value));
        let order = Order {
            input: CoreValue::map([(MESSAGES, messages)]),
            script: self.source.script.clone(),
            workflow_id: Some(self.id),
            ..Order::default()
        };
        let executions = self.app.executions(self.caller);
        let submission = Submission::new(wire::version(&self.source), order);
        let submitted = Tail::submit(&self.app, self.caller, submission).await;
        let (execution, tail) = submitted.map_err(Refusal::from)?;
        Ok(Telling::new(executions, execution.id, tail, self.name, self.speakers))
    }
}

impl Agents {
    /// The nodes of a text that may say the answer; nothing if it cannot be talked to.
    fn speakers(&self, source: &WorkflowSource) -> Option<Speakers> {
        let hash = Hash::of_parts([source.file.as_bytes(), source.source.as_bytes()]);
        let mut known = self.0.lock().expect("nothing panics while it is held");
        if let Some(speakers) = known.get(&hash) {
            return speakers.clone();
        }
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        let speakers = speakers_of(source).map(Arc::new);
        known.insert(hash, speakers.clone());
        speakers
    }
}

/// Wishes that an agent cannot fill.
fn refuse(request: &ChatRequest) -> Result<(), Fault> {
    if !(request.tools.is_empty() && request.native_tools.is_empty()) {
        return Err(Fault::invalid("An agent has tools of its own: leave `tools` out.").at("tools"));
    }
    if request.output.is_some() {
        let said = "An agent answers in a shape of its own: ask for no other.";
        return Err(Fault::invalid(said).at("response_format"));
    }
    if request.messages.is_empty() {
        return Err(Fault::invalid("There are no messages.").at("messages"));
    }
    Ok(())
}

async fn by_name(app: &App, caller: Caller, name: &str) -> Result<String, Refused> {
    let known = workflows(app, caller).await?;
    let mut found = known.iter().filter(|workflow| workflow.name == name);
    match (found.next(), found.next()) {
        (Some(workflow), None) => Ok(workflow.id.clone()),
        (Some(_), Some(_)) => {
            let said = format!("Several workflows are called `{name}`: name one by its id.");
            Err(Fault::invalid(said).at("model").into())
        }
        (None, _) => {
            let near = weaver_llm::nearest(name, known.iter().map(|w| w.name.as_str()));
            let hint = near.map(|near| format!(" Did you mean `{PREFIX}{near}`?"));
            let said = format!("There is no workflow `{name}`.{}", hint.unwrap_or_default());
            Err(Fault::new(404, "model_not_found", said).at("model").into())
        }
    }
}

async fn workflows(app: &App, caller: Caller) -> Result<Vec<Workflow>, Refused> {
    let catalog = catalog(app, caller);
    let (mut found, mut before) = (Vec::new(), None);
    while found.len() < LISTED_MAX {
        let page = catalog.list(before, PAGE, None).await?;
        found.extend(page.items);
        before = page.next_cursor.and_then(|cursor| cursor.parse().ok());
        if before.is_none() {
            break;
        }
    }
    Ok(found)
}

fn catalog(app: &App, caller: Caller) -> Catalog {
    Catalog::new(app.store.for_tenant(caller.tenant), app.folder.clone(), app.changes.clone())
}

fn speakers_of(source: &WorkflowSource) -> Option<HashSet<String>> {
    let analysis = weaver_studio::parse(&source.file, &source.source);
    let is_broken = analysis.spec.problems.iter().any(|p| p.severity == Severity::Error);
    let graph = plan::choose(&analysis.spec, None).ok().filter(|_| !is_broken)?;
    let talks = graph.state.fields.iter().any(|field| field.name == MESSAGES);
    talks.then(|| last_nodes(graph))
}

/// The nodes behind which a graph may end.
fn last_nodes(graph: &GraphSpec) -> HashSet<String> {
    let goes_on = |name: &str| graph.edges.iter().any(|edge| edge.source == name);
    let ends =
        |name: &str| graph.edges.iter().any(|edge| edge.source == name && edge.target == END);
    let decides =
        |name: &str| graph.branches.iter().any(|b| b.source == name && b.path_map.is_none());
    let last = graph.nodes.iter().map(|node| &node.name);
    last.filter(|name| ends(name) || decides(name) || !goes_on(name)).cloned().collect()
}

fn say(execution: &str, mut response: Response) -> Response {
    if let Ok(id) = HeaderValue::from_str(execution) {
        response.headers_mut().insert(HEADER, id);
    }
    response
}
