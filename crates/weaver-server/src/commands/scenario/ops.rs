//! [`Session`]: the operations of a scenario, on the real runtime.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Map, Value as Json, json};
use weaver_agent::{convert, plan};
use weaver_core::{Failure, Value};
use weaver_engine::{
    Input, InputCommand, InterruptId, Outcome, Resume, Siblings, Snapshot, StateUpdate,
    TaskSnapshot,
};
use weaver_runtime::{Durability, RunRequest, drive, now, thread};
use weaver_store::{Batch, Filter, Item, ItemKey, ItemSearch, NamespaceSearch, Record, Store};

use super::Op;
use super::chunks::Collector;
use super::place::Place;
use super::values;
use crate::error::CliError;
use crate::house::House;
use crate::workflow::Workflow;

/// One scenario under way: one store for all its threads.
pub struct Session<'a> {
    workflow: &'a Workflow,
    house: &'a House,
    store: Store,
    /// In the order of first use.
    threads: Vec<Arc<str>>,
    /// Questions of the last run of each thread that had any.
    questions: HashMap<Arc<str>, Vec<InterruptId>>,
    /// What the last edit of each thread made.
    updated: HashMap<Arc<str>, Place>,
}

/// What an operation adds to its result.
type Entries = Map<String, Json>;

/// Why an operation could not be done: a failure of the graph is a result, what
/// is wrong with the scenario ends it.
enum Wrong {
    Failed(Failure),
    Scenario(CliError),
}

impl<E: Into<CliError>> From<E> for Wrong {
    fn from(error: E) -> Self {
        Wrong::Scenario(error.into())
    }
}

impl<'a> Session<'a> {
    /// A session on an empty store.
    pub fn new(workflow: &'a Workflow, house: &'a House, store: Store) -> Self {
        Session {
            workflow,
            house,
            store,
            threads: Vec::new(),
            questions: HashMap::new(),
            updated: HashMap::new(),
        }
    }

    /// Does one operation and gives its result.
    pub async fn perform(&mut self, op: &Op) -> Result<Json, CliError> {
        let name = op.get("op").and_then(Value::as_str).unwrap_or_default();
        let thread: Arc<str> = op.get("thread").and_then(Value::as_str).unwrap_or("main").into();
        if !name.starts_with("store_") && !self.threads.contains(&thread) {
            self.threads.push(thread.clone());
        }
        let mut out = Entries::new();
        out.insert("op".into(), name.into());
        let done = match name {
            "invoke" => self.invoke(op, &thread, &mut out).await,
            "update_state" => self.update(op, &thread, vec![vec![state_update(op)]]).await,
            "bulk_update_state" => self.update(op, &thread, supersteps(op)).await,
            "get_state" => self.get_state(op, &thread, &mut out).await,
            "get_state_history" => self.get_history(op, &thread, &mut out).await,
            name => match name.strip_prefix("store_") {
                Some(name) => self.memory(name, op, &mut out).await,
                None => Err(CliError::usage(format!("there is no operation `{name}`")).into()),
            },
        };
        match done {
            Ok(()) => {}
            Err(Wrong::Failed(failure)) => {
                out.insert("error".into(), values::error(&failure));
            }
            Err(Wrong::Scenario(error)) => return Err(error),
        }
        if matches!(name, "invoke" | "update_state" | "bulk_update_state") {
            let latest = Place::latest(&self.workflow.plan.graph);
            let snapshot = latest.load(&self.store, &thread).await?;
            out.insert("next".into(), snapshot.as_ref().map_or(json!([]), values::next));
        }
        Ok(Json::Object(out))
    }

    /// `{thread: [entry, ...]}`, newest entry first.
    pub async fn final_histories(&self) -> Result<Json, CliError> {
        let mut threads = Map::new();
        for thread in &self.threads {
            let place = Place::latest(&self.workflow.plan.graph);
            let entries = self.history(&place, thread).await?;
            let brief = entries.iter().map(|(snapshot, parent)| {
                let mut entry = values::brief(Some(snapshot));
                let questions = snapshot.interrupts().map(|asked| values::value(&asked.value));
                entry.insert("interrupts".into(), questions.collect());
                entry.insert("parent".into(), (*parent).into());
                entry
            });
            threads.insert(thread.to_string(), brief.collect());
        }
        Ok(Json::Object(threads))
    }

