//! `agentweaver run --fork`: runs on from a past checkpoint, changed if asked.

use std::collections::HashSet;
use std::sync::Arc;

use weaver_core::Value;
use weaver_engine::{Graph, Input, Outcome, StateUpdate};
use weaver_runtime::thread::Place;
use weaver_runtime::{RunRequest, drive, thread};
use weaver_store::Store;

use super::{Session, checked_update, find_workflow, input, json_argument, pin, request};
use crate::cli::RunArgs;
use crate::error::{CliError, exit};
use crate::house::snapshot_key;
use crate::settings::Settings;
use crate::workflow::Workflow;

/// Runs on from a checkpoint of the root graph or of a subgraph, as a branch of its
/// thread or in a thread of its own.
pub async fn run(
    args: &RunArgs,
    settings: &Settings,
    store: Store,
    checkpoint: &str,
) -> Result<(), CliError> {
    let thread: Arc<str> = args.thread.as_deref().unwrap_or_default().into();
    if thread::load(&store, &thread, "", None).await?.is_none() {
        return Err(input::unknown_thread(&thread));
    }
    let namespace = args.travel.namespace.as_deref();
    let mut place = thread::locate(&store, &thread, namespace, checkpoint).await?;
    let workflow = find_workflow(args, &store).await?;
    if args.file.is_some() {
        pin::check_fork(&store, &thread, place.root(), &workflow).await?;
    }
    let key = snapshot_key(&settings.data)?;
    let house = super::house(args, settings, &workflow, key)?;
    let session = Session::new(args, settings, &workflow, &house, store);
    let thread = match &args.travel.to_thread {
        None => thread,
        Some(to) => {
            let version = workflow.version();
            thread::copy_to(&session.store, &thread, &place, to, version).await?;
            to.as_str().into()
        }
    };
    if let Some(update) = &args.travel.update {
        place = session.edit(&thread, place, update).await?;
    }
    let mut request = request(args, &workflow, thread, Input::Continue)?;
    request.surroundings = Some(house.surroundings);
    request.at = Some(place.root());
    request.below = place.below();
    session.run(request).await
}

impl Session<'_> {
    /// Writes a changed state beside a checkpoint; gives its place.
    async fn edit(&self, thread: &str, place: Place, update: &str) -> Result<Place, CliError> {
        let values = json_argument("--update", update)?;
        // A subgraph has keys of its own; the engine leaves out what it does not have.
        let values = match place.namespace.is_empty() {
            true => checked_update(self.workflow, "--update", values)?,
            false => values,
        };
        let stood = thread::load(&self.store, thread, &place.namespace, Some(place.id)).await?;
        let next = stood.into_iter().flat_map(|(saved, _)| saved.state.next);
        let nodes = next.map(|task| task.node).collect();
        let graph = graph_at(self.workflow, &place, &nodes)?;
        let as_node = self.args.travel.as_node.as_deref().map(Arc::from);
        let edit = StateUpdate { values: Some(values), as_node, task: None, keeps_next: true };
        let mut request = RunRequest::new(thread, graph, Input::Update(vec![vec![edit]]));
        request.namespace = place.namespace.clone();
        request.at = Some(place.id);
        request.version = Some(self.workflow.version());
        let host = self.house.host(self.workflow, &self.workflow.plan, thread);
        let report = drive(Some(self.store.clone()), Arc::new(host), request).await?;
        match (report.checkpoint, report.outcome) {
            (Some(id), _) => Ok(Place { id, ..place }),
            (None, Outcome::Failed(failure)) => {
                let error = CliError::usage(format!("the state cannot be changed so: {failure}"));
                Err(match failure.code.as_str() {
                    "ambiguous_update" => error.with_help("name the node with --as-node"),
                    _ => error,
                })
            }
            (None, _) => {
                Err(CliError { code: exit::FAILED, ..CliError::usage("nothing was changed") })
            }
        }
    }
}

/// The graph that a namespace is of, in which these nodes run next.
fn graph_at(
    workflow: &Workflow,
    place: &Place,
    nodes: &HashSet<Arc<str>>,
) -> Result<Graph<Value>, CliError> {
    let plan = &workflow.plan;
    let graph = thread::graph_of(&plan.graph, plan.graphs.values(), &place.namespace, Some(nodes));
    graph.ok_or_else(|| {
        CliError::usage(format!("the file has no graph for `{}`", place.namespace))
            .with_help("change the state of the graph around it, or fork without --update")
    })
}
