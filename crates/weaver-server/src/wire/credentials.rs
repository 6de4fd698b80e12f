//! Credentials, between the API and the vault.

use weaver_api::Page;
use weaver_api::credential::{Credential, CredentialRequest, RotateRequest};
use weaver_store::TenantId;

use crate::vault::{Error, Secret, Vault};

/// All credentials of a tenant.
pub async fn credential_list(vault: &Vault, tenant: TenantId) -> Result<Page<Credential>, Error> {
    Ok(page(vault.list(tenant).await?))
}

/// Keeps a provider's key.
pub async fn set_credential(
    vault: &Vault,
    tenant: TenantId,
    provider: &str,
    request: &CredentialRequest,
) -> Result<Credential, Error> {
    let secret = Secret::parse(&request.value)?;
    Ok(credential(vault.set(tenant, provider, &secret).await?))
}

/// Seals everything anew.
pub async fn rotate_credentials(
    vault: &Vault,
    tenant: TenantId,
    request: &RotateRequest,
) -> Result<Page<Credential>, Error> {
    match request.master {
        true => {
            vault.rotate_master().await?;
            credential_list(vault, tenant).await
        }
        false => Ok(page(vault.rotate(tenant).await?)),
    }
}

fn page(credentials: Vec<weaver_store::Credential>) -> Page<Credential> {
    Page { items: credentials.into_iter().map(credential).collect(), next_cursor: None }
}

fn credential(kept: weaver_store::Credential) -> Credential {
    Credential {
        provider: kept.provider.to_string(),
        hint: (!kept.hint.is_empty()).then_some(kept.hint),
        key_version: kept.key_version,
        updated_at: kept.updated.into(),
    }
}
