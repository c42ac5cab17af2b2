#!/usr/bin/env bash
# The Debian package: binary, int8 networks (resnet50-cf and small/), target profiles, man pages, completions, documents, service unit.
#   deploy/package.sh [FOLDER]        PROFILE=dist (fat LTO, half an hour) or release; FAST=1 packs less tightly; needs cargo-deb
# Debug information is cut away, symbols are not: `roadgaze decode` reads the format strings of events from them.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${PROFILE:-dist}
out=${1:-$PWD/target/debian}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
mkdir -p "$out"

cargo build --quiet --profile "$profile" -p harness --locked
built=$CARGO_TARGET_DIR/$profile
stage=$built/package
rm -rf "$stage"
mkdir -p "$stage"
strip --strip-debug -o "$stage/roadgaze" "$built/roadgaze"
"$stage/roadgaze" generate --out "$stage" >/dev/null
gzip -9n "$stage"/man/*.1
# names under which the shells look
mv "$stage/completions/roadgaze.bash" "$stage/completions/roadgaze"
cargo deb --quiet ${FAST:+--fast} --no-build --no-strip --profile "$profile" -p harness --output "$out" --locked
ls -l "$stage/roadgaze" "$out"/*.deb | awk '{printf "%s %.1f MB\n", $NF, $5 / 1e6}'
