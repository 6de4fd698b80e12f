//! [`Vault`]: the keys of providers that a tenant keeps here, sealed.
//!
//! Two levels: a credential is sealed with a key of its tenant, and that key with the
//! master key, which is outside the store. Changing the master key seals the tenants'
//! keys anew and nothing else needs to know; what is in a store, a copy or a backup of
//! one opens nothing.

mod master;
mod seal;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use uuid::Uuid;
use weaver_llm::{Options, provider};
use weaver_runtime::now;
use weaver_store::{Credential, Sealed, Store, TenantId, TenantKey};

use master::Master;
pub use master::MasterOptions;
use seal::Key;

type Result<T, E = Error> = std::result::Result<T, E>;

/// What cannot be done with credentials.
#[derive(Debug, Clone)]
pub enum Error {
    /// The master key is missing or unusable.
    Master(String),
    /// It is another one than the credentials are sealed with, or they were changed.
    Locked(String),
    /// There is no provider of this name; one that is near.
    Provider(String, Option<String>),
    /// The value cannot be a key.
    Value(&'static str),
    /// The provider has no credential.
    Missing(String),
    /// The store failed.
    Store(weaver_store::Error),
}

/// A key of a provider. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// What a tenant's credentials open, by provider.
pub struct Keys {
    /// Whose they are.
    tenant: TenantId,
    /// Another one after each change.
    pub id: Option<Uuid>,
    by_provider: BTreeMap<String, Secret>,
}

/// Credentials of all tenants of a store. Cheap to clone; clones share what was opened.
#[derive(Clone)]
pub struct Vault(Arc<Shared>);

struct Shared {
    store: Store,
    master: MasterOptions,
    /// Providers of the settings, beside those that everybody knows.
    providers: Vec<String>,
    opened: Mutex<HashMap<TenantId, Opened>>,
}

struct Opened {
    at: Instant,
    from: Sealed,
    keys: Arc<Keys>,
}

/// Another process may change a credential; here it counts after so long.
const KEPT: Duration = Duration::from_secs(5);

/// A change is tried so often when others change the same at the same time.
const TRIES: usize = 8;

/// Longer than any key of a provider; some give signed tokens.
const VALUE_BYTES_MAX: usize = 8192;

/// With fewer characters, the last four would say too much.
const HINT_CHARS_MIN: usize = 16;

impl Vault {
    /// The vault of a store. `options` names providers beside those that everybody knows.
    pub fn new(store: Store, master: MasterOptions, options: &Options) -> Self {
        let providers = options.providers.keys().cloned().collect();
        Vault(Arc::new(Shared { store, master, providers, opened: Mutex::default() }))
    }

    /// A tenant's credentials, sealed: names, times and hints.
    pub async fn list(&self, tenant: TenantId) -> Result<Vec<Credential>> {
        Ok(self.look(tenant).await?.credentials)
    }

    /// Keeps a provider's key, in place of the one before.
    pub async fn set(&self, tenant: TenantId, name: &str, secret: &Secret) -> Result<Credential> {
        let name = self.provider(name)?;
        let master = Master::find_or_make(&self.0.master)?;
        let kept = self.change(tenant, |seen| {
            let mut next = seen.clone();
            if next.keys.is_empty() {
                next.keys.push(tenant_key(tenant, 1, &master, &Key::random()));
            }
            let newest = next.keys.last().expect("one was just made if there was none");
            let key = open_key(tenant, newest, &master)?;
            let about = about_credential(tenant, &name, newest.version);
            let credential = Credential {
                provider: name.as_str().into(),
                sealed: key.seal(secret.0.as_bytes(), &about),
                key_version: newest.version,
                hint: secret.hint(),
                updated: now(),
            };
            next.credentials.retain(|other| *other.provider != *name);
            next.credentials.push(credential);
            next.credentials.sort_by(|one, other| one.provider.cmp(&other.provider));
            Ok(next)
        });
        let kept = kept.await?;
        let own = kept.credentials.into_iter().find(|credential| *credential.provider == *name);
        Ok(own.expect("it was just put there"))
    }

