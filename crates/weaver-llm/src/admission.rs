//! Who may call now, and with which key: a circuit breaker for each endpoint, and
//! keys that share the load, rest when they are limited and take so many calls at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::error::{Error, Phase};
use crate::model::ModelRef;
use crate::options::{Breaker, ProviderOptions};

/// How long a key rests that was limited without a word about when that ends.
const LIMITED_REST: Duration = Duration::from_secs(1);
/// How long a key rests that was refused, or whose account is empty.
const REFUSED_REST: Duration = Duration::from_secs(60);
/// Longest rest of an endpoint.
const REST_MAX: Duration = Duration::from_secs(60);

/// What all calls of a gateway know of its endpoints.
#[derive(Default)]
pub(crate) struct Doors {
    circuits: Mutex<HashMap<(String, String), Circuit>>,
    rings: Mutex<HashMap<String, Arc<Ring>>>,
}

/// The failures of one model at one address.
#[derive(Default)]
struct Circuit {
    /// Failures since the last answer.
    failures: u32,
    /// How often it was opened since then.
    opened: u32,
    open_until: Option<Instant>,
    /// One call is on its way to see whether the endpoint is back.
    probing: bool,
}

/// The keys of one provider.
struct Ring {
    keys: Mutex<Vec<Key>>,
    turns: Vec<Option<Arc<Semaphore>>>,
}

#[derive(Clone)]
struct Key {
    key: Option<String>,
    in_flight: usize,
    /// Until when it rests, by model: limits of the rate are counted so. What the
    /// key itself suffers from is under no name and holds for all.
    rests: HashMap<String, Instant>,
}

impl Key {
    fn rests_until(&self, model: &str) -> Option<Instant> {
        let rests = [self.rests.get(model), self.rests.get("")];
        rests.into_iter().flatten().max().copied()
    }
}

/// Leave to make one try. The key's turn is over when it is dropped.
pub(crate) struct Admission {
    pub key: Option<String>,
    doors: Arc<Doors>,
    ring: Arc<Ring>,
    at: usize,
    endpoint: (String, String),
    is_probe: bool,
    breaker: Breaker,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Doors {
    /// Leave for a try, at once or when a key has a turn free. Fails without
    /// contacting anyone when the endpoint or all keys rest.
    pub async fn admit(
        self: &Arc<Self>,
        model: &ModelRef,
        settings: &ProviderOptions,
        breaker: Breaker,
    ) -> Result<Admission, Error> {
        let endpoint = (model.base_url.clone(), model.model.clone());
        let is_probe = self.pass(&endpoint, model)?;
        let ring = self.ring(model, settings);
        // From here on the guard undoes what was taken, should the caller leave.
        let mut admission = Admission {
            key: None,
            doors: self.clone(),
            at: ring.choose(model).inspect_err(|_| self.unprobe(&endpoint, is_probe))?,
            ring,
            endpoint,
            is_probe,
            breaker,
            _turn: None,
        };
        if let Some(turns) = &admission.ring.turns[admission.at] {
            let turn = turns.clone().acquire_owned().await;
            admission._turn = Some(turn.expect("the turns of a key are never closed"));
        }
        admission.key = lock(&admission.ring.keys)[admission.at].key.clone();
        Ok(admission)
    }

    /// Whether the endpoint may be called, and whether this call is the one that tries it out.
    fn pass(&self, endpoint: &(String, String), model: &ModelRef) -> Result<bool, Error> {
        let mut circuits = lock(&self.circuits);
        let Some(circuit) = circuits.get_mut(endpoint) else { return Ok(false) };
        let Some(until) = circuit.open_until else { return Ok(false) };
        let now = Instant::now();
        if now < until || circuit.probing {
            return Err(Error::CircuitOpen {
                provider: model.title.clone(),
                failures: circuit.failures,
                reset: until.saturating_duration_since(now).max(Duration::from_millis(100)),
            });
        }
        circuit.probing = true;
        Ok(true)
    }

    fn unprobe(&self, endpoint: &(String, String), is_probe: bool) {
        if let (true, Some(circuit)) = (is_probe, lock(&self.circuits).get_mut(endpoint)) {
            circuit.probing = false;
        }
    }

    fn ring(&self, model: &ModelRef, settings: &ProviderOptions) -> Arc<Ring> {
        let mut rings = lock(&self.rings);
        let ring = rings.entry(model.provider.clone()).or_insert_with(|| {
            let mut keys: Vec<_> = settings.keys().map(|key| Some(key.to_string())).collect();
            if keys.is_empty() {
                keys.push(None);
            }
            let turns = keys.iter().map(|_| {
                let limit = settings.concurrency?;
                Some(Arc::new(Semaphore::new(limit.clamp(1, Semaphore::MAX_PERMITS))))
            });
            let turns = turns.collect();
            let key = |key| Key { key, in_flight: 0, rests: HashMap::new() };
            Arc::new(Ring { keys: Mutex::new(keys.into_iter().map(key).collect()), turns })
        });
        ring.clone()
    }
}

impl Ring {
    /// The key with the fewest calls under way among those that do not rest.
    fn choose(&self, model: &ModelRef) -> Result<usize, Error> {
        let mut keys = lock(&self.keys);
        let now = Instant::now();
        let name = &model.model;
        let rests = |key: &Key| key.rests_until(name).is_some_and(|until| until > now);
        let free = keys.iter().enumerate().filter(|(_, key)| !rests(key));
        if let Some((at, _)) = free.min_by_key(|(_, key)| key.in_flight) {
            keys[at].in_flight += 1;
            return Ok(at);
        }
        let soonest = keys.iter().filter_map(|key| key.rests_until(name)).min().unwrap_or(now);
        Err(Error::RateLimited {
            provider: model.title.clone(),
            message: format!("all {} keys are limited or refused", keys.len()),
            reset: Some(soonest - now),
        })
    }
}

impl Admission {
    /// An answer has begun: whoever waits to see whether the endpoint is back need
    /// not wait for its end.
    pub fn answers(&self) {
        if self.is_probe {
            lock(&self.doors.circuits).remove(&self.endpoint);
        }
    }

