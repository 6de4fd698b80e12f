//! `agentweaver migrate`: the schema of a store, and moving a whole house.

use anstream::println;
use serde::Serialize;
use weaver_store::{Copied, Place, Progress, Schema, copy};

use crate::cli::MigrateArgs;
use crate::error::{CliError, exit};
use crate::render::term;
use crate::settings::Settings;

/// Brings a schema up to date, shows it, or moves a house.
pub async fn run(args: &MigrateArgs, settings: Settings) -> Result<(), CliError> {
    if let (Some(from), Some(to)) = (&args.from, &args.to) {
        return move_house(&place(from)?, &place(to)?, args.json).await;
    }
    let place = match &args.store {
        Some(text) => place(text)?,
        None => settings.place(),
    };
    let schema = if args.status { place.schema()? } else { place.migrate()? };
    show(&place, &schema, args.json);
    match args.status && schema.version < schema.needed {
        true => Err(CliError::shown(exit::FAILED)),
        false => Ok(()),
    }
}

fn place(text: &str) -> Result<Place, CliError> {
    Ok(text.parse::<Place>()?)
}

#[derive(Serialize)]
struct Status<'a> {
    store: String,
    version: u32,
    needed: u32,
    server: Option<&'a str>,
    warning: Option<&'a str>,
}

fn show(place: &Place, schema: &Schema, json: bool) {
    let Schema { version, needed, server, warning } = schema;
    if json {
        let (server, warning) = (server.as_deref(), warning.as_deref());
        let (version, needed) = (*version, *needed);
        let status = Status { store: place.to_string(), version, needed, server, warning };
        print_json(&status);
        return;
    }
    let server = server.as_ref().map(|server| format!(", PostgreSQL {server}")).unwrap_or_default();
    match version {
        0 => println!("{place}: no store yet{server}"),
        version if version < needed => {
            println!("{place}: schema {version}, {needed} is needed{server}");
        }
        version => println!("{place}: schema {version}, up to date{server}"),
    }
    if let Some(warning) = warning {
        term::note(warning);
    }
}

async fn move_house(from: &Place, to: &Place, json: bool) -> Result<(), CliError> {
    if from.schema()?.version == 0 {
        return Err(CliError::usage(format!("there is no store at {from}")));
    }
    let (old, new) = (from.open()?, to.open()?);
    let mut shown = 0;
    let copied = copy(&old, &new, |progress| {
        let (what, records) = match progress {
            Progress::Written { records, .. } => ("written", records),
            Progress::Verified { records, .. } => ("compared", records),
        };
        // A line now and then: also a log file should tell how far it is.
        if !json && records / LINE_RECORDS != shown {
            shown = records / LINE_RECORDS;
            term::note(&format!("{records} records {what}"));
        }
    })
    .await?;
    let Copied { tenants, records } = copied;
    match json {
        true => print_json(&serde_json::json!({
            "from": from.to_string(), "to": to.to_string(), "tenants": tenants, "records": records,
        })),
        false => println!(
            "{records} records of {tenants} tenants are in {to}, each compared with the one in {from}"
        ),
    }
    Ok(())
}

const LINE_RECORDS: u64 = 50_000;

fn print_json(value: &impl Serialize) {
    println!("{}", serde_json::to_string_pretty(value).expect("it has a JSON form"));
}
