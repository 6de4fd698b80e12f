//! The command line as a user meets it: the real binary on real files.
//!
//! [`Desk`] is the one door: a directory of its own in which commands run with a
//! clean environment.

mod bad_files;
mod bad_input;
mod changed;
mod choosing;
mod converting;
mod data_dir;
mod desk;
mod guide;
mod history;
mod limits;
mod models;
mod nodes_agent;
mod nodes_logic;
mod nodes_tool;
mod python;
mod quick_starts;
mod resume;
mod run;
mod settings;
mod travel;
mod versions;
mod waiting;
