#!/usr/bin/env bash
# The integer kernels on AArch64: every one against its oracle, on processors with and without dot product.
#   deploy/cross/kernels.sh        two minutes; needs no runtime, so CI can afford it
set -euo pipefail
cd "$(dirname "$0")/../.."
source deploy/cross/toolchain.sh

nice cargo test --quiet --release -p kernels --locked --lib --no-run
tests=$(cargo test --release -p kernels --locked --lib --no-run --message-format=json 2>/dev/null \
    | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
run() {
    echo "== $1: $2 expected"
    # the panics that tests provoke on purpose need no trace
    RUST_BACKTRACE=0 ROADGAZE_EXPECT_ISA=$2 on "$1" "$tests" --nocapture 2>/dev/null | grep -E '^tiles|^test result'
}
run max neon,neon-dot
run cortex-a76 neon,neon-dot
run cortex-a57 neon
