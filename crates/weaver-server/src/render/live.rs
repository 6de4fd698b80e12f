//! [`LiveLine`]: one moving line at the bottom of the terminal.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use console::{Term, style, truncate_str};

const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// Also how long nothing is shown: what is over sooner leaves no flicker.
const TICK: Duration = Duration::from_millis(90);

/// To the first column, and nothing left in the line.
const ERASE: &str = "\r\x1b[2K";

/// A line on standard error that turns until it is dropped. The rest of its row stays
/// unwritten: a `^C` that the terminal echoes there is taken away with it.
pub struct LiveLine {
    shared: Arc<Shared>,
    ticker: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    line: Mutex<Line>,
    stop: Condvar,
}

#[derive(Default)]
struct Line {
    message: String,
    frame: usize,
    stopped: bool,
    shown: bool,
}

impl LiveLine {
    /// Begins to turn.
    pub fn new() -> Self {
        let shared = Arc::new(Shared::default());
        let own = shared.clone();
        LiveLine { shared, ticker: Some(std::thread::spawn(move || own.turn())) }
    }

    /// What the line says from its next turn on.
    pub fn set(&self, message: String) {
        self.shared.lock().message = message;
    }

    /// Writes a line that stays above the moving one.
    pub fn above(&self, text: &str) {
        let mut line = self.shared.lock();
        let erase = if std::mem::take(&mut line.shown) { ERASE } else { "" };
        write(&format!("{erase}{text}\n"));
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.stop.notify_one();
        if let Some(ticker) = self.ticker.take() {
            let _ = ticker.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) {
        let mut line = self.lock();
        loop {
            let waited = self.stop.wait_timeout_while(line, TICK, |line| !line.stopped);
            line = waited.unwrap_or_else(PoisonError::into_inner).0;
            if line.stopped {
                return write(if line.shown { ERASE } else { "" });
            }
            line.frame = (line.frame + 1) % FRAMES.len();
            line.shown = true;
            let spinner = style(FRAMES[line.frame]).cyan().for_stderr();
            let width = usize::from(Term::stderr().size().1).saturating_sub(3);
            let message = truncate_str(&line.message, width, "…");
            write(&format!("{ERASE}{spinner} {message}"));
        }
    }
}

/// In one piece: standard error has no buffer, and a line in parts flickers.
fn write(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
