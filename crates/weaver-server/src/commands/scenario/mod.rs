//! `agentweaver __scenario`: does what a scenario of the differential suite says,
//! with the parts that `agentweaver run` uses, and prints what happened.
//!
//! The vocabulary of scenarios and the shape of the output are described in
//! `tests/differential/README.md`. Nothing here decides how a graph runs: `ops`
//! drives the runtime, `place` finds checkpoints, `chunks` and `values` print.

mod chunks;
mod ops;
mod place;
mod values;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value as Json, json};
use weaver_core::Value;
use weaver_store::{OpenOptions, Store};

use crate::error::CliError;
use crate::house::{House, random_key};
use crate::settings::Settings;
use crate::workflow::{self, Workflow};
use ops::Session;

/// One scenario file.
#[derive(Deserialize)]
struct Scenario {
    file: Option<PathBuf>,
    graph: Option<String>,
    ops: Vec<Op>,
}

/// One operation, its fields as the file has them.
type Op = Value;

/// Prints the result of each scenario, a line of JSON for each.
pub async fn run(files: &[PathBuf], sqlite: bool) -> Result<(), CliError> {
    for file in files {
        let result = perform(file, sqlite).await?;
        anstream::println!("{result}");
    }
    Ok(())
}

async fn perform(path: &Path, sqlite: bool) -> Result<Json, CliError> {
    let text = workflow::read_source(path)?;
    let scenario: Scenario = serde_json::from_str(&text)
        .map_err(|error| CliError::usage(format!("{} is no scenario: {error}", path.display())))?;
    let source = match &scenario.file {
        Some(file) => path.with_file_name(file),
        None => path.with_extension("py"),
    };
    let graph = scenario.graph.as_deref().unwrap_or("app");
    let Ok(workflow) = Workflow::read(&source, Some(graph)) else {
        return Ok(json!({"build_error": {"class": "ValueError"}}));
    };
    let house = House::new(&Settings::default(), &workflow, None, random_key())?;
    let data = sqlite.then(DataDirectory::new);
    let store = match &data {
        Some(data) => Store::open_sqlite(&data.0, OpenOptions::default())?,
        None => Store::in_memory(),
    };
    let mut session = Session::new(&workflow, &house, store);
    let mut ops = Vec::new();
    for op in &scenario.ops {
        ops.push(session.perform(op).await?);
    }
    let threads = session.final_histories().await?;
    Ok(json!({"ops": ops, "threads": threads}))
}

/// A fresh directory, removed at the end.
struct DataDirectory(PathBuf);

impl DataDirectory {
    fn new() -> Self {
        let name = format!("agentweaver-scenario-{}", uuid::Uuid::new_v4());
        DataDirectory(std::env::temp_dir().join(name))
    }
}

impl Drop for DataDirectory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
