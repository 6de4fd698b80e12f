//! `agentweaver credentials`: the keys of providers, sealed.

use std::io::{IsTerminal, Read};

use anstream::println;
use console::{Term, style};
use weaver_api::Page;
use weaver_api::credential::{Credential, CredentialRequest, RotateRequest};

use super::executions::print_json;
use crate::cli::{CredentialsArgs, CredentialsCommand};
use crate::desk::Desk;
use crate::error::CliError;
use crate::render::term;
use crate::settings::Settings;

/// `agentweaver credentials`
pub async fn run(args: &CredentialsArgs, settings: Settings) -> Result<(), CliError> {
    match &args.command {
        CredentialsCommand::Set { provider, target } => {
            let request = CredentialRequest { value: read_value(provider)? };
            let desk = Desk::open(target, &settings).await?;
            let kept = desk.set_credential(&settings, provider, &request).await?;
            match target.json {
                true => print_json(&kept),
                false => show(&kept),
            }
        }
        CredentialsCommand::List { target } => {
            let desk = Desk::open(target, &settings).await?;
            list(&desk.credentials(&settings).await?, target.json);
        }
        CredentialsCommand::Remove { provider, target } => {
            let desk = Desk::open(target, &settings).await?;
            desk.remove_credential(&settings, provider).await?;
        }
        CredentialsCommand::Rotate { master, target } => {
            let desk = Desk::open(target, &settings).await?;
            let request = RotateRequest { master: *master };
            list(&desk.rotate_credentials(&settings, &request).await?, target.json);
        }
    }
    Ok(())
}

/// A person types it unseen; a program writes it to standard input. It is no argument:
/// those are seen by everybody on the machine, and kept by shells.
fn read_value(provider: &str) -> Result<String, CliError> {
    let wrong = |error: std::io::Error| CliError::failed(format!("cannot read the key: {error}"));
    if std::io::stdin().is_terminal() {
        term::prompt(&format!("key of {provider} (not shown): "));
        return Term::stderr().read_secure_line().map_err(wrong);
    }
    let mut value = String::new();
    std::io::stdin().read_to_string(&mut value).map_err(wrong)?;
    Ok(value)
}

fn list(page: &Page<Credential>, json: bool) {
    if json {
        print_json(page);
    } else if page.items.is_empty() {
        term::note("no credentials; `agentweaver credentials set PROVIDER` keeps one");
    } else {
        page.items.iter().for_each(show);
    }
}

fn show(credential: &Credential) {
    let hint = credential.hint.as_deref().unwrap_or("…");
    println!(
        "{}  {hint}  set {}, sealed with key {}",
        style(&credential.provider).bold(),
        credential.updated_at,
        credential.key_version
    );
}
