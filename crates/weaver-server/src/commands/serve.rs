//! `agentweaver serve`: drive what is submitted, and answer about it.

use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weaver_runtime::Scheduler;
use weaver_runtime::scheduler::{Options, Seats};
use weaver_store::Store;

use crate::cli::{Role, ServeArgs};
use crate::commands::stop::StopSignal;
use crate::error::CliError;
use crate::folder::Folder;
use crate::house::{named, open_store, snapshot_key};
use crate::http::gateway::Models;
use crate::http::{self, Access, App, Front, Limits, Live, Meters, Sources, Waiting, Watch};
use crate::ledger::Ledger;
use crate::render::term;
use crate::settings::Settings;
use crate::vault::Vault;
use crate::workshop::Bench;

/// Where a running server is, and what proves the right to change something:
/// `server.json` in the data directory, readable by its owner alone.
#[derive(Debug, Serialize, Deserialize)]
pub struct ServerFile {
    /// `http://127.0.0.1:8080`
    pub address: String,
    /// The token of this start.
    pub token: String,
    /// The process.
    pub pid: u32,
}

/// Changes of workflows that a slow reader may be behind.
const CHANGES_KEPT: usize = 256;

/// Works until it is told to stop, then hands back what is under way.
pub async fn run(args: &ServeArgs, settings: Settings) -> Result<(), CliError> {
    check_listen(args.listen)?;
    let drain = CancellationToken::new();
    let opened = open_store(&settings);
    let mut stop = StopSignal::listen();
    let (store, early) = match opened {
        Ok(store) => (store, None),
        Err(error) if is_away(&error, &settings) => {
            let waiting = Arc::new(Waiting::new(settings.store_kind(), args.role.word()));
            let early = Listening::begin(args, &drain).await?;
            early.front.put(http::waiting_router(waiting.clone()));
            let at = early.address;
            term::warning(&format!("http://{at} waits: {}", error.message));
            let store = tokio::select! {
                store = open_when_there(&settings, &waiting, error) => store?,
                () = stop.asked() => return Ok(()),
            };
            (store, Some(early))
        }
        Err(error) => return Err(error),
    };
    let key = snapshot_key(&settings.data)?;
    let vault = Vault::new(store.clone(), settings.master.clone(), &settings.models);
    // Better now than at the first call.
    vault.keys(store.tenant()).await?;
    let token = hex(&random()?);
    let (store_kind, place) = (settings.store_kind(), settings.place());
    let ledger = Ledger::new(store.clone(), &holder(&settings));
    let named = named(&settings);
    let labels = settings.metrics;
    let data = settings.data.clone();
    let bench = Arc::new(Bench::new(settings, vault.clone(), key)?.counting(ledger.clone()));
    let changes = broadcast::channel(CHANGES_KEPT).0;
    let folder =
        match &args.folder {
            None => None,
            Some(path) => Some(Arc::new(Folder::open(path, changes.clone()).map_err(|error| {
                CliError::usage(format!("the folder cannot be watched: {error}"))
            })?)),
        };
    // Who finds somebody at the port finds everything there.
    let listening = match early {
        Some(early) => early,
        None => Listening::begin(args, &drain).await?,
    };
    let address = listening.address;
    let file = ServerFile {
        address: format!("http://{address}"),
        token: token.clone(),
        pid: std::process::id(),
    };
    let app = Arc::new(App {
        store: store.clone(),
        store_kind,
        live: Live::default(),
        sources: Sources::default(),
        access: Access { token, address },
        models: Models::new(named, vault.clone(), ledger.clone(), drain.clone())?,
        bench: bench.clone(),
        ledger: ledger.clone(),
        vault,
        folder,
        changes,
        meters: Arc::new(Meters::new(labels)),
        task_lease: Duration::from_secs(args.lease),
        seats: Seats::default(),
        role: args.role.word(),
        began: Instant::now(),
        drain: drain.clone(),
    });
    listening.front.put(http::router(app.clone()));
    // Who reads it may ask at once.
    let _guard = write_server_file(&data, &file)?;
    term::note(&format!("agentweaver {} · {}", env!("CARGO_PKG_VERSION"), file.address));
    term::note(&format!("log: {place}"));
    let written = CancellationToken::new();
    let writing = tokio::spawn(ledger.keep(written.clone()));
    let working = match args.role {
        Role::Api => None,
        Role::All | Role::Scheduler => {
            let scheduler = Scheduler::new(store, bench, options(args, &app));
            Some(tokio::spawn(scheduler.run(drain.clone())))
        }
    };
    stop.asked().await;
    term::note("draining: what is under way ends its superstep");
    drain.cancel();
    if let Some(working) = working {
        working.await.map_err(|error| CliError::failed(error.to_string()))?;
    }
    listening.answering.await.map_err(|error| CliError::failed(error.to_string()))?;
    written.cancel();
    writing.await.map_err(|error| CliError::failed(error.to_string()))
}

