//! The built-in tools: what models see of the functions next door.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use weaver_core::{Map, Value};

use crate::database::{DatabaseQuery, Databases};
use crate::files::Workspace;
use crate::http::{HttpBody, HttpClient, HttpRequest};
use crate::options::Options;
use crate::registry::Registry;
use crate::search::Documents;
use crate::tool::{Context, Definition, Effect, FnTool, ToolError};
use crate::web::WebSearch;

/// The parts that the built-in tools are made of, for typed nodes, which call
/// them directly. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Toolbox {
    /// The guarded HTTP client.
    pub http: HttpClient,
    /// Files of the workspace.
    pub files: Workspace,
    /// Databases of the workspace.
    pub databases: Databases,
    /// The local documents.
    pub documents: Documents,
    /// The web, or what stands in for it.
    pub web: WebSearch,
}

impl Toolbox {
    /// Opens the workspace and makes the parts.
    pub fn new(options: &Options) -> Result<Self, ToolError> {
        let files = Workspace::open(&options.workspace, options.files.clone())?;
        let folders = match options.documents.is_empty() {
            true => vec![options.workspace.clone()],
            false => options.documents.clone(),
        };
        let documents = Documents::new(folders);
        Ok(Toolbox {
            http: HttpClient::new(options.http.clone())?,
            databases: Databases::new(files.clone(), options.database.clone()),
            web: WebSearch::new(options.web_search.clone(), &options.http, documents.clone())?,
            files,
            documents,
        })
    }

    /// The built-in tools: `http_request`, `query_db`, `file_op`,
    /// `document_search`, `web_search`.
    pub fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        let tools = [
            http_request(self.http.clone()),
            query_db(self.databases.clone()),
            file_op(self.files.clone()),
            document_search(self.documents.clone()),
            web_search(self.web.clone()),
        ];
        for tool in tools {
            registry.add(tool).expect("the built-in definitions are good; a test adds them");
        }
        registry
    }
}

fn define(
    name: &str,
    effect: Effect,
    seconds: u64,
    about: &str,
    schema: serde_json::Value,
) -> Definition {
    Definition {
        name: name.into(),
        description: about.into(),
        parameters: Value::from(&schema),
        effect,
        needs_approval: false,
        timeout: Duration::from_secs(seconds),
    }
}

/// Arguments as a struct. They fit the schema, so this fails only on what a
/// schema cannot say.
fn read<T: DeserializeOwned>(args: &Value) -> Result<T, ToolError> {
    serde_json::from_value(args.into())
        .map_err(|error| ToolError::failed(format!("the arguments cannot be read: {error}")))
}

fn http_request(client: HttpClient) -> FnTool {
    let schema = json!({
        "type": "object",
        "properties": {
            "url": {"type": "string", "description": "An http or https address."},
            "method": {"enum": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], "default": "GET"},
            "query": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]},
                "description": "Added to the address."},
            "headers": {"type": "object", "additionalProperties": {"type": "string"}},
            "json": {"description": "A body that is sent as JSON."},
            "body": {"type": "string", "description": "A body that is sent as it is."}
        },
        "required": ["url"],
        "not": {"required": ["json", "body"]},
        "additionalProperties": false
    });
    let about = "Makes an HTTP request to the public internet and gives status, headers and body.";
    FnTool::new(define("http_request", Effect::Write, 60, about, schema), move |args, context| {
        let client = client.clone();
        async move {
            let request = http_args(&args, &context)?;
            Ok(client.send(request).await?.to_value())
        }
    })
    .with_effect(|args| match args.get("method").and_then(Value::as_str) {
        None | Some("GET" | "HEAD") => Effect::Read,
        Some(_) => Effect::Write,
    })
}

fn http_args(args: &Value, context: &Context) -> Result<HttpRequest, ToolError> {
    #[derive(Deserialize)]
    struct Args {
        url: String,
        #[serde(default)]
        method: String,
        #[serde(default)]
        query: Map,
        #[serde(default)]
        headers: Map,
        #[serde(default)]
        json: Option<Value>,
        #[serde(default)]
        body: Option<String>,
    }
    let args: Args = read(args)?;
    let pairs = |map: &Map| {
        map.iter()
            .map(|(key, value)| {
                let text = value.as_str().map_or_else(|| value.to_json(), str::to_string);
                (key.to_string(), text)
            })
            .collect::<Vec<_>>()
    };
    let mut headers = pairs(&args.headers);
    let writes = !matches!(args.method.as_str(), "" | "GET" | "HEAD");
    let has_key = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("idempotency-key"));
    if let Some(key) = context.idempotency_key.as_ref().filter(|_| writes && !has_key) {
        headers.push(("idempotency-key".into(), key.clone()));
    }
    let body = match (args.json, args.body) {
        (Some(json), _) => HttpBody::Json(json),
        (None, Some(text)) => HttpBody::Text(text),
        (None, None) => HttpBody::Empty,
    };
    let query = pairs(&args.query);
    Ok(HttpRequest { method: args.method, url: args.url, query, headers, body, timeout: None })
}

