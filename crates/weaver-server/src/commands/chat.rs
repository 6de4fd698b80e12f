//! `agentweaver chat`: a small terminal chat with a model.

use std::io::IsTerminal;

use console::style;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use weaver_llm::{
    Assembler, Call, ChatEvent, ChatMessage, ChatRequest, ChatResponse, Error, Gateway,
};

use crate::cli::ChatArgs;
use crate::error::{CliError, exit};
use crate::house::models;
use crate::render::term;
use crate::settings::Settings;

/// Answers each line until `/exit` or the end of the input.
pub async fn run(args: &ChatArgs, settings: Settings) -> Result<(), CliError> {
    let gateway = models(settings).await?;
    let name = args.model.clone().unwrap_or_default();
    let model = gateway.resolve(&name).map_err(|error| CliError::usage(error.to_string()))?;
    let person = std::io::stdin().is_terminal();
    if person {
        let note = if model.offline { " (offline, no real model)" } else { "" };
        term::note(&format!("{model}{note} · /new forgets, /exit ends, Ctrl-C stops an answer"));
    }
    let mut chat = Chat { gateway, name, system: args.system.clone(), messages: Vec::new() };
    let mut lines = lines();
    loop {
        if person {
            term::prompt("you> ");
        }
        let line = tokio::select! {
            line = lines.recv() => line,
            _ = tokio::signal::ctrl_c() => return Err(CliError::shown(exit::INTERRUPTED)),
        };
        let Some(line) = line else { return Ok(()) };
        let line = line.map_err(|error| CliError::failed(format!("cannot read: {error}")))?;
        match line.trim() {
            "" => {}
            "/exit" | "/quit" => return Ok(()),
            "/new" => chat.messages.clear(),
            text => match chat.turn(text).await {
                Ok(()) => {}
                // A person can try again; a script must hear of it.
                Err(error) if person => term::error(&CliError::failed(error.to_string())),
                Err(error) => return Err(CliError::failed(error.to_string())),
            },
        }
    }
}

/// A conversation.
struct Chat {
    gateway: Gateway,
    name: String,
    system: Option<String>,
    messages: Vec<ChatMessage>,
}

impl Chat {
    /// Says something and shows the answer. What fails or is stopped leaves the
    /// conversation as it was.
    async fn turn(&mut self, text: &str) -> Result<(), Error> {
        self.messages.push(ChatMessage::user(text));
        match self.answer().await {
            Ok(response) => {
                self.messages.push(response.to_message());
                Ok(())
            }
            Err(error) => {
                self.messages.pop();
                match error {
                    Error::Cancelled => Ok(()),
                    error => Err(error),
                }
            }
        }
    }

    async fn answer(&self) -> Result<ChatResponse, Error> {
        let system = self.system.iter().map(ChatMessage::system);
        let messages = system.chain(self.messages.iter().cloned()).collect();
        let call = Call::default();
        let _stopper = Stopper::new(call.cancel.clone());
        let request = ChatRequest::new(&*self.name, messages);
        let model = self.gateway.resolve(&self.name)?;
        let mut stream = self.gateway.chat(request, call).await?;
        let mut assembler = Assembler::default();
        while let Some(event) = stream.next().await {
            let event = event.inspect_err(|_| term::out(""))?;
            show(&event);
            assembler.push(&event);
        }
        term::out("");
        let response = assembler.finish().unwrap_or_default();
        if std::io::stdout().is_terminal() {
            let cost = self.gateway.cost_micros(&model, &response.usage).and_then(term::cost);
            let tokens = &response.usage.tokens;
            let cost = cost.map(|cost| format!(" · {cost}")).unwrap_or_default();
            term::note(&format!("{} in, {} out{cost}", tokens.input, tokens.output));
        }
        Ok(response)
    }
}

fn show(event: &ChatEvent) {
    match event {
        ChatEvent::Text { text } | ChatEvent::Refusal { text } => {
            term::print(&term::harmless(text));
        }
        // Thoughts are no part of the answer: a script does not get them.
        ChatEvent::Reasoning { text, .. } if std::io::stdout().is_terminal() => {
            term::print(&style(term::harmless(text)).dim().to_string());
        }
        _ => {}
    }
}

/// Stops an answer at Ctrl-C, as long as it lives.
struct Stopper(tokio::task::JoinHandle<()>);

impl Stopper {
    fn new(cancel: CancellationToken) -> Self {
        Stopper(tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                cancel.cancel();
            }
        }))
    }
}

impl Drop for Stopper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Lines of standard input. The thread that reads is left alone at the end: a read
/// cannot be called off.
fn lines() -> mpsc::Receiver<std::io::Result<String>> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
