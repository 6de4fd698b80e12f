//! [`Files`]: the workflow files of a worker, and the Python processes that have
//! imported them.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use weaver_core::{Failure, FailureKind};

use crate::error::CliError;
use crate::python::Interpreter;
use crate::workflow::{read_source, text_version};

/// The files of a worker.
pub struct Files {
    interpreter: String,
    paths: Vec<PathBuf>,
    /// Processes that do nothing, by the hash of their text: importing takes its time.
    free: Mutex<Vec<(String, Interpreter)>>,
}

impl Files {
    /// Files that are there, run by a command such as `python3`.
    pub fn new(paths: &[PathBuf], interpreter: &str) -> Result<Self, CliError> {
        for path in paths {
            read_source(path)?;
        }
        let (interpreter, paths) = (interpreter.into(), paths.to_vec());
        Ok(Files { interpreter, paths, free: Mutex::default() })
    }

    /// Hashes of the texts that the files have now.
    pub fn texts(&self) -> Vec<String> {
        self.read().map(|(_, text)| text_version(&text)).collect()
    }

    /// A process that has imported the text of this hash.
    pub async fn process(&self, wanted: &str) -> Result<Interpreter, Failure> {
        let free = {
            let mut free = self.free();
            let place = free.iter().position(|(text, _)| text == wanted);
            place.map(|place| free.swap_remove(place).1)
        };
        if let Some(process) = free {
            return Ok(process);
        }
        let found = self.read().find(|(_, text)| text_version(text) == wanted);
        let Some((path, text)) = found else {
            let message = "the file was edited between the question for work and its answer";
            return Err(Failure::new(FailureKind::InvalidInput, "python_unavailable", message));
        };
        Interpreter::start(&self.interpreter, path, &text).await
    }

    /// Takes a process back that has ended its function. One of an older text is let go.
    pub fn give_back(&self, text: &str, process: Interpreter) {
        let current = self.texts();
        let mut free = self.free();
        free.retain(|(text, _)| current.contains(text));
        if current.iter().any(|own| own == text) {
            free.push((text.into(), process));
        }
    }

    /// The files that can be read now.
    fn read(&self) -> impl Iterator<Item = (&Path, String)> {
        self.paths.iter().filter_map(|path| {
            let text = std::fs::read_to_string(path).ok()?;
            Some((path.as_path(), text))
        })
    }

    fn free(&self) -> MutexGuard<'_, Vec<(String, Interpreter)>> {
        self.free.lock().expect("nothing panics while it is held")
    }
}