    /// Learns from how the try went.
    pub fn report(&self, outcome: Result<(), &Error>) {
        self.learn_of_endpoint(outcome);
        let Err(error) = outcome else { return };
        let mut keys = lock(&self.ring.keys);
        // A key that is alone does not rest: limits differ by what is asked for, and
        // the provider knows best whether it still holds.
        if keys.len() == 1 {
            return;
        }
        let (model, rest) = match error {
            Error::RateLimited { reset, .. } => (&*self.endpoint.1, reset.unwrap_or(LIMITED_REST)),
            Error::Auth { .. } | Error::Quota { .. } | Error::Forbidden { .. } => {
                ("", REFUSED_REST)
            }
            _ => return,
        };
        keys[self.at].rests.insert(model.into(), Instant::now() + rest);
    }

    /// Whether another key could be tried at once after this error.
    pub fn another_key_may_help(&self, error: &Error) -> bool {
        let now = Instant::now();
        let keys = lock(&self.ring.keys);
        let of_the_key = matches!(
            error,
            Error::RateLimited { .. }
                | Error::Auth { .. }
                | Error::Quota { .. }
                | Error::Forbidden { .. }
        );
        let mut others = keys.iter().enumerate().filter(|(at, _)| *at != self.at);
        let model = &self.endpoint.1;
        of_the_key && others.any(|(_, key)| key.rests_until(model).is_none_or(|until| until <= now))
    }

    fn learn_of_endpoint(&self, outcome: Result<(), &Error>) {
        let failed = match outcome {
            Ok(()) => false,
            Err(Error::Timeout { phase, .. }) => match phase {
                Phase::Total => return,
                Phase::Connect | Phase::FirstToken | Phase::Idle => true,
            },
            Err(Error::Cancelled) => return,
            Err(
                Error::Overloaded { .. }
                | Error::Network { .. }
                | Error::Cut { .. }
                | Error::Protocol { .. },
            ) => true,
            // It answers, if only with a refusal.
            Err(_) => false,
        };
        let mut circuits = lock(&self.doors.circuits);
        if !failed {
            circuits.remove(&self.endpoint);
            return;
        }
        let circuit = circuits.entry(self.endpoint.clone()).or_default();
        circuit.failures = circuit.failures.saturating_add(1);
        if self.breaker.failures > 0 && (circuit.failures >= self.breaker.failures || self.is_probe)
        {
            let rest = self.breaker.rest.saturating_mul(1 << circuit.opened.min(8)).min(REST_MAX);
            // Those that were under way when it opened do not open it again.
            if circuit.open_until.is_none() || self.is_probe {
                circuit.opened += 1;
                circuit.open_until = Some(Instant::now() + rest);
                tracing::warn!(
                    address = crate::http::address_of(&self.endpoint.0),
                    model = self.endpoint.1,
                    failures = circuit.failures,
                    rest_ms = rest.as_millis() as u64,
                    "a model's endpoint keeps failing and is left alone"
                );
            }
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        lock(&self.ring.keys)[self.at].in_flight -= 1;
        self.doors.unprobe(&self.endpoint, self.is_probe);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is guarded is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