    /// Forgets a provider's key.
    pub async fn remove(&self, tenant: TenantId, name: &str) -> Result<()> {
        let name = self.provider(name)?;
        let without = |seen: &Sealed| {
            let mut next = seen.clone();
            next.credentials.retain(|credential| *credential.provider != *name);
            if next.credentials.len() == seen.credentials.len() {
                return Err(Error::Missing(name.clone()));
            }
            if next.credentials.is_empty() {
                // A lost master key is no hindrance then to begin anew.
                next.keys.clear();
            }
            Ok(next)
        };
        self.change(tenant, without).await.map(drop)
    }

    /// Seals a tenant's credentials with a new key of its own.
    pub async fn rotate(&self, tenant: TenantId) -> Result<Vec<Credential>> {
        let master = Master::find_or_make(&self.0.master)?;
        let kept = self.change(tenant, |seen| renewed(tenant, seen, &master)).await?;
        Ok(kept.credentials)
    }

    /// Changes the master key: the keys of all tenants are made anew and sealed with the
    /// next one. It may be cut short anywhere and begun again.
    pub async fn rotate_master(&self) -> Result<()> {
        let master = Master::find_or_make(&self.0.master)?.begin_change()?;
        for tenant in self.0.store.tenants().await? {
            self.change(tenant, |seen| renewed(tenant, seen, &master)).await?;
        }
        master.end_change().map(drop)
    }

    /// What a tenant's credentials open. Looks again when what it knows is some seconds old.
    pub async fn keys(&self, tenant: TenantId) -> Result<Arc<Keys>> {
        if let Some(opened) = self.opened().get(&tenant)
            && opened.at.elapsed() < KEPT
        {
            return Ok(opened.keys.clone());
        }
        let from = self.look(tenant).await?;
        if let Some(opened) = self.opened().get_mut(&tenant)
            && opened.from == from
        {
            opened.at = Instant::now();
            return Ok(opened.keys.clone());
        }
        let keys = Arc::new(self.open(tenant, &from)?);
        let opened = Opened { at: Instant::now(), from, keys: keys.clone() };
        self.opened().insert(tenant, opened);
        Ok(keys)
    }

    fn open(&self, tenant: TenantId, sealed: &Sealed) -> Result<Keys> {
        if sealed.credentials.is_empty() {
            return Ok(Keys { tenant, id: None, by_provider: BTreeMap::new() });
        }
        let master = Master::find_or_make(&self.0.master)?;
        let by_provider = open_all(tenant, sealed, &master)?;
        Ok(Keys { tenant, id: Some(Uuid::now_v7()), by_provider })
    }

    async fn look(&self, tenant: TenantId) -> Result<Sealed> {
        Ok(self.0.store.accounts().sealed(tenant).await?)
    }

    async fn change(
        &self,
        tenant: TenantId,
        next: impl Fn(&Sealed) -> Result<Sealed>,
    ) -> Result<Sealed> {
        let accounts = self.0.store.accounts();
        for _ in 0..TRIES {
            let seen = self.look(tenant).await?;
            let next = next(&seen)?;
            if accounts.replace_sealed(tenant, seen, next.clone()).await? {
                self.opened().remove(&tenant);
                return Ok(next);
            }
        }
        let reason = "others change the same credentials all the time".into();
        Err(Error::Store(weaver_store::Error::Conflict(reason)))
    }

