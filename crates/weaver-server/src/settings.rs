//! [`Settings`]: `agentweaver.toml`, then `AGENTWEAVER_*` variables, then flags.

mod models;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use weaver_store::Place;

use self::models::{Price, Provider};
use crate::cli::Global;
use crate::error::CliError;
use crate::http::meters::Labels;
use crate::render::term;
use crate::vault::MasterOptions;

/// The settings file that is read when there is one.
const FILE: &str = "agentweaver.toml";

/// The data directory when nothing names another.
pub const DATA: &str = ".agentweaver";

/// What a process is set to. Only this crate reads files of settings and the
/// environment; everything below gets its own options by value.
#[derive(Debug, Default)]
pub struct Settings {
    /// The data directory.
    pub data: PathBuf,
    /// The PostgreSQL database that holds the log in place of the data directory.
    pub database_url: Option<String>,
    /// The settings file that was read.
    pub file: Option<PathBuf>,
    /// Model for every model call.
    pub model: Option<String>,
    /// Providers and keys.
    pub models: weaver_llm::Options,
    /// Where the key is that seals credentials.
    pub master: MasterOptions,
    /// Hosts that the guarded HTTP client may reach although they are private.
    pub http_allow: Vec<String>,
    /// Address of a SearXNG server for `web_search`.
    pub searxng: Option<String>,
    /// Whether `query_db` may write.
    pub database_write: bool,
    /// Variables that nodes may read.
    pub environment: BTreeMap<String, String>,
    /// How `serve` writes its log.
    pub log_format: LogFormat,
    /// Which labels metrics have.
    pub metrics: Labels,
}

/// How a log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// An object a line, for programs.
    #[default]
    Json,
    /// A line for people.
    Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    /// Data directory.
    data: Option<PathBuf>,
    /// Model for every model call.
    model: Option<String>,
    /// `[providers.NAME]`.
    providers: BTreeMap<String, Provider>,
    /// `[fallbacks]`: models to ask instead of one, in order.
    fallbacks: BTreeMap<String, Vec<String>>,
    /// `[prices."PROVIDER/MODEL"]`.
    prices: BTreeMap<String, Price>,
    /// `[cache]`.
    cache: models::Cache,
    /// `[http]`.
    http: Http,
    /// `[search]`.
    search: Search,
    /// `[database]`.
    database: Database,
    /// `[environment]`: what `os.getenv` answers in nodes.
    environment: BTreeMap<String, String>,
    /// `json` or `text`: how `serve` writes its log.
    log_format: LogFormat,
    /// `[metrics]`.
    metrics: Labels,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Http {
    allow: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Search {
    searxng: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Database {
    write: bool,
    url: Option<String>,
}

impl Settings {
    /// What a printed command must say to find this log again.
    pub fn data_flag(&self) -> String {
        match self.data.as_os_str() == DATA {
            true => String::new(),
            false => format!(" --data {}", term::shell_word(&self.data.to_string_lossy())),
        }
    }

    /// Reads everything; an unknown setting is an error with its line.
    pub fn read(global: &Global) -> Result<Self, CliError> {
        let (file, path) = read_file(global.config.as_deref())?;
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let mut models = weaver_llm::Options::from_vars(variable);
        for (name, provider) in file.providers {
            provider.join(models.providers.entry(name).or_default());
        }
        models.fallbacks.extend(file.fallbacks);
        let prices = file.prices.into_iter().map(|(model, price)| (model, price.micros()));
        models.prices.extend(prices);
        file.cache.join(&mut models);
        let allow = variable("AGENTWEAVER_HTTP_ALLOW");
        let http_allow = match allow {
            Some(list) => list.split(',').map(|host| host.trim().to_string()).collect(),
            None => file.http.allow,
        };
        let data = global.data.clone().or(file.data).unwrap_or_else(|| DATA.into());
        let master = MasterOptions {
            key: variable("AGENTWEAVER_MASTER_KEY"),
            old_key: variable("AGENTWEAVER_MASTER_KEY_OLD"),
            file: variable("AGENTWEAVER_MASTER_KEY_FILE").map(PathBuf::from),
            data: data.clone(),
        };
        Ok(Settings {
            data,
            master,
            database_url: variable("AGENTWEAVER_DATABASE_URL").or(file.database.url),
            file: path,
            model: variable("AGENTWEAVER_MODEL").or(file.model),
            models,
            http_allow,
            searxng: variable("AGENTWEAVER_SEARXNG").or(file.search.searxng),
            database_write: file.database.write,
            environment: file.environment,
            metrics: file.metrics,
            log_format: match variable("AGENTWEAVER_LOG_FORMAT").as_deref() {
                None => file.log_format,
                Some("json") => LogFormat::Json,
                Some("text") => LogFormat::Text,
                Some(other) => {
                    let message = format!("AGENTWEAVER_LOG_FORMAT is `{other}`");
                    return Err(CliError::usage(message).with_help("use `json` or `text`"));
                }
            },
        })
    }
}

impl Settings {
    /// Where the log is.
    pub fn place(&self) -> Place {
        match &self.database_url {
            Some(url) => Place::Postgres(url.clone()),
            None => Place::Sqlite(self.data.clone()),
        }
    }

    /// What kind of store that is, in a word.
    pub fn store_kind(&self) -> &'static str {
        match self.database_url {
            Some(_) => "postgresql",
            None => "sqlite",
        }
    }
}

fn read_file(given: Option<&Path>) -> Result<(File, Option<PathBuf>), CliError> {
    let path = given.unwrap_or(Path::new(FILE));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && given.is_none() => {
            return Ok((File::default(), None));
        }
        Err(error) => {
            return Err(CliError::usage(format!("cannot read {}: {error}", path.display())));
        }
    };
    let file = toml::from_str(&text)
        .map_err(|error| CliError::usage(format!("{} is wrong\n{error}", path.display())))?;
    Ok((file, Some(path.to_path_buf())))
}