    async fn invoke(&mut self, op: &Op, thread: &Arc<str>, out: &mut Entries) -> Result<(), Wrong> {
        let input = self.input(op, thread)?;
        let graph = op.get("command").and_then(|command| command.get("graph"));
        if graph.and_then(Value::as_str) == Some("__parent__") {
            return Err(Wrong::Failed(convert::invalid("There is no parent graph")));
        }
        let mut request = RunRequest::new(thread.clone(), self.workflow.plan.graph.clone(), input);
        set_options(&mut request, op);
        let context = op.get("context").cloned().unwrap_or_default();
        request.context = self.workflow.plan.context(context).map_err(Wrong::Failed)?;
        let collector = Collector::new(words(op.get("stream")), truth(op.get("subgraphs")));
        request.options.stream = collector.modes();
        request.chunks = Some(collector.chunk_listener());
        request.listener = Some(collector.event_listener());
        if let Some(place) = self.place(op, thread).await? {
            request.at = place.root();
        }
        let host = self.house.host(self.workflow, &self.workflow.plan, thread);
        let report = drive(Some(self.store.clone()), Arc::new(host), request).await;
        if let Some(chunks) = collector.take() {
            out.insert("chunks".into(), chunks.into());
        }
        match report?.outcome {
            Outcome::Done { output } => out.insert("result".into(), values::value(&output)),
            Outcome::Interrupted { interrupts, values } => {
                if !interrupts.is_empty() {
                    out.insert("interrupts".into(), values::interrupts(&interrupts));
                    let ids = interrupts.iter().map(|asked| asked.id).collect();
                    self.questions.insert(thread.clone(), ids);
                }
                out.insert("result".into(), values::value(&values))
            }
            Outcome::Failed(failure) => return Err(Wrong::Failed(failure)),
            Outcome::Drained | Outcome::Cancelled => None,
        };
        Ok(())
    }

    async fn update(
        &mut self,
        op: &Op,
        thread: &Arc<str>,
        updates: Vec<Vec<StateUpdate<Value>>>,
    ) -> Result<(), Wrong> {
        let place = self.place(op, thread).await?;
        let mut edited = place.unwrap_or_else(|| Place::latest(&self.workflow.plan.graph));
        let graph = edited.graph.clone();
        let mut request = RunRequest::new(thread.clone(), graph, Input::Update(updates));
        request.namespace = edited.namespace.clone();
        request.at = edited.id;
        let host = self.house.host(self.workflow, &self.workflow.plan, thread);
        let report = drive(Some(self.store.clone()), Arc::new(host), request).await?;
        match report.outcome {
            Outcome::Failed(failure) => Err(Wrong::Failed(failure)),
            _ => {
                edited.id = report.checkpoint;
                self.updated.insert(thread.clone(), edited);
                Ok(())
            }
        }
    }

    async fn get_state(&self, op: &Op, thread: &Arc<str>, out: &mut Entries) -> Result<(), Wrong> {
        let place = self.place(op, thread).await?;
        let place = place.unwrap_or_else(|| Place::latest(&self.workflow.plan.graph));
        let state = self.state(&place, thread, truth(op.get("subgraphs"))).await?;
        out.insert("state".into(), state);
        Ok(())
    }

    async fn get_history(
        &self,
        op: &Op,
        thread: &Arc<str>,
        out: &mut Entries,
    ) -> Result<(), Wrong> {
        let place = self.place(op, thread).await?;
        let place = place.unwrap_or_else(|| Place::latest(&self.workflow.plan.graph));
        let mut entries = self.history(&place, thread).await?;
        if place.id.is_some() {
            // A config that names a checkpoint has a history of that one.
            entries.retain(|(snapshot, _)| Some(snapshot.id) == place.id);
            entries.iter_mut().for_each(|(_, parent)| *parent = None);
        }
        let shown = entries.iter().map(|(snapshot, parent)| {
            let tasks = snapshot.tasks.iter().map(|task| Json::Object(values::task(task)));
            let mut entry = values::snapshot(Some(snapshot), tasks.collect());
            entry["parent"] = (*parent).into();
            entry
        });
        out.insert("history".into(), shown.collect());
        Ok(())
    }