    /// The name of a provider, of which there may be several.
    fn provider(&self, name: &str) -> Result<String> {
        let name = name.trim().to_lowercase();
        if let Some(row) = provider::known(&name) {
            return Ok(row.name.into());
        }
        if self.0.providers.contains(&name) {
            return Ok(name);
        }
        let known = provider::TABLE.iter().map(|row| row.name);
        let all = known.chain(self.0.providers.iter().map(String::as_str));
        let near = weaver_llm::nearest(&name, all).map(String::from);
        Err(Error::Provider(name, near))
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, HashMap<TenantId, Opened>> {
        self.0.opened.lock().expect("nothing panics while it is held")
    }
}

impl Secret {
    /// A value that can be a key: visible characters, which a header can hold.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::Value("the key is empty"));
        }
        if text.len() > VALUE_BYTES_MAX {
            return Err(Error::Value("a key has at most 8 KiB"));
        }
        match text.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Secret(text.into())),
            false => Err(Error::Value("a key is one word of visible ASCII characters")),
        }
    }

    fn hint(&self) -> String {
        match self.0.len() >= HINT_CHARS_MIN {
            true => format!("…{}", &self.0[self.0.len() - 4..]),
            false => String::new(),
        }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Keys {
    /// Whose keys these are.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The settings with these keys in place of those that they name, and with the answers
    /// that this tenant was given before.
    pub fn join(&self, options: &Options) -> Options {
        let mut options = options.clone();
        options.cache = options.cache.of_space(&self.tenant.to_string());
        for (name, secret) in &self.by_provider {
            let provider = options.providers.entry(name.clone()).or_default();
            provider.api_key = Some(secret.0.clone());
            provider.more_keys.clear();
        }
        options
    }
}

fn about_key(tenant: TenantId, version: u32) -> String {
    format!("tenant key {tenant} {version}")
}

fn about_credential(tenant: TenantId, provider: &str, version: u32) -> String {
    format!("credential {tenant} {version} {provider}")
}

fn tenant_key(tenant: TenantId, version: u32, master: &Master, key: &Key) -> TenantKey {
    TenantKey {
        version,
        master: master.seals().id(),
        sealed: master.seals().seal(key.bytes(), &about_key(tenant, version)),
        created: now(),
    }
}

fn open_key(tenant: TenantId, key: &TenantKey, master: &Master) -> Result<Key> {
    let Some(opens) = master.find(&key.master) else {
        return Err(Error::Locked(format!(
            "they are sealed with the master key {}, and this is {}",
            key.master,
            master.seals().id()
        )));
    };
    let bytes = opens.open(&key.sealed, &about_key(tenant, key.version));
    let key = bytes.ok().and_then(|bytes| Key::of(&bytes));
    key.ok_or_else(|| Error::Locked("the tenant's key was changed in the store".into()))
}

fn open_all(
    tenant: TenantId,
    sealed: &Sealed,
    master: &Master,
) -> Result<BTreeMap<String, Secret>> {
    let mut keys = HashMap::new();
    for key in &sealed.keys {
        keys.insert(key.version, open_key(tenant, key, master)?);
    }
    let open = |credential: &Credential| {
        let Credential { provider, sealed, key_version, .. } = credential;
        let about = about_credential(tenant, provider, *key_version);
        let bytes = keys.get(key_version).and_then(|key| key.open(sealed, &about).ok());
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let changed = || Error::Locked(format!("that of {provider} was changed in the store"));
        text.map(|text| (provider.to_string(), Secret(text))).ok_or_else(changed)
    };
    sealed.credentials.iter().map(open).collect()
}

/// The same credentials under a new key.
fn renewed(tenant: TenantId, seen: &Sealed, master: &Master) -> Result<Sealed> {
    let Some(newest) = seen.keys.last() else { return Ok(Sealed::default()) };
    let (version, key) = (newest.version + 1, Key::random());
    let opened = open_all(tenant, seen, master)?;
    let seal = |credential: &Credential| {
        let secret = &opened[&*credential.provider];
        let about = about_credential(tenant, &credential.provider, version);
        let sealed = key.seal(secret.0.as_bytes(), &about);
        Credential { sealed, key_version: version, ..credential.clone() }
    };
    Ok(Sealed {
        credentials: seen.credentials.iter().map(seal).collect(),
        keys: vec![tenant_key(tenant, version, master, &key)],
    })
}

impl Error {
    /// The stable word that has a page in `docs/errors/`.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Master(_) => "master_key_unusable",
            Error::Locked(_) => "credentials_locked",
            Error::Provider(..) | Error::Value(_) => "validation_failed",
            Error::Missing(_) => "not_found",
            Error::Store(error) => error.code(),
        }
    }
}

