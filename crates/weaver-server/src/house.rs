//! [`House`]: the parts that a run needs, made from the settings.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use weaver_agent::{Host, Machine, Plan, Services};
use weaver_core::Hash;
use weaver_interpreter::{Binding, Pool, PoolOptions};
use weaver_llm::{Gateway, Options};
use weaver_store::{OpenOptions, Store};
use weaver_tools::{Registry, Toolbox, WebSearchOptions};

use crate::error::CliError;
use crate::private_file;
use crate::settings::Settings;
use crate::vault::Vault;
use crate::workflow::{Workflow, text_version};

/// The tenant of a run from the command line.
pub const LOCAL_TENANT: &str = "local";

/// Half a second in all: longer than a child takes to start.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// What all runs of this process share. Cheap to clone.
#[derive(Clone)]
pub struct Parts {
    tools: Registry,
    pool: Pool,
    environment: Arc<HashMap<String, String>>,
}

impl Parts {
    /// Makes the parts. Needs a tokio runtime.
    pub fn new(settings: &Settings, key: [u8; 32]) -> Result<Self, CliError> {
        let program = std::env::current_exe()
            .map_err(|error| CliError::failed(format!("cannot find this program: {error}")))?;
        let pool = Pool::new(PoolOptions::new(program, vec!["__pyworker".into()], key));
        Ok(Parts {
            tools: tools(settings)?,
            pool,
            environment: Arc::new(settings.environment.clone().into_iter().collect()),
        })
    }

    /// What runs the nodes of a plan. Functions that wait are sealed for a tenant
    /// and a thread: no other can be given them.
    pub fn host(
        &self,
        gateway: &Gateway,
        workflow: &Workflow,
        plan: &Plan,
        binding: Binding,
        machine: Option<Arc<dyn Machine>>,
    ) -> Host {
        let schemas = workflow.analysis.spec.schemas.iter();
        let services = Services {
            file: workflow.file.as_str().into(),
            gateway: gateway.clone(),
            tools: self.tools.clone(),
            file_tools: plan.tools.clone(),
            graphs: plan.graphs.clone(),
            schemas: Arc::new(
                schemas.map(|schema| (schema.name.clone(), schema.clone())).collect(),
            ),
            environment: self.environment.clone(),
            text: text_version(&workflow.analysis.source).into(),
            machine,
        };
        Host::new(plan, services, self.pool.session(plan.program.clone(), binding))
    }
}

/// The parts that a run from the command line needs.
pub struct House {
    /// Models.
    pub gateway: Gateway,
    /// What every model call is answered by, when it is not what the file says.
    pub model_note: Option<String>,
    /// A hash of what nodes may see of the settings, and of the model that stands in
    /// for the file's.
    pub surroundings: Hash,
    parts: Parts,
    /// Runs functions outside the sandbox, where the user asks for that.
    machine: Option<Arc<dyn Machine>>,
}

impl House {
    /// Makes the parts for a workflow. Needs a tokio runtime.
    pub fn new(
        settings: &Settings,
        workflow: &Workflow,
        model: Option<&str>,
        key: [u8; 32],
    ) -> Result<Self, CliError> {
        let script = workflow.beside("script.yaml").or_else(|| workflow.beside("script.json"));
        let usual = settings.model.as_deref();
        let (gateway, model_note) = gateway(&settings.models, usual, script, model)?;
        Ok(House {
            surroundings: surroundings(settings, model_note.as_deref()),
            gateway,
            model_note,
            parts: Parts::new(settings, key)?,
            machine: None,
        })
    }

    /// Has this machine's own Python run what the embedded interpreter cannot.
    pub fn run_on(&mut self, machine: Arc<dyn Machine>) {
        self.machine = Some(machine);
    }

    /// What runs the nodes of a plan on a thread.
    pub fn host(&self, workflow: &Workflow, plan: &Plan, thread: &str) -> Host {
        let binding = Binding { tenant: LOCAL_TENANT.into(), execution: thread.into() };
        self.parts.host(&self.gateway, workflow, plan, binding, self.machine.clone())
    }
}

/// A hash of what nodes may see of the settings, and of the model that stands in for
/// the file's.
pub fn surroundings(settings: &Settings, model_note: Option<&str>) -> Hash {
    let environment = settings.environment.iter().flat_map(|(name, value)| [&**name, &**value]);
    Hash::of_parts(model_note.into_iter().chain(environment).map(str::as_bytes))
}

/// Opens the log in the data directory, which is made when there is none.
pub fn open_store(settings: &Settings) -> Result<Store, CliError> {
    check_directory(&settings.data)?;
    if settings.database_url.is_some() {
        // Keys and scripts are kept there all the same.
        std::fs::create_dir_all(&settings.data).map_err(|error| {
            CliError::usage(format!("cannot make {}: {error}", settings.data.display()))
        })?;
        return Ok(settings.place().open()?);
    }
    for _ in 0..LOCK_TRIES {
        match Store::open_sqlite(&settings.data, OpenOptions::default()) {
            // A run that has just ended leaves the lock for a moment to a child that it
            // was starting: between its fork and its exec.
            Err(weaver_store::Error::Locked { .. }) => std::thread::sleep(LOCK_PAUSE),
            opened => return Ok(opened?),
        }
    }
    Ok(Store::open_sqlite(&settings.data, OpenOptions::default())?)
}

