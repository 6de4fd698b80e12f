//! [`Bench`]: makes submitted executions runnable.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use uuid::Uuid;
use weaver_agent::plan::{self, targets};
use weaver_core::{Failure, FailureKind, Hash, Value};
use weaver_engine::{RunOptions, Targets};
use weaver_interpreter::Binding;
use weaver_llm::Gateway;
use weaver_runtime::reuse::Code;
use weaver_runtime::scheduler::{Job, Prepared, Workshop};
use weaver_store::TenantId;

use crate::error::CliError;
use crate::house::{Parts, gateway, surroundings};
use crate::ledger::Ledger;
use crate::settings::Settings;
use crate::vault::{Keys, Vault};
use crate::workflow::{Broken, Workflow};

/// Compiled workflows and models, by what they were made from.
pub struct Bench {
    settings: Settings,
    vault: Vault,
    parts: Parts,
    workflows: Kept<(Hash, Option<String>), Arc<Workflow>>,
    gateways: Kept<Asked, (Gateway, Hash)>,
    /// Counts what executions use.
    ledger: Option<Ledger>,
}

/// Whose, with which keys, which model, which script.
type Asked = (TenantId, Option<Uuid>, Option<String>, Option<Hash>);

/// What was made last, to be used again.
struct Kept<K, V>(Mutex<HashMap<K, V>>);

/// Versions and models that are in use at a time are few; beyond this all are
/// made anew, which costs some milliseconds each.
const KEPT_MAX: usize = 256;

impl Bench {
    /// A bench with the parts that runs of this process share. Needs a tokio runtime.
    pub fn new(settings: Settings, vault: Vault, key: [u8; 32]) -> Result<Self, CliError> {
        let parts = Parts::new(&settings, key)?;
        let (workflows, gateways) = (Kept::new(), Kept::new());
        Ok(Bench { settings, vault, parts, workflows, gateways, ledger: None })
    }

    /// The same; what executions use of models is counted.
    pub fn counting(self, ledger: Ledger) -> Self {
        Bench { ledger: Some(ledger), ..self }
    }

    /// Makes what drives an execution.
    pub async fn make(&self, job: &Job) -> Result<Prepared, Failure> {
        let keys = self.vault.keys(job.tenant).await.map_err(|error| {
            Failure::new(FailureKind::Internal, error.code(), error.to_string())
        })?;
        self.assemble(job, &keys)
    }

    fn assemble(&self, job: &Job, keys: &Keys) -> Result<Prepared, Failure> {
        let workflow = self.workflow(job)?;
        let (gateway, surroundings) = self.gateway(job, keys)?;
        let binding = Binding { tenant: job.tenant.to_string(), execution: job.thread.to_string() };
        let handler = self.parts.host(&gateway, &workflow, &workflow.plan, binding, None);
        let mut options = RunOptions::default();
        if let Some(limit) = job.order.recursion_limit {
            options.recursion_limit = limit;
        }
        if let Some(wanted) = &job.order.breakpoints {
            let own = &workflow.graph().compile;
            options.interrupt_before = Some(both(&own.interrupt_before, &wanted.before));
            options.interrupt_after = Some(both(&own.interrupt_after, &wanted.after));
        }
        Ok(Prepared {
            graph: workflow.plan.graph.clone(),
            handler: Arc::new(handler),
            context: workflow.plan.context(job.order.context.clone())?,
            config: Value::map([(
                "configurable",
                Value::map([("thread_id", Value::Str(job.thread.clone()))]),
            )]),
            options,
            surroundings: Some(surroundings),
        })
    }

    /// The compiled workflow of an execution.
    pub fn workflow(&self, job: &Job) -> Result<Arc<Workflow>, Failure> {
        let key = (job.version.hash, job.order.graph.clone());
        self.workflows.get_or_make(key, || {
            let version = &job.version;
            let built = Workflow::build(&version.file, &version.source, job.order.graph.as_deref());
            built.map(Arc::new).map_err(|broken| workflow_invalid(&version.file, &broken))
        })
    }