    async fn memory(&self, name: &str, op: &Op, out: &mut Entries) -> Result<(), Wrong> {
        let key = || ItemKey {
            namespace: words(op.get("namespace")),
            key: op.get("key").and_then(Value::as_str).unwrap_or_default().into(),
        };
        let number = |key| op.get(key).and_then(Value::as_int).map_or(0, |n| n as usize);
        match name {
            "put" => {
                let value = op.get("value").cloned().unwrap_or_default();
                let (created, updated) = (now(), now());
                let item = Item { key: key(), value, created, updated, expires: None };
                self.store.append(Batch::standalone().with(item)).await?;
            }
            "delete" => {
                let batch = Batch::standalone().with(Record::ForgetItem(key()));
                self.store.append(batch).await?;
            }
            "get" => {
                let item = self.store.item(key(), now()).await?;
                out.insert("value".into(), item.map_or(Json::Null, |i| values::value(&i.value)));
            }
            "search" => {
                let search = ItemSearch {
                    prefix: words(op.get("namespace")),
                    filter: Filter::parse(op.get("filter").unwrap_or(&Value::Null))?,
                    offset: number("offset"),
                    limit: number("limit"),
                };
                let mut items = self.store.search_items(search, now()).await?;
                items.sort_by(|a, b| a.key.cmp(&b.key));
                let items = items.iter().map(|item| {
                    let Item { key, value, .. } = item;
                    json!({"namespace": key.namespace, "key": key.key, "value": values::value(value)})
                });
                out.insert("items".into(), items.collect());
            }
            "list_namespaces" => {
                let prefix = words(op.get("prefix"));
                let search = NamespaceSearch { prefix, ..NamespaceSearch::default() };
                let found = self.store.item_namespaces(search, now()).await?;
                out.insert("namespaces".into(), json!(found));
            }
            other => return Err(CliError::usage(format!("the store has no `{other}`")).into()),
        }
        Ok(())
    }

    /// The snapshot of a place, with those of its subgraphs if wanted.
    fn state<'s>(
        &'s self,
        place: &'s Place,
        thread: &'s str,
        subgraphs: bool,
    ) -> BoxFuture<'s, Result<Json, CliError>> {
        Box::pin(async move {
            let Some(snapshot) = place.load(&self.store, thread).await? else {
                return Ok(values::snapshot(None, Vec::new()));
            };
            let mut tasks = Vec::new();
            for task in &snapshot.tasks {
                let mut shown = values::task(task);
                if let Some(below) = below(place, task).filter(|_| subgraphs) {
                    shown.insert("state".into(), self.state(&below, thread, true).await?);
                }
                tasks.push(Json::Object(shown));
            }
            Ok(values::snapshot(Some(&snapshot), tasks))
        })
    }

    /// All snapshots of a namespace, newest first, with the positions of their parents.
    async fn history(
        &self,
        place: &Place,
        thread: &str,
    ) -> Result<Vec<(Snapshot<Value>, Option<usize>)>, CliError> {
        let states = thread::states(&self.store, thread, &place.namespace).await?;
        let ids: Vec<_> = states.iter().map(|saved| saved.state.id).collect();
        let entries = states.iter().map(|saved| {
            let parent = ids.iter().position(|id| Some(*id) == saved.state.parent);
            (Snapshot::of(&place.graph, saved), parent)
        });
        Ok(entries.collect())
    }

    /// Where an operation looks or starts, when it says so.
    async fn place(&self, op: &Op, thread: &Arc<str>) -> Result<Option<Place>, CliError> {
        match op.get("checkpoint") {
            None => Ok(None),
            Some(Value::Str(word)) if &**word == "updated" => Ok(self.updated.get(thread).cloned()),
            Some(wanted) => {
                let graph = &self.workflow.plan.graph;
                Place::find(&self.store, graph, thread, wanted).await.map(Some)
            }
        }
    }

    fn input(&self, op: &Op, thread: &Arc<str>) -> Result<Input<Value>, CliError> {
        let Some(command) = op.get("command") else {
            return Ok(match op.get("input") {
                None | Some(Value::Null) => Input::Continue,
                Some(value) => Input::Value(self.instances(value)),
            });
        };
        let resume = match (command.get("resume"), command.get("resume_map")) {
            (_, Some(answers)) => Some(Resume::ById(self.answers(answers, thread)?)),
            (Some(Value::Null) | None, None) => None,
            (Some(answer), None) => Some(resume_of(answer)),
        };
        let part = |key| command.get(key).unwrap_or(&Value::Null);
        let update = convert::fields(part("update")).map_err(CliError::usage)?;
        let goto = convert::gotos(part("goto")).map_err(CliError::usage)?;
        Ok(Input::Command(InputCommand { resume, update, goto }))
    }

    /// Instances in a value get the defaults of their schemas, as when Python makes them.
    fn instances(&self, value: &Value) -> Value {
        let mut schemas = self.workflow.analysis.spec.schemas.iter();
        let class = value.get("class").filter(|_| value.tag() == Some("object"));
        let schema =
            schemas.find(|schema| class.is_some_and(|class| *class == schema.name.as_str().into()));
        let (Some(schema), Some(fields)) = (schema, value.get("fields").and_then(Value::as_map))
        else {
            return value.clone();
        };
        let all = schema.fields.iter().filter_map(|field| {
            let given = fields.get(field.name.as_str()).or(field.default.as_ref())?;
            Some((field.name.as_str(), given.clone()))
        });
        let class = Value::str(schema.name.as_str());
        Value::tagged("object", [("class", class), ("fields", Value::map(all))])
    }

    /// Answers by position in the last questions, as answers by id.
    fn answers(
        &self,
        answers: &Value,
        thread: &Arc<str>,
    ) -> Result<Vec<(InterruptId, Value)>, CliError> {
        let questions = self.questions.get(thread).map(Vec::as_slice).unwrap_or_default();
        let answers = answers.as_map().into_iter().flatten();
        let by_id = answers.map(|(index, answer)| {
            let question = index.parse::<usize>().ok().and_then(|index| questions.get(index));
            Some((*question?, answer.clone()))
        });
        by_id
            .collect::<Option<_>>()
            .ok_or_else(|| CliError::usage("`resume_map` names a question that was not asked"))
    }
}