/// A port that is answered at.
struct Listening {
    address: SocketAddr,
    front: Arc<Front>,
    answering: JoinHandle<()>,
}

impl Listening {
    async fn begin(args: &ServeArgs, drain: &CancellationToken) -> Result<Self, CliError> {
        let listener = TcpListener::bind(args.listen).await.map_err(|error| {
            CliError::usage(format!("cannot listen on {}: {error}", args.listen))
                .with_help("choose another address with --listen 127.0.0.1:0")
        })?;
        let address = listener.local_addr().map_err(|error| CliError::failed(error.to_string()))?;
        let front = Arc::new(Front::default());
        let serving = http::serve(listener, front.clone(), Limits::default(), drain.clone());
        Ok(Listening { address, front, answering: tokio::spawn(serving) })
    }
}

/// A database that is away is tried again after so long, and a little later each time.
const OPEN_AGAIN_AFTER: Duration = Duration::from_millis(250);
const OPEN_AGAIN_AFTER_MAX: Duration = Duration::from_secs(5);

/// Opens the store once its database can be reached, and says meanwhile what it waits for.
async fn open_when_there(
    settings: &Settings,
    waiting: &Waiting,
    mut error: CliError,
) -> Result<Store, CliError> {
    let mut pause = OPEN_AGAIN_AFTER;
    while is_away(&error, settings) {
        tracing::warn!(reason = error.message, "the database is away");
        waiting.because(&error.message);
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(OPEN_AGAIN_AFTER_MAX);
        // Connecting takes as long as the network likes; others are answered meanwhile.
        error = match tokio::task::block_in_place(|| open_store(settings)) {
            Ok(store) => return Ok(store),
            Err(error) => error,
        };
    }
    Err(error)
}

fn is_away(error: &CliError, settings: &Settings) -> bool {
    settings.database_url.is_some()
        && matches!(error.word, Some("store_unreachable" | "store_busy"))
}

/// The same after each start, and another for each server that shares a store.
fn holder(settings: &Settings) -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let data = std::path::absolute(&settings.data).unwrap_or_else(|_| settings.data.clone());
    format!("{} {}", host.trim(), data.display())
}

fn options(args: &ServeArgs, app: &Arc<App>) -> Options {
    let mut options = Options::new(format!("{}-{}", std::process::id(), uuid::Uuid::now_v7()));
    options.slots = args.slots;
    options.lease = Duration::from_secs(args.lease);
    options.seats = app.seats.clone();
    options.watcher = Some(Arc::new(Watch { live: app.live.clone(), meters: app.meters.clone() }));
    options
}

/// Without accounts, only this machine may ask.
fn check_listen(listen: SocketAddr) -> Result<(), CliError> {
    match listen.ip().is_loopback() {
        true => Ok(()),
        false => Err(CliError::usage(format!(
            "{listen} can be reached from other machines, and there are no accounts yet"
        ))
        .with_help("listen on 127.0.0.1, and let a proxy that checks who asks stand before it")),
    }
}

/// Takes the file away when the server ends.
struct ServerFileGuard(PathBuf);

impl Drop for ServerFileGuard {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn write_server_file(data: &Path, file: &ServerFile) -> Result<ServerFileGuard, CliError> {
    let path = server_file(data);
    let json = serde_json::to_vec_pretty(file).expect("it has a JSON form");
    // Moved into place: it is read at any moment, and servers on one database may share
    // the directory and begin at once.
    let draft = path.with_extension(format!("{}.new", file.pid));
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut out| std::io::Write::write_all(&mut out, &json))
        .and_then(|()| std::fs::rename(&draft, &path));
    written
        .map_err(|error| CliError::failed(format!("cannot write {}: {error}", path.display())))?;
    Ok(ServerFileGuard(path))
}

/// The server that works on a data directory, if one says so.
pub fn find_server(settings: &Settings) -> Option<ServerFile> {
    let text = std::fs::read(server_file(&settings.data)).ok()?;
    serde_json::from_slice(&text).ok()
}

fn server_file(data: &Path) -> PathBuf {
    data.join("server.json")
}

fn random() -> Result<[u8; 32], CliError> {
    use std::io::Read;
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| CliError::failed(format!("cannot read /dev/urandom: {error}")))?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
