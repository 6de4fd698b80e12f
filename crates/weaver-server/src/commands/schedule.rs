//! `agentweaver schedule`: keep, list, stop and forget schedules.

use anstream::println;
use console::style;
use weaver_api::schedule::{Missed, Schedule, ScheduleRequest};

use super::executions::{file_name, print_json, request};
use crate::cli::{CreateArgs, MissedArg, ScheduleArgs, ScheduleCommand, Target};
use crate::desk::Desk;
use crate::error::CliError;
use crate::render::term;
use crate::settings::Settings;

/// `agentweaver schedule`
pub async fn run(args: &ScheduleArgs, settings: Settings) -> Result<(), CliError> {
    let open = async |target: &Target| Desk::open(target, &settings).await;
    match &args.command {
        ScheduleCommand::Create(args) => create(args, &open(&args.target).await?).await,
        ScheduleCommand::List { target } => list(target, &open(target).await?).await,
        ScheduleCommand::Pause(args) => {
            let desk = open(&args.target).await?;
            show_one(desk.enable_schedule(&args.name, false).await?, &args.target);
            Ok(())
        }
        ScheduleCommand::Resume(args) => {
            let desk = open(&args.target).await?;
            show_one(desk.enable_schedule(&args.name, true).await?, &args.target);
            Ok(())
        }
        ScheduleCommand::Delete(args) => {
            open(&args.target).await?.delete_schedule(&args.name).await?;
            Ok(())
        }
    }
}

async fn create(args: &CreateArgs, desk: &Desk) -> Result<(), CliError> {
    let request = ScheduleRequest {
        name: args.name.clone(),
        cron: args.cron.clone(),
        zone: args.zone.clone(),
        missed: match args.missed {
            MissedArg::Skip => Missed::Skip,
            MissedArg::Once => Missed::Once,
            MissedArg::All => Missed::All,
        },
        execution: request(&args.order)?,
    };
    let schedule = match args.replace {
        true => desk.replace_schedule(&request).await?,
        false => desk.create_schedule(&request).await?,
    };
    show_one(schedule, &args.target);
    if desk.is_idle() {
        term::note("nobody fires it yet: `agentweaver serve` does");
    }
    Ok(())
}

async fn list(target: &Target, desk: &Desk) -> Result<(), CliError> {
    let page = desk.schedules().await?;
    match (target.json, page.items.is_empty()) {
        (true, _) => print_json(&page),
        (false, true) => {
            term::note(
                "no schedules; `agentweaver schedule create NAME FILE --cron LINE` keeps one",
            );
        }
        (false, false) => show(&page.items),
    }
    Ok(())
}

fn show_one(schedule: Schedule, target: &Target) {
    match target.json {
        true => print_json(&schedule),
        false => show(&[schedule]),
    }
}

fn show(schedules: &[Schedule]) {
    let widths = |text: fn(&Schedule) -> &str| {
        schedules.iter().map(|schedule| text(schedule).chars().count()).max().unwrap_or(0)
    };
    let (name, cron) = (widths(|schedule| &schedule.name), widths(|schedule| &schedule.cron));
    for schedule in schedules {
        let next = match (schedule.enabled, schedule.next_at) {
            (false, _) => style("paused".to_string()).yellow(),
            (true, Some(next)) => style(format!("next {next}")).green(),
            (true, None) => style("never again".to_string()).dim(),
        };
        println!(
            "{:<name$}  {:<cron$}  {}  {}  {next}",
            style(&schedule.name).bold(),
            schedule.cron,
            schedule.zone,
            style(file_name(&schedule.workflow)).dim(),
        );
    }
}