/// The place where a task's subgraph stands.
fn below(place: &Place, task: &TaskSnapshot<Value>) -> Option<Place> {
    let (graph, _) = place.graph.subgraph(&task.node)?;
    let namespace = task.subgraph.clone()?;
    Some(Place { graph: graph.clone(), namespace, id: None, parents: Vec::new() })
}

fn set_options(request: &mut RunRequest, op: &Op) {
    // Tasks of a superstep run one after another, as in the recordings.
    request.options.max_concurrency = Some(1);
    request.options.siblings = Siblings::RunAll;
    request.options.stream_subgraphs = truth(op.get("subgraphs"));
    request.options.stream_all_keys = true;
    if let Some(config) = op.get("config") {
        request.config = config.clone();
        if let Some(limit) = config.get("recursion_limit").and_then(Value::as_int) {
            request.options.recursion_limit = limit as u32;
        }
    }
    let stops = |key: &str| op.get(key).map(|names| plan::targets(&words(Some(names))));
    request.options.interrupt_before = stops("interrupt_before");
    request.options.interrupt_after = stops("interrupt_after");
    request.durability = match op.get("durability").and_then(Value::as_str) {
        Some("sync") => Durability::Sync,
        Some("exit") => Durability::Exit,
        _ => Durability::Async,
    };
}

/// A map whose keys are all ids of questions answers each of them.
fn resume_of(answer: &Value) -> Resume<Value> {
    let answers = answer.as_map().filter(|map| !map.is_empty()).into_iter().flatten();
    let by_id = answers.map(|(key, answer)| Some((key.parse().ok()?, answer.clone())));
    match by_id.collect::<Option<Vec<_>>>() {
        Some(answers) if !answers.is_empty() => Resume::ById(answers),
        _ => Resume::Bare(answer.clone()),
    }
}

fn state_update(update: &Value) -> StateUpdate<Value> {
    let as_node = update.get("as_node").and_then(Value::as_str);
    StateUpdate {
        values: update.get("values").filter(|values| !values.is_null()).cloned(),
        as_node: as_node.map(Into::into),
        task: None,
        keeps_next: false,
    }
}

fn supersteps(op: &Op) -> Vec<Vec<StateUpdate<Value>>> {
    let steps = op.get("supersteps").and_then(Value::as_list).unwrap_or_default();
    let updates = |step: &Value| {
        step.as_list().unwrap_or_default().iter().map(state_update).collect::<Vec<_>>()
    };
    steps.iter().map(updates).collect()
}

/// A list of texts; a lone text is a list of one.
fn words(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Str(word)) => vec![word.to_string()],
        Some(Value::List(words)) => {
            words.iter().filter_map(Value::as_str).map(String::from).collect()
        }
        _ => Vec::new(),
    }
}

fn truth(value: Option<&Value>) -> bool {
    value.is_some_and(Value::is_truthy)
}
