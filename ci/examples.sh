#!/usr/bin/env bash
# Runs every file of examples/ as a reader would: offline, with the input and the
# scripted model beside it. One that waits for a person is answered from
# NAME.resume.json and runs on.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

binary=${AGENTWEAVER:-target/debug/agentweaver}
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
export AGENTWEAVER_DATA=$data
passed=0
failed=0

main() {
  local file
  for file in examples/*.py; do
    if run "$file" >"$data/output" 2>&1; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
      printf 'FAILED %s\n' "$file"
      tail -n 6 "$data/output" | cut -c 1-300 | sed 's/^/    /'
    fi
  done
  printf '%s passed, %s failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

run() {
  local file=$1 thread status=0 answers=${1%.py}.resume.json
  thread=$(basename "$file" .py)
  "$binary" run "$file" --thread "$thread" --json </dev/null || status=$?
  if [ $status -eq 3 ] && [ -f "$answers" ]; then
    status=0
    "$binary" run "$file" --thread "$thread" --resume "$(cat "$answers")" --json </dev/null || status=$?
  fi
  return $status
}

main
