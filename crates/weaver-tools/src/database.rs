//! Questions to SQLite databases in the workspace.
//!
//! Read-only is SQLite's own doing, three times over: the file is opened for
//! reading, `query_only` is set, and an authorizer refuses every action that is
//! not reading while the statement is prepared. `ATTACH`, `VACUUM INTO` and
//! extensions, which reach other files, are refused even where writing is allowed.

use std::time::{Duration, Instant};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, Statement, ToSql};
use weaver_core::{Map, Value};

use crate::files::Workspace;
use crate::options::DatabaseOptions;
use crate::tool::ToolError;

/// The databases of a workspace. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Databases {
    workspace: Workspace,
    options: DatabaseOptions,
}

/// One statement with its values.
#[derive(Clone, Debug, Default)]
pub struct DatabaseQuery {
    /// The database file, relative to the workspace.
    pub path: String,
    /// One SQL statement. Values belong into `params`, never into the text.
    pub sql: String,
    /// A list for `?`, or a map for `:name` (the colon may be left out).
    pub params: Value,
    /// Whether it writes. Must be allowed by the options.
    pub write: bool,
}

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub struct DatabaseRows {
    /// Names of the columns, made different where they are the same.
    pub columns: Vec<String>,
    /// The rows as maps.
    pub rows: Vec<Value>,
    /// There are more rows than the limits allow.
    pub truncated: bool,
    /// Rows that a writing statement changed.
    pub changes: u64,
}

impl DatabaseRows {
    /// `{"columns", "rows", "row_count", "truncated", "changes"}`.
    pub fn to_value(&self) -> Value {
        let columns = self.columns.iter().map(|name| Value::str(&**name));
        Value::map([
            ("columns", Value::list(columns)),
            ("rows", Value::list(self.rows.iter().cloned())),
            ("row_count", self.rows.len().into()),
            ("truncated", self.truncated.into()),
            ("changes", Value::Int(i64::try_from(self.changes).unwrap_or(i64::MAX))),
        ])
    }
}

impl Databases {
    /// The databases of a workspace.
    pub fn new(workspace: Workspace, options: DatabaseOptions) -> Self {
        Databases { workspace, options }
    }

    /// Runs one statement, on a thread of its own.
    pub async fn query(&self, query: DatabaseQuery) -> Result<DatabaseRows, ToolError> {
        let this = self.clone();
        let work = tokio::task::spawn_blocking(move || this.query_blocking(&query));
        work.await.unwrap_or_else(|_| Err(ToolError::failed("the query was broken off")))
    }

    fn query_blocking(&self, query: &DatabaseQuery) -> Result<DatabaseRows, ToolError> {
        if query.write && !self.options.allow_write {
            return Err(ToolError::refused(
                "Writing to databases is not allowed here; the settings of the tool can allow it.",
            ));
        }
        let mut connection = self.open(query)?;
        let deadline = Instant::now() + self.options.timeout;
        connection
            .progress_handler(1000, Some(move || Instant::now() >= deadline))
            .and_then(|()| connection.authorizer(Some(authorizer(query.write))))
            .map_err(|error| sql_error(&error, query, self.options.timeout))?;
        self.run(&connection, query)
            .map_err(|error| error.into_tool_error(query, self.options.timeout))
    }

    fn open(&self, query: &DatabaseQuery) -> Result<Connection, ToolError> {
        let path = self.workspace.checked_path(&query.path, query.write)?;
        let mode = match query.write {
            true => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
            false => OpenFlags::SQLITE_OPEN_READ_ONLY,
        };
        // A link that appears after our check is refused by SQLite itself. The path
        // is never read as a URI, which could carry options.
        let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = Connection::open_with_flags(path, flags);
        connection
            .and_then(|connection| {
                connection.busy_timeout(Duration::from_secs(2))?;
                connection.pragma_update(None, "query_only", !query.write)?;
                connection.pragma_update(None, "trusted_schema", false)?;
                connection.pragma_update(None, "cell_size_check", true)?;
                connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
                connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000)?;
                let length = i32::try_from(self.options.bytes_max).unwrap_or(i32::MAX);
                connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, length.max(1 << 20))?;
                Ok(connection)
            })
            .map_err(|error| sql_error(&error, query, self.options.timeout))
    }

    fn run(&self, connection: &Connection, query: &DatabaseQuery) -> Result<DatabaseRows, Fail> {
        let mut statement = connection.prepare(&query.sql)?;
        if !query.write && !statement.readonly() {
            return Err(Fail::Refused);
        }
        bind(&mut statement, &query.params)?;
        let columns = distinct(statement.column_names());
        let before = connection.total_changes();
        let mut rows = statement.raw_query();
        let (mut out, mut size, mut truncated) = (Vec::new(), 0, false);
        while let Some(row) = rows.next()? {
            let mut map = Map::with_capacity(columns.len());
            for (i, name) in columns.iter().enumerate() {
                map.insert(name.as_str().into(), value_of(row.get_ref(i)?));
            }
            let row = Value::from(map);
            size += row.approximate_size();
            if out.len() == self.options.rows_max || size > self.options.bytes_max {
                truncated = true;
                // A writing statement with RETURNING has to run to its end.
                if !query.write {
                    break;
                }
                continue;
            }
            out.push(row);
        }
        drop(rows);
        let changes = connection.total_changes() - before;
        Ok(DatabaseRows { columns, rows: out, truncated, changes })
    }
}

