//! What is asked about credentials.

use weaver_api::Page;
use weaver_api::credential::{Credential, CredentialRequest, RotateRequest};
use weaver_store::Store;

use super::Desk;
use crate::error::CliError;
use crate::settings::Settings;
use crate::vault::Vault;
use crate::wire;

impl Desk {
    /// All credentials, without their values.
    pub async fn credentials(&self, settings: &Settings) -> Result<Page<Credential>, CliError> {
        match self {
            Desk::Server(client) => Ok(client.credentials().await?),
            Desk::Log { store, .. } => {
                Ok(wire::credential_list(&vault(store, settings), store.tenant()).await?)
            }
        }
    }

    /// Keeps a provider's key.
    pub async fn set_credential(
        &self,
        settings: &Settings,
        provider: &str,
        request: &CredentialRequest,
    ) -> Result<Credential, CliError> {
        match self {
            Desk::Server(client) => Ok(client.set_credential(provider, request).await?),
            Desk::Log { store, .. } => {
                let (vault, tenant) = (vault(store, settings), store.tenant());
                Ok(wire::set_credential(&vault, tenant, provider, request).await?)
            }
        }
    }

    /// Forgets a provider's key.
    pub async fn remove_credential(
        &self,
        settings: &Settings,
        provider: &str,
    ) -> Result<(), CliError> {
        match self {
            Desk::Server(client) => Ok(client.remove_credential(provider).await?),
            Desk::Log { store, .. } => {
                Ok(vault(store, settings).remove(store.tenant(), provider).await?)
            }
        }
    }

    /// Seals everything anew.
    pub async fn rotate_credentials(
        &self,
        settings: &Settings,
        request: &RotateRequest,
    ) -> Result<Page<Credential>, CliError> {
        match self {
            Desk::Server(client) => Ok(client.rotate_credentials(request).await?),
            Desk::Log { store, .. } => {
                let (vault, tenant) = (vault(store, settings), store.tenant());
                Ok(wire::rotate_credentials(&vault, tenant, request).await?)
            }
        }
    }
}

fn vault(store: &Store, settings: &Settings) -> Vault {
    Vault::new(store.clone(), settings.master.clone(), &settings.models)
}
