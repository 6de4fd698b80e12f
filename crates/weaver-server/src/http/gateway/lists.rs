//! [`Lists`]: which models there are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;
use weaver_llm::{Call, Error, Gateway};

/// A list is asked for again when it is older.
const KEPT: Duration = Duration::from_secs(60);
/// A provider that takes longer is left out.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lists of the models of all providers that can be asked, kept for a minute.
pub struct Lists {
    gateway: Gateway,
    kept: Mutex<HashMap<String, Kept>>,
}

type Names = Result<Arc<[String]>, Error>;

struct Kept {
    at: Instant,
    names: Names,
}

/// The models of a provider, or why they are not known.
pub struct Listed {
    /// The name in `provider/model`.
    pub provider: String,
    /// Scheme, host and port; none when it cannot be asked.
    pub address: Option<String>,
    /// The names of its models.
    pub names: Names,
}

impl Lists {
    /// Nothing is asked yet.
    pub fn new(gateway: Gateway) -> Self {
        Lists { gateway, kept: Mutex::default() }
    }

    /// Every provider whose name is wanted; those that cannot be asked with the reason.
    pub async fn ask(&self, wanted: impl Fn(&str) -> bool) -> Vec<Listed> {
        let providers = self.gateway.providers().into_iter();
        let asked = providers.filter(|status| wanted(&status.name)).map(|status| async move {
            let names = match status.problem {
                Some(problem) => Err(problem),
                None => self.of(&status.name).await,
            };
            Listed { provider: status.name, address: status.base_url, names }
        });
        join_all(asked).await
    }

    /// The models of one provider.
    pub async fn of(&self, provider: &str) -> Names {
        if let Some(kept) = self.lock().get(provider).filter(|kept| kept.at.elapsed() < KEPT) {
            return kept.names.clone();
        }
        let call = Call { deadline: Some(Instant::now() + PATIENCE), ..Call::default() };
        let names = self.gateway.models(provider, call).await.map(Arc::from);
        let kept = Kept { at: Instant::now(), names: names.clone() };
        self.lock().insert(provider.into(), kept);
        names
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Kept>> {
        self.kept.lock().expect("nothing panics while it is held")
    }
}
