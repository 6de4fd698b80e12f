//! [`Sources`]: refuses workflows that do not compile, before they are accepted.

use std::collections::HashSet;
use std::sync::Mutex;

use axum::http::StatusCode;
use weaver_api::Place;
use weaver_api::execution::WorkflowSource;
use weaver_core::{Diagnostic, Hash};

use super::Refusal;
use crate::render::source;
use crate::workflow::{Broken, Workflow, count};

/// Remembers which sources compile: the same one is submitted again and again.
#[derive(Default)]
pub struct Sources(Mutex<HashSet<Hash>>);

/// A hash is 32 bytes; beyond so many all are looked at anew.
const KNOWN_MAX: usize = 4096;

impl Sources {
    /// Refuses a source that does not compile, with every problem at its place.
    pub async fn check(&self, workflow: &WorkflowSource) -> Result<(), Refusal> {
        let graph = workflow.graph.as_deref().unwrap_or_default();
        let parts = [&workflow.file, &workflow.source, graph];
        let hash = Hash::of_parts(parts.map(str::as_bytes));
        if self.known().contains(&hash) {
            return Ok(());
        }
        let WorkflowSource { file, source, graph, .. } = workflow.clone();
        let build = move || Workflow::build(&file, &source, graph.as_deref()).map(drop);
        // A large file takes some milliseconds, in which others want their answers.
        let built = tokio::task::spawn_blocking(build).await;
        let built = built.expect("the compiler has no panic");
        built.map_err(|broken| broken_workflow(workflow, &broken))?;
        let mut known = self.known();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(hash);
        Ok(())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<Hash>> {
        self.0.lock().expect("nothing panics while it is held")
    }
}

/// What is wrong with a workflow that was sent; pointers are into it.
pub fn broken_workflow(workflow: &WorkflowSource, broken: &Broken) -> Refusal {
    let refuse = |detail| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, CODE, detail);
    let file = &workflow.file;
    let (problems, pointer, refusal) = match broken {
        Broken::NoGraph(missing) => {
            (missing, "/graph", refuse(format!("{file} has no such graph")))
        }
        Broken::Problems(problems) => {
            let detail = format!("{file} does not run: {}", count(problems.len()));
            (problems, "/source", refuse(detail))
        }
    };
    let is_of_text = pointer == "/source";
    problems.iter().fold(refusal, |refusal, problem| {
        let detail = sentence(problem);
        match is_of_text {
            true => refusal.at_place(pointer, detail, place(workflow, problem)),
            false => refusal.at(pointer, detail),
        }
    })
}

/// The code of a workflow that does not compile.
const CODE: &str = "workflow_invalid";

fn sentence(problem: &Diagnostic) -> String {
    match &problem.help {
        Some(help) => format!("{}; {help}", problem.message),
        None => problem.message.clone(),
    }
}

fn place(workflow: &WorkflowSource, problem: &Diagnostic) -> Place {
    Place {
        code: problem.code.clone(),
        line: problem.span.line,
        column: problem.span.column,
        excerpt: source::plain_diagnostic(&workflow.file, &workflow.source, problem),
    }
}
