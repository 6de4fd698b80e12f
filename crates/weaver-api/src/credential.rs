//! Credentials: the keys of providers that a tenant keeps at the server. They are sent
//! there and never come back.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// `PUT /credentials/{provider}`
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialRequest {
    /// The key, as the provider gave it.
    pub value: String,
}

/// `POST /credentials/rotate`: seals everything anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RotateRequest {
    /// With another master key as well.
    pub master: bool,
}

/// A credential, without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Credential {
    /// The provider's name, as in `provider/model`.
    pub provider: String,
    /// An ellipsis and the last four characters; none of a short key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Which key of the tenant it is sealed with, from 1 on.
    pub key_version: u32,
    /// When it was set.
    pub updated_at: Time,
}

impl fmt::Debug for CredentialRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialRequest").finish_non_exhaustive()
    }
}
