//! What is asked about limits.

use weaver_api::Page;
use weaver_api::limit::{Limit, LimitRequest};
use weaver_runtime::Limits;

use super::Desk;
use crate::error::CliError;
use crate::wire;

impl Desk {
    /// All limits.
    pub async fn limits(&self) -> Result<Page<Limit>, CliError> {
        match self {
            Desk::Server(client) => Ok(client.limits().await?),
            Desk::Log { store, .. } => Ok(wire::limit_list(&Limits::new(store.clone())).await?),
        }
    }

    /// Sets or takes away a limit; gives all.
    pub async fn set_limit(&self, request: &LimitRequest) -> Result<Page<Limit>, CliError> {
        match self {
            Desk::Server(client) => Ok(client.set_limit(request).await?),
            Desk::Log { store, .. } => {
                let limits = Limits::new(store.clone());
                wire::set_limit(&limits, request).await?;
                Ok(wire::limit_list(&limits).await?)
            }
        }
    }
}
