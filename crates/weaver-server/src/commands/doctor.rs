//! `agentweaver doctor`: this machine, the settings, the data directory.

use console::style;
use serde::Serialize;
use weaver_core::Program;
use weaver_interpreter::{Binding, CallRequest, Pool, PoolOptions, Step};
use weaver_store::Schema;

use crate::cli::DoctorArgs;
use crate::error::{CliError, exit};
use crate::house::{look_into_store, random_key};
use crate::render::term;
use crate::settings::Settings;

/// How a thing stands.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Health {
    Good,
    Warning,
    Bad,
}

/// One thing that was looked at.
#[derive(Serialize)]
struct Finding {
    what: &'static str,
    health: Health,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

impl Finding {
    fn new(what: &'static str, health: Health, message: impl Into<String>) -> Self {
        Finding { what, health, message: message.into(), help: None }
    }

    fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Looks at everything; exits with 1 when something is broken.
pub async fn run(args: &DoctorArgs, settings: Settings) -> Result<(), CliError> {
    let mut findings = vec![program(), settings_file(&settings), models(&settings)];
    findings.push(interpreter().await);
    let schema = schema(&settings);
    let is_ready = schema.iter().all(|finding| finding.health == Health::Good);
    findings.extend(schema);
    if is_ready {
        findings.extend(data(&settings).await);
    }
    if args.json {
        term::json(&findings);
    } else {
        findings.iter().for_each(print);
    }
    match findings.iter().any(|finding| finding.health == Health::Bad) {
        true => Err(CliError::shown(exit::FAILED)),
        false => Ok(()),
    }
}

fn print(finding: &Finding) {
    let mark = match finding.health {
        Health::Good => style("✔").green(),
        Health::Warning => style("!").yellow().bold(),
        Health::Bad => style("✘").red().bold(),
    };
    term::out(&format!("{mark} {:<12} {}", finding.what, finding.message));
    if let Some(help) = &finding.help {
        term::out(&format!("  {:<12} {}", "", style(format!("→ {help}")).dim()));
    }
}

fn program() -> Finding {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let version = env!("CARGO_PKG_VERSION");
    let message =
        format!("agentweaver {version} on {}, {processors} processors", std::env::consts::OS);
    Finding::new("program", Health::Good, message)
}

fn settings_file(settings: &Settings) -> Finding {
    let message = match &settings.file {
        Some(path) => format!("{} read", path.display()),
        None => "no agentweaver.toml; defaults and variables hold".to_string(),
    };
    Finding::new("settings", Health::Good, message)
}

fn models(settings: &Settings) -> Finding {
    let with_key: Vec<&str> = settings
        .models
        .providers
        .iter()
        .filter(|(_, provider)| provider.api_key.is_some() || provider.base_url.is_some())
        .map(|(name, _)| name.as_str())
        .collect();
    match with_key.is_empty() {
        true => Finding::new("models", Health::Warning, "no provider has a key")
            .with_help("set OPENAI_API_KEY or another provider's key, use a local ollama/MODEL, or run with --model scripted"),
        false => Finding::new("models", Health::Good, format!("configured: {}", with_key.join(", "))),
    }
}

/// Starts a sandboxed interpreter and has it add two numbers.
async fn interpreter() -> Finding {
    const WHAT: &str = "interpreter";
    let bad = |message: String| {
        Finding::new(WHAT, Health::Bad, message)
            .with_help("Python nodes cannot run here; the sandbox needs Linux with seccomp")
    };
    let Ok(exe) = std::env::current_exe() else {
        return bad("this program cannot be found".into());
    };
    let pool = Pool::new(PoolOptions::new(exe, vec!["__pyworker".into()], random_key()));
    let isolation = match pool.isolation().await {
        Ok(isolation) => isolation,
        Err(error) => return bad(error.to_string()),
    };
    let source = "def add(state):\n    return state + 2\n".to_string();
    let program = Program { file: "doctor.py".into(), source, ..Program::default() };
    let binding = Binding { tenant: "local".into(), execution: "doctor".into() };
    let mut call = pool.session(program.into(), binding).call(CallRequest {
        function: "add".into(),
        args: vec![40.into()],
        ..CallRequest::default()
    });
    match call.next().await {
        Step::Returned(value) if value == 42.into() && isolation.landlock => {
            Finding::new(WHAT, Health::Good, "Python nodes run; walls: seccomp, landlock, limits")
        }
        Step::Returned(value) if value == 42.into() => {
            Finding::new(WHAT, Health::Warning, "Python nodes run; walls: seccomp, limits")
                .with_help("this kernel has no landlock; system calls are still filtered")
        }
        other => bad(format!("a test program did not run: {other:?}")),
    }
}

/// How a database stands, before anything is asked of it: looking changes nothing.
fn schema(settings: &Settings) -> Option<Finding> {
    const WHAT: &str = "database";
    settings.database_url.as_ref()?;
    let place = settings.place();
    let schema = match place.schema() {
        Ok(schema) => schema,
        Err(error) => {
            let help = error.help().map(String::from);
            return Some(Finding { help, ..Finding::new(WHAT, Health::Bad, error.to_string()) });
        }
    };
    let Schema { version, needed, server, warning } = schema;
    let server = server.map(|server| format!(", PostgreSQL {server}")).unwrap_or_default();
    Some(match (version, warning) {
        (0, _) => Finding::new(WHAT, Health::Warning, format!("{place}{server}: no store yet"))
            .with_help("`agentweaver migrate` or the first run makes it"),
        (version, _) if version < needed => {
            let message = format!("{place}{server}: schema {version}, {needed} is needed");
            Finding::new(WHAT, Health::Warning, message)
                .with_help("`agentweaver migrate` or the next run brings it up to date")
        }
        (_, Some(warning)) => {
            Finding::new(WHAT, Health::Warning, format!("{place}{server}")).with_help(warning)
        }
        (version, None) => {
            Finding::new(WHAT, Health::Good, format!("{place}{server}, schema {version}"))
        }
    })
}

async fn data(settings: &Settings) -> Vec<Finding> {
    let store = match look_into_store(settings) {
        Ok(Some(store)) => store,
        Ok(None) => {
            let dir = settings.data.display();
            let message = format!("{dir} does not exist yet; the first run makes it");
            return vec![Finding::new("data", Health::Good, message)];
        }
        Err(error) => {
            let finding = Finding::new("data", Health::Bad, error.message);
            return vec![Finding { help: error.help, ..finding }];
        }
    };
    match store.verify().await {
        Err(error) => vec![Finding::new("data", Health::Bad, error.to_string())],
        Ok(verified) if verified.problems.is_empty() => vec![Finding::new(
            "data",
            Health::Good,
            format!(
                "{}: {} runs, {} log entries, {} checkpoints, every hash is right",
                settings.place(),
                verified.executions,
                verified.entries,
                verified.checkpoints
            ),
        )],
        Ok(verified) => verified
            .problems
            .iter()
            .map(|problem| {
                Finding::new("data", Health::Bad, problem.to_string())
                    .with_help("restore a copy of the directory, or start afresh with --data")
            })
            .collect(),
    }
}
