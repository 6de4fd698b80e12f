//! Hash maps for the paths where a lookup counts.

use std::collections::{HashMap, HashSet};

/// A map whose hash is cheaper than the one of std. It is seeded all the same, as
/// keys come from outside: names in a file, ids of messages.
pub type FastMap<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// See [`FastMap`].
pub type FastSet<K> = HashSet<K, foldhash::fast::RandomState>;
