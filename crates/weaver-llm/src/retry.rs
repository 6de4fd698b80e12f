//! When a call is tried again within itself.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use crate::attempt::Failed;
use crate::error::Error;
use crate::gateway::Call;
use crate::model::ModelRef;
use crate::options::Retry;

/// The tries of one call.
pub(crate) struct Tries<'a> {
    retry: Retry,
    call: &'a Call,
    made: u32,
}

impl<'a> Tries<'a> {
    /// None made yet in this call.
    pub fn new(retry: Retry, call: &'a Call) -> Self {
        Tries { retry, call, made: 0 }
    }

    /// How many were made before the one that comes now, those of earlier
    /// attempts of the node included.
    pub fn made(&self) -> u32 {
        self.call.earlier_tries.saturating_add(self.made)
    }

    /// Waits for the next try, or gives the error back when there is none: when
    /// trying again is not safe, the tries are used up, the provider wants to be
    /// left alone for longer than we wait, or the deadline would pass first. With
    /// another key there is nothing to wait for.
    pub async fn wait_after(&mut self, failed: Failed, model: &ModelRef) -> Result<(), Error> {
        self.made += 1;
        let Failed { error, another_key } = failed;
        let may = another_key || error.retry_is_safe();
        if !may || self.made >= self.retry.attempts {
            return Err(error);
        }
        let wait = match error.retry_after() {
            _ if another_key => Duration::ZERO,
            Some(asked) if asked > self.retry.cap => return Err(error),
            Some(asked) => asked,
            None => full_jitter(self.retry, self.made),
        };
        if self.call.deadline.is_some_and(|deadline| Instant::now() + wait >= deadline) {
            return Err(error);
        }
        tracing::info!(
            provider = model.provider,
            code = error.code(),
            tries = self.made,
            wait_ms = wait.as_millis() as u64,
            "a model call failed and is tried again"
        );
        tokio::select! {
            () = self.call.cancel.cancelled() => Err(Error::Cancelled),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }
}

/// Evenly between zero and the limit, which doubles with each try.
fn full_jitter(retry: Retry, made: u32) -> Duration {
    let limit = retry.base.saturating_mul(1 << (made - 1).min(16)).min(retry.cap);
    // A fresh RandomState is keyed from the operating system's randomness.
    let random = RandomState::new().build_hasher().finish();
    limit.mul_f64(random as f64 / u64::MAX as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_vary() {
        let retry = Retry {
            attempts: 9,
            base: Duration::from_millis(100),
            cap: Duration::from_millis(300),
        };
        let waits: Vec<_> = (0..64).map(|_| full_jitter(retry, 1)).collect();
        assert!(waits.iter().all(|wait| *wait <= Duration::from_millis(100)));
        assert!(waits.iter().any(|wait| *wait != waits[0]), "they are spread");
        assert!((0..64).all(|_| full_jitter(retry, 40) <= retry.cap));
    }
}
