//! The model gateway: one chat vocabulary, many dialects.
