//! Python graph source to GraphSpec: spans and diagnostics.
