//! The Studio's files are part of the binary: a new build of them is a reason for a new one of it.

use std::path::Path;

fn main() {
    let dist = "../../ui/dist";
    // A path that is missing would make every build a new one.
    let watched = if Path::new(dist).exists() { dist } else { "../../ui" };
    println!("cargo::rerun-if-changed={watched}");
}