/// What stops a statement.
enum Fail {
    Sql(rusqlite::Error),
    /// It would write.
    Refused,
    Params(String),
}

impl From<rusqlite::Error> for Fail {
    fn from(error: rusqlite::Error) -> Self {
        Fail::Sql(error)
    }
}

impl Fail {
    fn into_tool_error(self, query: &DatabaseQuery, limit: Duration) -> ToolError {
        match self {
            Fail::Sql(error) => sql_error(&error, query, limit),
            Fail::Refused => read_only(),
            Fail::Params(message) => ToolError::failed(message),
        }
    }
}

fn read_only() -> ToolError {
    ToolError::refused("The statement is refused: this query may only read.")
}

fn sql_error(error: &rusqlite::Error, query: &DatabaseQuery, limit: Duration) -> ToolError {
    use rusqlite::ErrorCode as Code;
    match error.sqlite_error_code() {
        Some(Code::AuthorizationForStatementDenied) if query.write => ToolError::refused(
            "The statement is refused: it would reach another file or change how SQLite works.",
        ),
        Some(Code::AuthorizationForStatementDenied | Code::ReadOnly) => read_only(),
        Some(Code::OperationInterrupted) => ToolError::Timeout { tool: "query_db".into(), limit },
        Some(Code::TooBig) => ToolError::TooLarge("A value of the query is too large.".into()),
        Some(Code::NotADatabase) => {
            ToolError::failed(format!("`{}` is no SQLite database.", query.path))
        }
        _ if matches!(error, rusqlite::Error::MultipleStatement) => {
            ToolError::refused("Only one statement is run; send the others one by one.")
        }
        _ => ToolError::failed(format!("The query failed: {error}.")),
    }
}

/// Says no while a statement is prepared (and when it runs SQL of its own).
fn authorizer(write: bool) -> impl FnMut(AuthContext<'_>) -> Authorization + Send + 'static {
    move |context| {
        let allowed = match context.action {
            AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => true,
            AuthAction::Function { function_name } => {
                !matches!(function_name, "load_extension" | "fts3_tokenizer" | "edit")
            }
            AuthAction::Pragma { pragma_name, pragma_value } => pragma(pragma_name, pragma_value),
            AuthAction::Attach { .. } | AuthAction::Detach { .. } | AuthAction::Unknown { .. } => {
                false
            }
            // Each query has a connection of its own: a transaction would end with it.
            AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => false,
            AuthAction::CreateVtable { module_name, .. } => {
                write && matches!(module_name, "fts5" | "rtree")
            }
            _ => write,
        };
        if allowed { Authorization::Allow } else { Authorization::Deny }
    }
}

/// Pragmas that only tell what is there.
fn pragma(name: &str, value: Option<&str>) -> bool {
    match name.to_ascii_lowercase().as_str() {
        "table_info" | "table_xinfo" | "table_list" | "index_list" | "index_info"
        | "index_xinfo" | "foreign_key_list" | "database_list" | "collation_list" => true,
        "user_version" | "application_id" | "schema_version" | "encoding" | "page_count"
        | "page_size" | "foreign_keys" | "data_version" => value.is_none(),
        _ => false,
    }
}

fn bind(statement: &mut Statement<'_>, params: &Value) -> Result<(), Fail> {
    let wanted = statement.parameter_count();
    let wrong = |message: String| Err(Fail::Params(message));
    match params {
        Value::Null if wanted == 0 => Ok(()),
        Value::List(values) => {
            if values.len() != wanted {
                return wrong(format!(
                    "The statement has {wanted} parameters and {} values were given.",
                    values.len()
                ));
            }
            for (i, value) in values.iter().enumerate() {
                statement.raw_bind_parameter(i + 1, Param(value))?;
            }
            Ok(())
        }
        Value::Map(values) => {
            for i in 1..=wanted {
                let name = statement.parameter_name(i).unwrap_or("?").to_string();
                let bare = name.trim_start_matches([':', '@', '$']);
                let value = values.get(name.as_str()).or_else(|| values.get(bare));
                let Some(value) = value else {
                    return wrong(format!("The parameter `{name}` has no value in `params`."));
                };
                statement.raw_bind_parameter(i, Param(value))?;
            }
            Ok(())
        }
        Value::Null => wrong(format!("The statement has {wanted} parameters and no `params`.")),
        other => wrong(format!("`params` must be a list or a map, not {}.", other.type_name())),
    }
}

struct Param<'a>(&'a Value);

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Value::Bool(b) => ToSqlOutput::from(*b),
            Value::Int(n) => ToSqlOutput::from(*n),
            Value::Float(x) => ToSqlOutput::from(*x),
            Value::Str(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            // SQLite's JSON functions read it again.
            other => ToSqlOutput::from(other.plain().to_json()),
        })
    }
}

fn value_of(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(n) => Value::Int(n),
        ValueRef::Real(x) => Value::Float(x),
        ValueRef::Text(text) => String::from_utf8_lossy(text).replace('\0', "\u{fffd}").into(),
        ValueRef::Blob(bytes) => {
            use base64::Engine;
            let base64 = base64::engine::general_purpose::STANDARD.encode(bytes);
            Value::tagged("bytes", [("base64", Value::str(base64))])
        }
    }
}

/// `id, id` becomes `id, id_2`: a row is a map.
fn distinct<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for name in names {
        let mut fresh = name.to_string();
        let mut n = 2;
        while out.contains(&fresh) {
            fresh = format!("{name}_{n}");
            n += 1;
        }
        out.push(fresh);
    }
    out
}
