//! What a function of the user is given: a cheap view that becomes a value on demand.

use std::sync::Arc;

use weaver_core::Failure;

use crate::value::StateValue;

/// A key of a view.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ViewKey {
    /// A state key, by channel number.
    Channel(u32),
    /// Whether the next step would pass the recursion limit.
    IsLastStep,
    /// How many steps the recursion limit leaves.
    RemainingSteps,
}

/// The state as a node or a branch sees it: some keys of a shared snapshot.
#[derive(Clone, Debug)]
pub struct StateView<V> {
    pub(crate) values: Arc<Vec<Option<V>>>,
    pub(crate) keys: Arc<[(Arc<str>, ViewKey)]>,
    /// Own writes of the task, over the snapshot (branches only).
    pub(crate) overlay: Vec<(u32, Option<V>)>,
    /// What the node returned beyond the state (branches only).
    pub(crate) extra: Vec<(Arc<str>, V)>,
    pub(crate) remaining_steps: i64,
}

impl<V: StateValue> StateView<V> {
    /// The value of a key; nothing if it has none or is not visible here.
    pub fn get(&self, key: &str) -> Option<V> {
        match self.keys.iter().find(|(name, _)| &**name == key) {
            Some((_, key)) => self.read(key),
            None => self.extra.iter().find(|(name, _)| &**name == key).map(|(_, v)| v.clone()),
        }
    }

    /// The keys that have a value, in the order of the schema.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, V)> {
        let extra = self.extra.iter().map(|(name, value)| (name, value.clone()));
        extra.chain(self.keys.iter().filter_map(|(name, key)| Some((name, self.read(key)?))))
    }

    /// The view as one object.
    pub fn to_value(&self) -> V {
        V::from_fields(self.iter().map(|(name, value)| (name.clone(), value)).collect())
    }

    fn read(&self, key: &ViewKey) -> Option<V> {
        match key {
            ViewKey::Channel(channel) => {
                match self.overlay.iter().rev().find(|(number, _)| number == channel) {
                    Some((_, value)) => value.clone(),
                    None => self.values[*channel as usize].clone(),
                }
            }
            ViewKey::IsLastStep => Some(V::from_bool(self.remaining_steps == 1)),
            ViewKey::RemainingSteps => Some(V::from_int(self.remaining_steps)),
        }
    }
}

/// What a function of the user is given.
#[derive(Clone, Debug)]
pub enum CallInput<V> {
    /// The state, for nodes reached by an edge and for branches.
    State(StateView<V>),
    /// A value as it is, for nodes reached by `Send`.
    Value(V),
    /// All writes of one step to one key, for reducers: fold `writes` over
    /// `left`; if there is no `left`, the first write becomes it.
    Fold {
        /// The state key.
        key: Arc<str>,
        /// The value so far.
        left: Option<V>,
        /// At least one write, in order.
        writes: Vec<V>,
        /// `reducer(left, writes)` in one call, instead of one call for each write.
        batch: bool,
    },
    /// A failure, for error handlers and retry predicates.
    Failed {
        /// What the failed node was given.
        input: Box<CallInput<V>>,
        /// The failed node.
        node: Arc<str>,
        /// Why it failed.
        failure: Failure,
    },
}

impl<V: StateValue> CallInput<V> {
    /// The input as one value: of a fold its left side, of a failure the failed
    /// node's input.
    pub fn to_value(&self) -> V {
        match self {
            CallInput::State(view) => view.to_value(),
            CallInput::Value(value) => value.clone(),
            CallInput::Fold { left, .. } => left.clone().unwrap_or_else(V::null),
            CallInput::Failed { input, .. } => input.to_value(),
        }
    }
}
