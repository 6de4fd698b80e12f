//! What is asked about schedules.

use weaver_api::Page;
use weaver_api::schedule::{Schedule, ScheduleRequest};
use weaver_runtime::Schedules;

use super::Desk;
use crate::error::CliError;
use crate::wire;

impl Desk {
    /// All schedules, by name.
    pub async fn schedules(&self) -> Result<Page<Schedule>, CliError> {
        match self {
            Desk::Server(client) => Ok(client.schedules().await?),
            Desk::Log { store, .. } => {
                let all = Schedules::new(store.clone()).list().await?;
                Ok(Page { items: all.iter().map(wire::schedule).collect(), next_cursor: None })
            }
        }
    }

    /// Keeps a new schedule.
    pub async fn create_schedule(&self, request: &ScheduleRequest) -> Result<Schedule, CliError> {
        match self {
            Desk::Server(client) => Ok(client.create_schedule(request).await?),
            Desk::Log { store, .. } => {
                let draft = wire::schedule_draft(request)?;
                Ok(wire::schedule(&Schedules::new(store.clone()).create(draft).await?))
            }
        }
    }

    /// Keeps a schedule in place of the one of its name.
    pub async fn replace_schedule(&self, request: &ScheduleRequest) -> Result<Schedule, CliError> {
        match self {
            Desk::Server(client) => Ok(client.replace_schedule(request).await?),
            Desk::Log { store, .. } => {
                let draft = wire::schedule_draft(request)?;
                Ok(wire::schedule(&Schedules::new(store.clone()).replace(draft).await?))
            }
        }
    }

    /// Lets a schedule fire, or stops it.
    pub async fn enable_schedule(&self, name: &str, enabled: bool) -> Result<Schedule, CliError> {
        match self {
            Desk::Server(client) => Ok(client.enable_schedule(name, enabled).await?),
            Desk::Log { store, .. } => {
                Ok(wire::schedule(&Schedules::new(store.clone()).enable(name, enabled).await?))
            }
        }
    }

    /// Forgets a schedule.
    pub async fn delete_schedule(&self, name: &str) -> Result<(), CliError> {
        match self {
            Desk::Server(client) => Ok(client.delete_schedule(name).await?),
            Desk::Log { store, .. } => Ok(Schedules::new(store.clone()).remove(name).await?),
        }
    }
}
