#!/usr/bin/env bash
# Proves the promises at large sizes, for hours: simulated schedules, processes killed,
# PostgreSQL crashed, and every planted defect. Counts add up over runs in
# target/soak/counts and are printed in the end.
#
#   ci/soak.sh            all of it
#   ci/soak.sh kills      only the parts named
#
# SOAK_SCALE=0.01 makes it short, to see that it works.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

cargo_flags=(--ignore-rust-version --locked)
scale=${SOAK_SCALE:-1}
only=("$@")
folder=target/soak
counts=$folder/counts
failed=()

main() {
  mkdir -p "$folder"
  part engine env SIM_SEEDS="$(scaled 1000000)" cargo test "${cargo_flags[@]}" --release \
    -p weaver-engine --test simulation -- --nocapture
  part schedules env SIM_SEEDS="$(scaled 1000000)" cargo test "${cargo_flags[@]}" --release \
    -p weaver-runtime --test simulation -- --nocapture
  part writers env AGENTWEAVER_KILLS="$(scaled 4000)" cargo test "${cargo_flags[@]}" \
    -p weaver-store --test kill
  part kills env AGENTWEAVER_KILLS="$(scaled 4000)" cargo test "${cargo_flags[@]}" \
    -p weaver-server --test kill --test serve -- --nocapture kill
  part outages env AGENTWEAVER_OUTAGES="$(scaled 1000)" cargo test "${cargo_flags[@]}" \
    -p weaver-server --test serve -- --nocapture outages
  part defects cargo xtask defects
  summary
}

# part NAME COMMAND...
part() {
  local name=$1 start=$SECONDS
  shift
  wanted "$name" || return 0
  printf '\n== %s\n' "$name"
  "$@" 2>&1 | tee "$folder/$name.log" || failed+=("$name")
  # A harness may print the name of a test before what the test says.
  grep -oE 'count: [0-9]+ .*' "$folder/$name.log" | sed 's/^count: //' >>"$counts"
  printf -- '-- %s: %s s\n' "$name" $((SECONDS - start))
}

wanted() {
  [ ${#only[@]} -eq 0 ] && return 0
  local name
  for name in "${only[@]}"; do [ "$name" = "$1" ] && return 0; done
  return 1
}

scaled() {
  awk -v count="$1" -v scale="$scale" 'BEGIN { n = int(count * scale); print n < 1 ? 1 : n }'
}

summary() {
  printf '\nin all runs so far:\n'
  awk '{ count = $1; $1 = ""; sum[$0] += count } END { for (what in sum) printf "%12d%s\n", sum[what], what }' \
    "$counts" | sort -rn
  [ ${#failed[@]} -eq 0 ] || printf 'failed: %s\n' "${failed[*]}"
  [ ${#failed[@]} -eq 0 ]
}

main