fn query_db(databases: Databases) -> FnTool {
    let schema = json!({
        "type": "object",
        "properties": {
            "database": {"type": "string", "description": "The SQLite file, relative to the workspace."},
            "sql": {"type": "string", "description": "One statement. Put values into params, never into the text."},
            "params": {"type": ["array", "object"], "description": "Values for ? (a list) or :name (an object)."},
            "write": {"type": "boolean", "default": false, "description": "Whether the statement writes."}
        },
        "required": ["database", "sql"],
        "additionalProperties": false
    });
    let about = "Runs one SQL statement on a SQLite database of the workspace and gives its rows. Read-only unless writing was allowed.";
    FnTool::new(define("query_db", Effect::Write, 60, about, schema), move |args, _| {
        let databases = databases.clone();
        async move {
            #[derive(Deserialize)]
            struct Args {
                database: String,
                sql: String,
                #[serde(default)]
                params: Value,
                #[serde(default)]
                write: bool,
            }
            let Args { database, sql, params, write } = read(&args)?;
            let query = DatabaseQuery { path: database, sql, params, write };
            Ok(databases.query(query).await?.to_value())
        }
    })
    .with_effect(|args| match args.get("write").and_then(Value::as_bool) {
        Some(true) => Effect::Write,
        _ => Effect::Read,
    })
}

fn file_op(files: Workspace) -> FnTool {
    let schema = json!({
        "type": "object",
        "properties": {
            "operation": {"enum": ["read", "write", "append", "list", "delete"]},
            "path": {"type": "string", "description": "Relative to the workspace; `.` is the workspace."},
            "content": {"type": "string", "description": "The text to write or append."}
        },
        "required": ["operation", "path"],
        "if": {"properties": {"operation": {"enum": ["write", "append"]}}},
        "then": {"required": ["content"]},
        "additionalProperties": false
    });
    let about = "Reads, writes, appends to, lists or deletes files in the workspace directory.";
    FnTool::new(define("file_op", Effect::Write, 30, about, schema), move |args, _| {
        let files = files.clone();
        async move {
            let work = tokio::task::spawn_blocking(move || file_call(&files, &args));
            work.await.unwrap_or_else(|_| Err(ToolError::failed("the operation was broken off")))
        }
    })
    .with_effect(|args| match args.get("operation").and_then(Value::as_str) {
        Some("read" | "list") => Effect::Read,
        // Appending twice is not the same as once.
        Some("append") => Effect::AtMostOnce,
        _ => Effect::Write,
    })
}

fn file_call(files: &Workspace, args: &Value) -> Result<Value, ToolError> {
    #[derive(Deserialize)]
    struct Args {
        operation: String,
        path: String,
        #[serde(default)]
        content: String,
    }
    let Args { operation, path, content } = read(args)?;
    let done = |bytes: usize| {
        Value::map([("path", Value::str(&*path)), ("bytes", Value::Int(bytes as i64))])
    };
    match operation.as_str() {
        "read" => files.read(&path).map(|text| {
            let text = text.replace('\0', "\u{fffd}");
            Value::map([("path", Value::str(&*path)), ("content", text.into())])
        }),
        "write" => files.write(&path, &content).map(|()| done(content.len())),
        "append" => files.append(&path, &content).map(|()| done(content.len())),
        "list" => files.list(&path).map(|listing| listing.to_value()),
        _ => files
            .delete(&path)
            .map(|()| Value::map([("path", Value::str(&*path)), ("deleted", true.into())])),
    }
}

#[derive(Deserialize)]
struct SearchArgs {
    query: String,
    #[serde(default)]
    limit: Option<usize>,
}

fn search_schema() -> serde_json::Value {
    json!({
        "type": "object",
        "properties": {
            "query": {"type": "string", "minLength": 1, "description": "A few words to look for."},
            "limit": {"type": "integer", "minimum": 1, "maximum": 50, "default": 5}
        },
        "required": ["query"],
        "additionalProperties": false
    })
}

fn document_search(documents: Documents) -> FnTool {
    let about = "Searches the local documents (text and Markdown) and gives the best passages with file, lines and score.";
    let definition = define("document_search", Effect::Read, 30, about, search_schema());
    FnTool::new(definition, move |args, _| {
        let documents = documents.clone();
        async move {
            let SearchArgs { query, limit } = read(&args)?;
            let passages = documents.search(&query, limit.unwrap_or(5)).await?;
            Ok(Value::map([(
                "passages",
                Value::list(passages.iter().map(|passage| passage.to_value())),
            )]))
        }
    })
}

fn web_search(web: WebSearch) -> FnTool {
    let about = "Searches the web and gives titles, addresses and snippets. Offline it searches the local documents instead and says so.";
    let definition = define("web_search", Effect::Read, 30, about, search_schema());
    FnTool::new(definition, move |args, _| {
        let web = web.clone();
        async move {
            let SearchArgs { query, limit } = read(&args)?;
            Ok(web.search(&query, limit.unwrap_or(5)).await?.to_value())
        }
    })
}
