//! The `agentweaver` binary: command line and wiring.
//!
//! `cli` is the command line as data, `commands` has a file for each command,
//! `render` is how things look. This crate alone reads settings and the
//! environment.

mod catalog;
mod cli;
mod commands;
mod desk;
mod error;
mod folder;
mod house;
mod http;
mod ledger;
mod moving;
mod private_file;
mod python;
mod render;
mod settings;
mod templates;
mod travel;
mod vault;
mod wire;
mod workflow;
mod workshop;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use error::{CliError, exit};
use settings::{LogFormat, Settings};

#[global_allocator]
static ALLOCATOR: weaver_interpreter::Allocator = weaver_interpreter::Allocator;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|arg| arg == "__pyworker") {
        return weaver_interpreter::worker_main();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { exit::USAGE } else { exit::DONE });
        }
    };
    set_colors(cli.global.color);
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.message.is_empty() {
                render::term::error(&error);
            }
            ExitCode::from(error.code)
        }
    }
}

fn run(cli: Cli) -> Result<(), CliError> {
    let settings = || Settings::read(&cli.global);
    match &cli.command {
        Command::Graph(args) => commands::graph::run(args),
        Command::Check(args) => commands::check::run(args),
        Command::Convert(args) => commands::convert::run(args),
        Command::Completions { shell } => commands::completions::run(*shell),
        Command::Run(args) => block_on(commands::run::run(args, settings()?)),
        Command::History(args) => block_on(commands::history::run(args, settings()?)),
        Command::Serve(args) => serve(args, settings()?),
        Command::Submit(args) => block_on(commands::executions::submit(args, settings()?)),
        Command::Ps(args) => block_on(commands::executions::ps(args, settings()?)),
        Command::Logs(args) => block_on(commands::executions::logs(args, settings()?)),
        Command::Cancel(args) => block_on(commands::executions::cancel(args, settings()?)),
        Command::Pause(args) => block_on(commands::executions::pause(args, settings()?)),
        Command::Resume(args) => block_on(commands::executions::resume(args, settings()?)),
        Command::Retry(args) => block_on(commands::executions::retry(args, settings()?)),
        Command::Move(args) => block_on(commands::executions::migrate(args, settings()?)),
        Command::Reconcile(args) => block_on(commands::executions::reconcile(args, settings()?)),
        Command::Schedule(args) => block_on(commands::schedule::run(args, settings()?)),
        Command::Limit(args) => block_on(commands::limit::run(args, settings()?)),
        Command::Credentials(args) => block_on(commands::credentials::run(args, settings()?)),
        Command::Models(args) => block_on(commands::models::run(args, settings()?)),
        Command::Chat(args) => block_on(commands::chat::run(args, settings()?)),
        Command::Worker(args) => block_on(commands::worker::run(args, settings()?)),
        Command::Doctor(args) => block_on(commands::doctor::run(args, settings()?)),
        Command::Migrate(args) => block_on(commands::migrate::run(args, settings()?)),
        Command::Demo(args) => block_on(commands::demo::run(args, settings()?)),
        Command::Scenario { files, sqlite } => block_on(commands::scenario::run(files, *sqlite)),
        Command::Bench(args) => block_on(commands::bench::run(args)),
        Command::PyWorker => Err(CliError::usage("__pyworker must be the first argument")),
    }
}

/// A run lives on one thread: its tasks wait for processes and sockets, and the
/// log has a thread of its own.
fn block_on<T>(future: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::failed(format!("cannot start: {error}")))?;
    runtime.block_on(future)
}

/// A server has many executions and readers at once.
fn serve(args: &cli::ServeArgs, settings: Settings) -> Result<(), CliError> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let log = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_env("AGENTWEAVER_LOG"))
        .with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Json => log.json().init(),
        LogFormat::Text => log.init(),
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::failed(format!("cannot start: {error}")))?;
    runtime.block_on(commands::serve::run(args, settings))
}

fn set_colors(choice: clap::ColorChoice) {
    match choice {
        clap::ColorChoice::Always => {
            anstream::ColorChoice::Always.write_global();
            console::set_colors_enabled(true);
            console::set_colors_enabled_stderr(true);
        }
        clap::ColorChoice::Never => {
            anstream::ColorChoice::Never.write_global();
            console::set_colors_enabled(false);
            console::set_colors_enabled_stderr(false);
        }
        clap::ColorChoice::Auto => {}
    }
}
