//! What a tenant has beside its runs: sealed credentials, what it used, how much it may.

use std::sync::Arc;

use uuid::Uuid;
use weaver_core::Timestamp;

use crate::queue::{Answer, Operation, Rows, Transact};
use crate::{Pending, Result, TenantId};

/// Keeps accounts. All methods name the tenant.
pub trait Accounts: Send + Sync {
    /// The keys and credentials of a tenant, sealed as they were put.
    fn sealed(&self, tenant: TenantId) -> Pending<'_, Sealed>;

    /// Puts others in the place of what a tenant keeps sealed, if that is still as it was
    /// `seen`. Says whether it was: if not, somebody else was quicker; look again.
    fn replace_sealed(&self, tenant: TenantId, seen: Sealed, next: Sealed) -> Pending<'_, bool>;

    /// Keeps what a writer has used; each metric in place of the one with its key.
    fn put_metrics(&self, tenant: TenantId, metrics: Vec<Metric>) -> Pending<'_, ()>;

    /// What was used from one day to another, both included, in the order of the keys.
    fn metrics(&self, tenant: TenantId, from: u32, to: u32) -> Pending<'_, Vec<Metric>>;

    /// Sets a quota; `None` takes it away.
    fn set_quota(&self, tenant: TenantId, kind: Arc<str>, value: Option<u64>) -> Pending<'_, ()>;

    /// The quotas of a tenant, by kind.
    fn quotas(&self, tenant: TenantId) -> Pending<'_, Vec<Quota>>;
}

/// What a tenant keeps sealed. The store has no key to any of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sealed {
    /// The tenant's own keys, by version.
    pub keys: Vec<TenantKey>,
    /// By provider.
    pub credentials: Vec<Credential>,
}

/// A tenant's key, sealed with a master key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantKey {
    /// From 1 on; the highest seals what is new.
    pub version: u32,
    /// Tells which master key it is sealed with; says nothing of that key.
    pub master: String,
    /// The key, sealed.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created: Timestamp,
}

/// A key of a provider, sealed with a tenant's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Whose interface it opens.
    pub provider: Arc<str>,
    /// The value, sealed.
    pub sealed: Vec<u8>,
    /// Which of the tenant's keys it is sealed with.
    pub key_version: u32,
    /// A few characters by which its owner knows it again; may be empty.
    pub hint: String,
    /// When it was set.
    pub updated: Timestamp,
}

/// So much of something was used on a day, as one process counts it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metric {
    /// Days since 1970, UTC.
    pub day: u32,
    /// What was used.
    pub model: Arc<str>,
    /// What is counted: calls, tokens of a bucket, money.
    pub kind: Arc<str>,
    /// Who counts. Each writer has its own sums.
    pub writer: Uuid,
    /// The sum of the day so far.
    pub value: u64,
}

/// A limit of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// What is limited.
    pub kind: Arc<str>,
    /// To how much.
    pub value: u64,
}

impl Sealed {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.credentials.is_empty()
    }
}

impl<S: Transact> Accounts for S {
    fn sealed(&self, tenant: TenantId) -> Pending<'_, Sealed> {
        self.transact(Look { tenant })
    }

    fn replace_sealed(&self, tenant: TenantId, seen: Sealed, next: Sealed) -> Pending<'_, bool> {
        let names = next.credentials.iter().map(|credential| &*credential.provider);
        match check_names(names) {
            Ok(()) => self.transact(Replace { tenant, seen, next }),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn put_metrics(&self, tenant: TenantId, metrics: Vec<Metric>) -> Pending<'_, ()> {
        let names = metrics.iter().flat_map(|metric| [&*metric.model, &*metric.kind]);
        match check_names(names) {
            Ok(()) => self.transact(PutMetrics { tenant, metrics }),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn metrics(&self, tenant: TenantId, from: u32, to: u32) -> Pending<'_, Vec<Metric>> {
        self.transact(Metrics { tenant, from, to })
    }

    fn set_quota(&self, tenant: TenantId, kind: Arc<str>, value: Option<u64>) -> Pending<'_, ()> {
        match check_names([&*kind].into_iter()) {
            Ok(()) => self.transact(SetQuota { tenant, kind, value }),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn quotas(&self, tenant: TenantId) -> Pending<'_, Vec<Quota>> {
        self.transact(Quotas { tenant })
    }
}

/// Refuses names that not every kind of store can keep.
fn check_names<'a>(mut names: impl Iterator<Item = &'a str>) -> Result<()> {
    match names.find(|name| name.contains('\0')) {
        None => Ok(()),
        Some(name) => Err(crate::Error::Invalid(format!("{name:?} holds a NUL character"))),
    }
}

struct Look {
    tenant: TenantId,
}

impl Operation for Look {
    type Output = Sealed;
    const READS: bool = true;

    async fn run<R: Rows>(&self, rows: &mut R) -> Answer<Sealed, R::Error> {
        rows.sealed(self.tenant).await
    }
}

struct Replace {
    tenant: TenantId,
    seen: Sealed,
    next: Sealed,
}

impl Operation for Replace {
    type Output = bool;
    const READS: bool = false;

    async fn run<R: Rows>(&self, rows: &mut R) -> Answer<bool, R::Error> {
        if rows.sealed(self.tenant).await? != self.seen {
            return Ok(false);
        }
        rows.put_sealed(self.tenant, &self.next).await?;
        Ok(true)
    }
}

struct PutMetrics {
    tenant: TenantId,
    metrics: Vec<Metric>,
}

impl Operation for PutMetrics {
    type Output = ();
    const READS: bool = false;

    async fn run<R: Rows>(&self, rows: &mut R) -> Answer<(), R::Error> {
        rows.put_metrics(self.tenant, &self.metrics).await
    }
}

struct Metrics {
    tenant: TenantId,
    from: u32,
    to: u32,
}

impl Operation for Metrics {
    type Output = Vec<Metric>;
    const READS: bool = true;

    async fn run<R: Rows>(&self, rows: &mut R) -> Answer<Vec<Metric>, R::Error> {
        rows.metrics(self.tenant, self.from, self.to).await
    }
}

struct SetQuota {
    tenant: TenantId,
    kind: Arc<str>,
    value: Option<u64>,
}

impl Operation for SetQuota {
    type Output = ();
    const READS: bool = false;

    async fn run<R: Rows>(&self, rows: &mut R) -> Answer<(), R::Error> {
        rows.set_quota(self.tenant, &self.kind, self.value).await
    }
}

struct Quotas {
    tenant: TenantId,
}

impl Operation for Quotas {
    type Output = Vec<Quota>;
    const READS: bool = true;

    async fn run<R: Rows>(&self, rows: &mut R) -> Answer<Vec<Quota>, R::Error> {
        rows.quotas(self.tenant).await
    }
}
