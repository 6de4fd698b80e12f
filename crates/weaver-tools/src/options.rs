//! What the caller decides.

use std::path::PathBuf;
use std::time::Duration;

/// Settings of the built-in tools. Nothing here is read from the environment.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory that files and databases live in; nothing outside of it is
    /// touched. It must exist.
    pub workspace: PathBuf,
    /// Folders that `document_search` reads, by default the workspace.
    pub documents: Vec<PathBuf>,
    /// Of `http_request`.
    pub http: HttpOptions,
    /// Of `query_db`.
    pub database: DatabaseOptions,
    /// Of `file_op`.
    pub files: FileOptions,
    /// Who answers `web_search`.
    pub web_search: WebSearchOptions,
}

/// Settings of the guarded HTTP client.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Hosts that may be reached although their addresses are private: names or
    /// IP addresses, exactly as they stand in the URL, without ports.
    pub allow: Vec<String>,
    /// From the request to the end of the body, redirects included. Default 30 s.
    pub timeout: Duration,
    /// Largest body that is read, unpacked. Default 1 MiB.
    pub body_bytes_max: usize,
    /// Redirects that are followed, each checked like the first address. Default 5.
    pub redirects_max: usize,
}

/// Settings of database queries.
#[derive(Clone, Debug)]
pub struct DatabaseOptions {
    /// Whether a query that asks to write may. Default no.
    pub allow_write: bool,
    /// Most rows of an answer; more are cut off and said so. Default 500.
    pub rows_max: usize,
    /// Most bytes of an answer. Default 1 MiB.
    pub bytes_max: usize,
    /// Limit of one query. Default 10 s.
    pub timeout: Duration,
}

/// Settings of file operations.
#[derive(Clone, Debug)]
pub struct FileOptions {
    /// Whether files may be written and deleted. Default yes: the workspace is for that.
    pub allow_write: bool,
    /// Largest file that is read, written, or grown to. Default 1 MiB.
    pub file_bytes_max: u64,
    /// Most entries of a listing; more are cut off and said so. Default 1,000.
    pub entries_max: usize,
}

/// Who answers `web_search`.
#[derive(Clone, Default)]
pub enum WebSearchOptions {
    /// The local document search: works offline.
    #[default]
    Local,
    /// A SearXNG server with its JSON format enabled.
    SearXng {
        /// Its base address; it may be private.
        url: String,
    },
    /// Tavily.
    Tavily {
        /// The key. Never printed.
        key: String,
        /// Another address than the usual one.
        url: Option<String>,
    },
    /// Brave Search.
    Brave {
        /// The key. Never printed.
        key: String,
        /// Another address than the usual one.
        url: Option<String>,
    },
}

impl Options {
    /// The defaults, for a workspace directory.
    pub fn new(workspace: impl Into<PathBuf>) -> Self {
        Options {
            workspace: workspace.into(),
            documents: Vec::new(),
            http: HttpOptions::default(),
            database: DatabaseOptions::default(),
            files: FileOptions::default(),
            web_search: WebSearchOptions::default(),
        }
    }
}

impl Default for HttpOptions {
    fn default() -> Self {
        HttpOptions {
            allow: Vec::new(),
            timeout: Duration::from_secs(30),
            body_bytes_max: 1 << 20,
            redirects_max: 5,
        }
    }
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        DatabaseOptions {
            allow_write: false,
            rows_max: 500,
            bytes_max: 1 << 20,
            timeout: Duration::from_secs(10),
        }
    }
}

impl Default for FileOptions {
    fn default() -> Self {
        FileOptions { allow_write: true, file_bytes_max: 1 << 20, entries_max: 1000 }
    }
}

impl std::fmt::Debug for WebSearchOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            WebSearchOptions::Local => "Local",
            WebSearchOptions::SearXng { .. } => "SearXng",
            WebSearchOptions::Tavily { .. } => "Tavily",
            WebSearchOptions::Brave { .. } => "Brave",
        })
    }
}