    /// Models, and a hash of what else an execution answers from.
    fn gateway(&self, job: &Job, keys: &Keys) -> Result<(Gateway, Hash), Failure> {
        let script = job.order.script.as_deref();
        let script_hash = script.map(|text| Hash::of(text.as_bytes()));
        let key = (keys.tenant(), keys.id, job.order.model.clone(), script_hash);
        self.gateways.get_or_make(key, || {
            let path = match script {
                Some(text) => Some(self.script(text).map_err(|error| {
                    Failure::new(FailureKind::Internal, "script_unwritable", error.to_string())
                })?),
                None => None,
            };
            let (mut options, usual) = (keys.join(&self.settings.models), &self.settings.model);
            options.tally = self.ledger.as_ref().map(|ledger| ledger.tally(keys.tenant()));
            let made = gateway(&options, usual.as_deref(), path, job.order.model.as_deref());
            let (gateway, note) = made.map_err(|error| refused("model_unknown", error))?;
            Ok((gateway, surroundings(&self.settings, note.as_deref())))
        })
    }

    /// A file with a script that was sent along.
    fn script(&self, text: &str) -> std::io::Result<PathBuf> {
        let directory = self.settings.data.join("scripts");
        std::fs::create_dir_all(&directory)?;
        let path = directory.join(format!("{}.yaml", Hash::of(text.as_bytes()).to_hex()));
        if !path.exists() {
            let draft = path.with_extension(format!("{}.new", uuid::Uuid::now_v7()));
            std::fs::write(&draft, text)?;
            std::fs::rename(&draft, &path)?;
        }
        Ok(path)
    }
}

impl Workshop for Bench {
    fn prepare(&self, job: Job) -> BoxFuture<'_, Result<Prepared, Failure>> {
        async move { self.make(&job).await }.boxed()
    }

    fn code(&self, job: &Job) -> Option<Arc<Code>> {
        let workflow = self.workflow(job).ok()?;
        Some(Arc::new(plan::code(&workflow.analysis, &workflow.plan)))
    }
}

impl<K: std::hash::Hash + Eq, V: Clone> Kept<K, V> {
    fn new() -> Self {
        Kept(Mutex::new(HashMap::new()))
    }

    fn get_or_make(&self, key: K, make: impl FnOnce() -> Result<V, Failure>) -> Result<V, Failure> {
        if let Some(kept) = self.lock().get(&key) {
            return Ok(kept.clone());
        }
        let made = make()?;
        let mut kept = self.lock();
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(key, made.clone());
        Ok(made)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<K, V>> {
        self.0.lock().expect("nothing panics while it is held")
    }
}

/// Breakpoints of the file and of who runs it.
fn both(own: &[String], wanted: &[String]) -> Targets {
    let all: Vec<String> = own.iter().chain(wanted).cloned().collect();
    match all.iter().any(|name| name == "*") {
        true => Targets::All,
        false => targets(&all),
    }
}

/// A version that was accepted and does not compile here: it was written past the API,
/// or for another release.
fn workflow_invalid(file: &str, broken: &Broken) -> Failure {
    let (Broken::NoGraph(problems) | Broken::Problems(problems)) = broken;
    let message = match problems.split_first() {
        None => format!("{file} does not run"),
        Some((first, rest)) => {
            let more = match rest.len() {
                0 => String::new(),
                n => format!(", and {n} more"),
            };
            let (line, column) = (first.span.line, first.span.column);
            format!("{file}:{line}:{column}: {}{more}", first.message)
        }
    };
    let failure = Failure::new(FailureKind::InvalidInput, "workflow_invalid", message);
    match problems.first().and_then(|first| first.help.clone()) {
        Some(help) => failure.with_help(help),
        None => failure,
    }
}

fn refused(code: &'static str, error: CliError) -> Failure {
    let failure =
        Failure::new(FailureKind::InvalidInput, error.word.unwrap_or(code), error.message);
    match error.help {
        Some(help) => failure.with_help(help),
        None => failure,
    }
}