impl From<weaver_store::Error> for Error {
    fn from(error: weaver_store::Error) -> Self {
        Error::Store(error)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Master(reason) => f.write_str(reason),
            Error::Locked(reason) => write!(f, "the credentials cannot be opened: {reason}"),
            Error::Provider(name, near) => {
                write!(f, "`{name}` is no provider")?;
                near.as_ref().map_or(Ok(()), |near| write!(f, "; did you mean `{near}`?"))
            }
            Error::Value(reason) => f.write_str(reason),
            Error::Missing(name) => write!(f, "there is no credential of {name}"),
            Error::Store(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(dir: &std::path::Path, store: &Store) -> Vault {
        let master = MasterOptions { data: dir.into(), ..MasterOptions::default() };
        Vault::new(store.clone(), master, &Options::default())
    }

    fn secret() -> Secret {
        Secret::parse("sk-canary-0123456789-wxyz\n").unwrap()
    }

    async fn opens(vault: &Vault, tenant: TenantId) -> Option<String> {
        let options = vault.keys(tenant).await.unwrap().join(&Options::default());
        options.providers.get("openai").and_then(|provider| provider.api_key.clone())
    }

    #[tokio::test]
    async fn a_key_is_kept_for_its_tenant_and_opens_after_each_change_of_keys() {
        let (dir, store) = (tempfile::tempdir().unwrap(), Store::in_memory());
        let (tenant, other) = (TenantId::LOCAL, TenantId::generate());
        let kept = vault(dir.path(), &store);
        let credential = kept.set(tenant, "OpenAI", &secret()).await.unwrap();
        assert_eq!((&*credential.provider, &*credential.hint), ("openai", "…wxyz"));
        assert_eq!(opens(&kept, tenant).await.unwrap(), secret().0);
        assert_eq!(opens(&kept, other).await, None);
        let first = store.accounts().sealed(tenant).await.unwrap();
        kept.rotate(tenant).await.unwrap();
        let second = store.accounts().sealed(tenant).await.unwrap();
        assert_eq!((second.keys.len(), second.keys[0].version), (1, 2));
        assert_ne!(first.credentials[0].sealed, second.credentials[0].sealed);
        kept.rotate_master().await.unwrap();
        let third = store.accounts().sealed(tenant).await.unwrap();
        assert_ne!(second.keys[0].master, third.keys[0].master);
        // A process that begins now has the new master key alone.
        assert_eq!(opens(&vault(dir.path(), &store), tenant).await.unwrap(), secret().0);
        kept.remove(tenant, "openai").await.unwrap();
        assert_eq!(opens(&kept, tenant).await, None);
        assert!(matches!(kept.remove(tenant, "openai").await, Err(Error::Missing(_))));
    }

    #[tokio::test]
    async fn what_is_anothers_or_was_changed_does_not_open() {
        let (dir, store) = (tempfile::tempdir().unwrap(), Store::in_memory());
        let (tenant, other) = (TenantId::LOCAL, TenantId::generate());
        vault(dir.path(), &store).set(tenant, "openai", &secret()).await.unwrap();
        let sealed = store.accounts().sealed(tenant).await.unwrap();
        let locked =
            |outcome: Result<Arc<Keys>>| matches!(outcome.map(drop), Err(Error::Locked(_)));
        // Another directory, another master key.
        let elsewhere = tempfile::tempdir().unwrap();
        let lost = vault(elsewhere.path(), &store);
        assert!(locked(lost.keys(tenant).await));
        assert!(matches!(lost.set(tenant, "groq", &secret()).await, Err(Error::Locked(_))));
        // Rows of one tenant put in the place of another's.
        let accounts = store.accounts();
        accounts.replace_sealed(other, Sealed::default(), sealed.clone()).await.unwrap();
        assert!(locked(vault(dir.path(), &store).keys(other).await));
        // One provider's row put in the place of another's.
        let mut swapped = sealed.clone();
        swapped.credentials[0].provider = "anthropic".into();
        accounts.replace_sealed(tenant, sealed, swapped).await.unwrap();
        assert!(locked(vault(dir.path(), &store).keys(tenant).await));
        // Who has lost the key can begin anew.
        lost.remove(tenant, "anthropic").await.unwrap();
        lost.set(tenant, "openai", &secret()).await.unwrap();
        assert_eq!(opens(&lost, tenant).await.unwrap(), secret().0);
    }

    #[test]
    fn a_value_is_a_word_and_is_not_shown() {
        for wrong in ["", " \n", "two words", "line\nbreak", "naïve-key", &"x".repeat(9000)] {
            let error = Secret::parse(wrong).unwrap_err().to_string();
            assert!(wrong.trim().is_empty() || !error.contains(wrong.trim()), "{error}");
        }
        assert_eq!(format!("{:?}", secret()), "***");
        assert_eq!(Secret::parse("short").unwrap().hint(), "");
    }
}
