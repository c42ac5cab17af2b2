#!/usr/bin/env bash
# Where the program comes from: licences, forbidden and double crates, sources, known holes, and a bill of materials.
#   deploy/supply_chain.sh [FOLDER for the bill]     needs cargo-deny and cargo-cyclonedx (cargo install ... --locked)
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-target/sbom}
mkdir -p "$out"
cargo metadata --locked --format-version 1 >/dev/null && echo "Cargo.lock is up to date with every Cargo.toml"
if command -v cargo-deny >/dev/null; then
    cargo deny --locked --offline check licenses bans sources 2>"$out/deny.txt" || { cat "$out/deny.txt"; exit 1; }
    echo "crates in more than one version: $(grep -c '^warning\[duplicate\]' "$out/deny.txt" || true)"
    # the database of known holes comes from the network
    if cargo deny --locked check advisories 2>"$out/advisories.txt"; then
        echo "advisories: none"
    elif grep -q 'failed to fetch advisory database' "$out/advisories.txt"; then
        echo "advisories: NOT CHECKED, their database cannot be fetched here"
    else
        cat "$out/advisories.txt"
        exit 1
    fi
else
    echo "cargo-deny is not installed: licences, bans and sources NOT CHECKED"
fi
if command -v cargo-cyclonedx >/dev/null; then
    cargo cyclonedx --quiet --manifest-path harness/Cargo.toml --format json --spec-version 1.5 --override-filename roadgaze.cdx
    mv harness/roadgaze.cdx.json "$out/"
    # one a crate is written; the program's own lists all it is made of
    find . -name roadgaze.cdx.json -not -path './target/*' -delete
    python3 - "$out/roadgaze.cdx.json" <<'PY'
import json, sys

bill = json.load(open(sys.argv[1]))
parts = bill["components"]
print(f"bill of materials: CycloneDX {bill['specVersion']}, {len(parts)} components, "
      f"{sum('licenses' in part for part in parts)} with a licence, {sum('hashes' in part for part in parts)} with a hash")
PY
fi
