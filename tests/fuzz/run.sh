#!/usr/bin/env bash
# Runs fuzz targets for a number of executions, from the seeds in git.
#   tests/fuzz/run.sh all|TARGET... [EXECUTIONS]      default 1,000,000; `network` gets a fiftieth, since it is slow
# A finding is written to tests/fuzz/artifacts and ends this with an error. Inputs that were found stay in tests/fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")"
executions=1000000
targets=()
for word in "$@"; do
    case $word in
        all) targets=(link catalogue plan log onnx picture store network) ;;
        *[!0-9]*) targets+=("$word") ;;
        *) executions=$word ;;
    esac
done
[ ${#targets[@]} -gt 0 ] || { echo "usage: $0 all|TARGET... [EXECUTIONS]" >&2; exit 2; }
cd ../..
for target in "${targets[@]}"; do
    runs=$executions
    [ "$target" = network ] && runs=$((executions / 50))
    mkdir -p "tests/fuzz/corpus/$target"
    # no sanitizer: everything but the kernels forbids unsafe code; panics, assertions, memory and time are what is watched
    flags=(--fuzz-dir tests/fuzz -s none -a)
    cargo fuzz build "${flags[@]}" "$target"
    cargo fuzz run "${flags[@]}" "$target" "tests/fuzz/corpus/$target" "tests/fuzz/seeds/$target" -- \
        -runs="$runs" -max_len=16384 -rss_limit_mb=2048 -malloc_limit_mb=1500 -timeout=20 -print_final_stats=1 -verbosity=0 2>&1 |
        grep -E "stat::number_of_executed_units|stat::average_exec|stat::peak_rss|panicked|ERROR|SUMMARY|artifact|Test unit" |
        sed "s/^/$target: /"
    [ "${PIPESTATUS[0]}" -eq 0 ]
done
