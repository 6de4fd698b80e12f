//! [`SnapshotMeter`]: when a checkpoint should hold the whole state.

/// Counts the deltas since the last full state along one line of checkpoints,
/// so that reading any state stays bounded (about twice the state) and disk
/// stays at about twice the data.
///
/// Whoever drives a lane keeps one: take it from [`crate::Chain::meter`] when a
/// state is loaded (a fork starts from the chain of its parent), or start with
/// `default()` on an empty lane.
///
/// ```
/// # use weaver_store::{SnapshotMeter, State};
/// # let (mut meter, delta, state) = (SnapshotMeter::default(), vec![0; 10], vec![0; 100]);
/// let state = if meter.wants_full(delta.len(), || state.len()) {
///     State::Full(state)
/// } else {
///     State::Delta(delta)
/// };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotMeter {
    delta_bytes: u64,
    /// The state's size is only asked for beyond this.
    ask_beyond: u64,
}

/// Below this many bytes of deltas a full state is never worth it.
const DELTA_BYTES_MIN: u64 = 64 * 1024;

/// What a row costs to read besides its bytes, in bytes: many tiny deltas are
/// slow to read too.
const DELTA_OVERHEAD_BYTES: u64 = 64;

impl Default for SnapshotMeter {
    fn default() -> Self {
        SnapshotMeter { delta_bytes: 0, ask_beyond: DELTA_BYTES_MIN }
    }
}

impl SnapshotMeter {
    /// Counts one more checkpoint with a delta of this many bytes, and says
    /// whether to save the whole state in its place. `state_bytes` (the
    /// approximate size of the whole state) is asked rarely: the cost of
    /// measuring a large state is spread over many steps.
    pub fn wants_full(&mut self, delta_bytes: usize, state_bytes: impl FnOnce() -> usize) -> bool {
        self.add(delta_bytes);
        if self.delta_bytes <= self.ask_beyond {
            return false;
        }
        let state_bytes = state_bytes() as u64;
        if self.delta_bytes > state_bytes {
            *self = SnapshotMeter::default();
            return true;
        }
        // Half-way to what the state was: it may shrink, but to measure it costs as
        // much as to save it.
        let half_way = (self.delta_bytes + state_bytes) / 2;
        self.ask_beyond = half_way.max(self.delta_bytes + self.delta_bytes / 4);
        false
    }

    /// Bytes of deltas since the last full state, with an allowance for each row.
    pub fn delta_bytes(&self) -> u64 {
        self.delta_bytes
    }

    /// Counts a delta that is stored already.
    pub(crate) fn add(&mut self, delta_bytes: usize) {
        self.delta_bytes += delta_bytes as u64 + DELTA_OVERHEAD_BYTES;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_growing_list_is_never_saved_whole_and_rarely_measured() {
        let (mut meter, mut state, mut measured) = (SnapshotMeter::default(), 0, 0);
        for _ in 0..10_000 {
            state += 1_000;
            let full = meter.wants_full(900, || {
                measured += 1;
                state
            });
            assert!(!full);
        }
        assert!(measured < 40, "measured {measured} times");
    }

    #[test]
    fn a_state_that_is_overwritten_is_saved_whole_once_per_its_size() {
        let mut meter = SnapshotMeter::default();
        let fulls = (0..1_000).filter(|_| meter.wants_full(2_000, || 200_000)).count();
        assert!((5..=10).contains(&fulls), "{fulls} full states");
    }
}
