#!/usr/bin/env bash
# Every check, one section after the other; all of them run even when one fails.
# The last line is `N passed, N failed`: tests count one each, other checks one each.
#
#   ci/test.sh            everything
#   ci/test.sh clippy     only the sections named
set -uo pipefail
cd "$(dirname "$0")/.." || exit
# shellcheck source=ci/lib.sh
. ci/lib.sh

python=.venv/bin/python
cargo_flags=(--ignore-rust-version --locked)
# Clean builds are smaller and faster without the files of incremental ones.
[ -z "${CI:-}" ] || export CARGO_INCREMENTAL=0

only=("$@")
passed=0
failed=0
failed_sections=()
log=$(mktemp)
trap 'rm -f "$log"' EXIT

main() {
  section setup one ci/setup.sh
  section format one cargo fmt --all --check
  section tidy one cargo xtask tidy
  # Planting them takes long (ci/soak.sh); that each has its place is seen at once.
  section defects one cargo xtask defects --check
  # clippy and rustdoc share the metadata of the dependencies; build, tests and
  # examples share the code. Always the whole workspace: another choice of
  # packages is another choice of features, and builds dependencies again.
  section clippy one cargo lint
  section rustdoc one env RUSTDOCFLAGS="-D warnings" \
    cargo doc "${cargo_flags[@]}" --workspace --no-deps
  # Before the server is built, which takes the pages in.
  section ui-types one npm --prefix ui run --silent check
  section ui-unit counted npm --prefix ui run --silent test
  section ui-build one npm --prefix ui run --silent build
  section build one cargo build "${cargo_flags[@]}" --workspace --all-targets
  section rust counted rust_tests
  section doctests counted cargo test "${cargo_flags[@]}" --workspace --doc
  section python counted "$python" -m pytest -q python/agentweaver
  section types one "$python" -m mypy --config-file python/agentweaver/pyproject.toml \
    python/agentweaver/src python/agentweaver/tests
  # What the installed langgraph does is still what was recorded of it.
  section recordings one "$python" tests/differential/record.py --check
  section differential counted "$python" tests/differential/compare.py
  section sqlite counted "$python" tests/differential/compare.py --sqlite
  # The official clients against the server, before providers on loopback.
  section clients counted "$python" -m pytest -q tests/sdk
  # Every operation of the OpenAPI document, asked all sorts of things.
  section http counted "$python" -m pytest -q tests/http
  section examples counted ci/examples.sh
  section wasm one ci/wasm.sh
  # In the system's browser, against the server that was built above.
  section ui-e2e counted npm --prefix ui run --silent e2e
  summary
}

rust_tests() {
  if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run "${cargo_flags[@]}" --workspace --no-fail-fast --status-level fail \
      --final-status-level fail
  else
    cargo test "${cargo_flags[@]}" --workspace --lib --bins --tests --no-fail-fast
  fi
}

# section NAME one|counted COMMAND...: `one` is one check, `counted` has tests to count.
section() {
  local name=$1 kind=$2 start=$SECONDS status=0
  shift 2
  wanted "$name" || return 0
  printf '\n== %s\n' "$name"
  "$@" 2>&1 | tee "$log" || status=$?
  if [ "$kind" = counted ]; then count_tests; else count_check $status; fi
  [ $status -eq 0 ] || failed_sections+=("$name")
  printf -- '-- %s: %s, %s s\n' "$name" "$([ $status -eq 0 ] && echo ok || echo FAILED)" \
    $((SECONDS - start))
}

wanted() {
  [ ${#only[@]} -eq 0 ] && return 0
  local name
  for name in "${only[@]}"; do [ "$name" = "$1" ] && return 0; done
  return 1
}

count_check() {
  if [ "$1" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# Adds up the closing lines of cargo test, nextest, pytest, vitest, playwright and our own suites. A
# command that failed without naming a failed test counts as one failure, and so
# does one that ran no test: both would otherwise look like nothing.
count_tests() {
  local plain run_passed run_failed
  plain=$(sed 's/\x1b\[[0-9;]*m//g' "$log" |
    grep -E '^test result: |^ +Summary \[|^[0-9]+ passed, [0-9]+ failed|^(=+ )?[0-9]+ (passed|failed)\b.* in [0-9.]+s|^ +Tests +[0-9]|^ +[0-9]+ (passed \(|failed$)')
  run_passed=$(sum_before passed <<<"$plain")
  run_failed=$(sum_before failed <<<"$plain")
  if [ "$run_failed" -eq 0 ] && { [ "$status" -ne 0 ] || [ "$run_passed" -eq 0 ]; }; then
    run_failed=1
    [ "$status" -ne 0 ] || { status=1 && echo "error: no test ran"; }
  fi
  passed=$((passed + run_passed))
  failed=$((failed + run_failed))
}

sum_before() {
  grep -oE "[0-9]+ $1\b" | awk '{ sum += $1 } END { print sum + 0 }'
}

summary() {
  printf '\n%s s in all\n' "$SECONDS"
  [ ${#failed_sections[@]} -eq 0 ] || printf 'failed: %s\n' "${failed_sections[*]}"
  printf '%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ] && [ ${#failed_sections[@]} -eq 0 ]
}

main
