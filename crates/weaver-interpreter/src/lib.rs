//! A pool of sandboxed Python interpreter processes.
