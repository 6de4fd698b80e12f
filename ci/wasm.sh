#!/usr/bin/env bash
# Builds the pure crates for wasm32-unknown-unknown: proof that they use no clock,
# file, thread or socket of the host, and what the browser will run.
#
# A toolchain that has the target is used as it is. Where rustup cannot fetch the
# target, Debian's rustc-web with its packaged source builds the standard library.
# Without either the script fails: a skipped build would look like a passed one.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/lib.sh
. ci/lib.sh

crates=(weaver-engine weaver-studio)
target=wasm32-unknown-unknown
debian_packages=(rustc-web cargo-web rust-web-src)
debian_src=/usr/lib/rustlib/src/rust/library

main() {
  local arguments=(--locked --target "$target" --target-dir target/wasm)
  local crate
  for crate in "${crates[@]}"; do arguments+=(-p "$crate"); done
  # Nothing here is run: line tables and optimised code would double the time.
  export CARGO_PROFILE_DEV_DEBUG=0
  for crate in "${crates[@]}" ruff_python_parser; do
    arguments+=(--config "profile.dev.package.$crate.opt-level=0")
  done

  if default_toolchain_has_target; then
    cargo build --ignore-rust-version "${arguments[@]}"
  elif debian_toolchain_ready || { install_packages "${debian_packages[@]}" && debian_toolchain_ready; }; then
    # build-std is unstable, hence RUSTC_BOOTSTRAP. The wrapper would see two compilers.
    env -u RUSTC_WRAPPER -u CARGO_BUILD_RUSTC_WRAPPER PATH="/usr/bin:$PATH" \
      RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc RUSTC_BOOTSTRAP=1 \
      /usr/bin/cargo build -Z build-std=std,panic_abort --ignore-rust-version "${arguments[@]}"
  else
    fail "no standard library for $target: run \`rustup target add $target\`," \
      "or on Debian install ${debian_packages[*]} (1.95 or newer)."
  fi
}

default_toolchain_has_target() {
  local libdir
  libdir=$(rustc --print target-libdir --target "$target" 2>/dev/null) &&
    compgen -G "$libdir/libstd-*.rlib" >/dev/null
}

debian_toolchain_ready() {
  [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && [ -f "$debian_src/std/Cargo.toml" ] &&
    version_at_least 1.95 "$(/usr/bin/rustc --version | cut -d' ' -f2)"
}

main "$@"
