//! Tools that nodes and models call, behind guards.