/// Opens the log for looking; nothing when there is none yet.
pub fn look_into_store(settings: &Settings) -> Result<Option<Store>, CliError> {
    check_directory(&settings.data)?;
    if settings.database_url.is_some() {
        return Ok(Some(settings.place().open()?));
    }
    match Store::open_sqlite_read_only(&settings.data) {
        Ok(store) => Ok(Some(store)),
        Err(weaver_store::Error::Missing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn check_directory(data: &Path) -> Result<(), CliError> {
    if data.exists() && !data.is_dir() {
        let message = format!("the data directory {} is not a directory", data.display());
        return Err(CliError { word: Some("store_unwritable"), ..CliError::usage(message) }
            .with_help("remove that file, or choose another directory with --data"));
    }
    Ok(())
}

/// The key that seals suspended functions: made once for each data directory, in which
/// several servers may begin at once.
pub fn snapshot_key(data: &Path) -> Result<[u8; 32], CliError> {
    let path = data.join("snapshot.key");
    let wrong = |error: std::io::Error| {
        CliError::usage(format!("cannot read or write {}: {error}", path.display()))
    };
    let known = match std::fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = random_key();
            match private_file::write_new(&path, &key) {
                Ok(()) => return Ok(key),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => std::fs::read(&path),
                Err(error) => Err(error),
            }
        }
        known => known,
    };
    known.map_err(wrong)?.try_into().map_err(|_| {
        CliError::usage(format!("{} is not a key of 32 bytes", path.display()))
            .with_help("remove it; waiting functions then start again from their top")
    })
}

/// A key for a run that keeps nothing.
pub fn random_key() -> [u8; 32] {
    let halves = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
    let more = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
    let mut key = [0; 32];
    for (i, byte) in key.iter_mut().enumerate() {
        let (one, other) = (halves[i / 16].as_bytes()[i % 16], more[i / 16].as_bytes()[i % 16]);
        *byte = one ^ other.rotate_left(4);
    }
    key
}

/// The models of a run. `--model` wins, then the `usual` one; else a script beside the file stands in
/// for providers that have no key; else the file's own models are asked.
pub fn gateway(
    options: &Options,
    usual: Option<&str>,
    script: Option<PathBuf>,
    model: Option<&str>,
) -> Result<(Gateway, Option<String>), CliError> {
    let mut options = options.clone();
    let model = model.or(usual).map(String::from);
    let has_key = options.providers.values().any(|provider| provider.api_key.is_some());
    let model = model.or_else(|| (script.is_some() && !has_key).then(|| "scripted".to_string()));
    options.script = script;
    options.override_model.clone_from(&model);
    let refused = |error: weaver_llm::Error| {
        let word = Some(error.code());
        CliError { word, ..CliError::usage(error.to_string()) }
    };
    let gateway = Gateway::new(options).map_err(refused)?;
    let Some(model) = model else { return Ok((gateway, None)) };
    let resolved = gateway.resolve(&model).map_err(refused)?;
    let note = match resolved.offline {
        true if resolved.model.is_empty() => "scripted, no real model: simple rules".to_string(),
        true => format!("scripted, no real model: answers from {}", resolved.model),
        false => resolved.to_string(),
    };
    Ok((gateway, Some(note)))
}

/// The models that clients ask by name. A model of the settings answers those who
/// name none.
pub async fn models(mut settings: Settings) -> Result<Gateway, CliError> {
    match look_into_store(&settings) {
        Ok(Some(store)) => unseal(&mut settings, &store).await?,
        Ok(None) => {}
        // It is from before there were credentials.
        Err(error) if error.word == Some("store_older") => {}
        Err(error) => return Err(error),
    }
    let options = named(&settings);
    Gateway::new(options).map_err(|error| CliError::usage(error.to_string()))
}

/// Settings of models that clients ask by name.
pub fn named(settings: &Settings) -> Options {
    let mut options = settings.models.clone();
    options.default_model = settings.model.clone().or(options.default_model);
    options
}

/// Takes the local tenant's credentials into the settings, where they come first.
pub async fn unseal(settings: &mut Settings, store: &Store) -> Result<(), CliError> {
    let vault = Vault::new(store.clone(), settings.master.clone(), &settings.models);
    settings.models = vault.keys(store.tenant()).await?.join(&settings.models);
    Ok(())
}

fn tools(settings: &Settings) -> Result<Registry, CliError> {
    let workspace = std::env::current_dir()
        .map_err(|error| CliError::usage(format!("the current directory is gone: {error}")))?;
    let mut options = weaver_tools::Options::new(workspace);
    options.http.allow.clone_from(&settings.http_allow);
    options.database.allow_write = settings.database_write;
    if let Some(url) = &settings.searxng {
        options.web_search = WebSearchOptions::SearXng { url: url.clone() };
    }
    let toolbox = Toolbox::new(&options)
        .map_err(|error| CliError::usage(format!("the tools cannot be set up: {error}")))?;
    Ok(toolbox.registry())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_begin_at_once_have_one_snapshot_key() {
        for _ in 0..20 {
            let data = tempfile::tempdir().unwrap();
            let keys: Vec<[u8; 32]> = std::thread::scope(|scope| {
                let begin = || scope.spawn(|| snapshot_key(data.path()).unwrap());
                let begun: Vec<_> = (0..8).map(|_| begin()).collect();
                begun.into_iter().map(|server| server.join().unwrap()).collect()
            });
            assert!(keys.iter().all(|key| *key == keys[0]));
            assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 1, "no draft stays");
        }
    }
}
