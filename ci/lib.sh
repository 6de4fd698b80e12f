# Helpers of the scripts in this folder; sourced, not run.
# shellcheck shell=bash

# Where setup.sh puts a Node of its own, if the system's is missing or too old.
export PATH="$PWD/.node/bin:$PATH"

# Prints a sentence and stops with status 1.
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# version_at_least MINIMUM VERSION
version_at_least() {
  [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

# Installs Debian packages as root or through sudo; status 1 where that is not possible.
install_packages() {
  local run=()
  command -v apt-get >/dev/null || return 1
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null && sudo -n true 2>/dev/null || return 1
    run=(sudo -n)
  fi
  echo "installing $*"
  # The package lists of a fresh machine may be too old to find anything.
  "${run[@]}" apt-get -qq update &&
    "${run[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}
