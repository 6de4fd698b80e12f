//! [`SnapshotMeter`]: when a checkpoint should hold the whole state.

/// Counts the deltas since the last full state along one line of checkpoints,
/// so that reading any state stays bounded (about three times the state) and disk
/// stays at one and a half times what was written.
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

/// How many times the state the deltas may take. A list that only grows is in its
/// deltas once, and each of them says some more: a conversation never comes to two.
const STATES_IN_DELTAS: u64 = 2;

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
        let worth_it = STATES_IN_DELTAS * state_bytes;
        if self.delta_bytes > worth_it {
            *self = SnapshotMeter::default();
            return true;
        }
        // Half-way to where it would be worth it: the state may shrink, but to measure it
        // costs as much as to save it.
        let half_way = (self.delta_bytes + worth_it) / 2;
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
    fn a_state_that_is_overwritten_is_saved_whole_once_per_twice_its_size() {
        let mut meter = SnapshotMeter::default();
        let fulls = (0..1_000).filter(|_| meter.wants_full(2_000, || 200_000)).count();
        assert!((4..=5).contains(&fulls), "{fulls} full states");
    }
}
