#!/usr/bin/env bash
# The steps of the continuous integration, one by one, for people and machines: deploy/ci.sh {fmt|lint|docs|test|nostd|all}
set -euo pipefail
cd "$(dirname "$0")/.."

# firmware_host without std: for a microcontroller where rustup has that target, else against core alone for this machine
nostd() {
    local target=thumbv7em-none-eabihf image flags
    if rustup target list --installed 2>/dev/null | grep -qx "$target" || rustup target add "$target" 2>/dev/null; then
        cargo check --quiet --release -p firmware_host --target "$target"
        cargo check --quiet --release -p firmware_host --target "$target" --features defmt
        flags="-Clinker=rust-lld -Clink-arg=-T$PWD/deploy/nostd/nostd.x -Clink-arg=--gc-sections"
        RUSTFLAGS="$flags" cargo build --quiet --release --manifest-path deploy/nostd/Cargo.toml --target "$target"
        image="${CARGO_TARGET_DIR:-deploy/nostd/target}/$target/release/nostd"
        echo "$target, opt-level s, fat LTO: $(python3 deploy/nostd/sizes.py "$image")"
    else
        # no_std on this machine: the crate may name nothing but core, or this fails to compile
        echo "no target $target to be had: firmware_host is checked against core alone on this machine"
        cargo check --quiet --release -p firmware_host
        grep -q '^#!\[cfg_attr(not(test), no_std)\]' firmware_host/src/lib.rs
        ! grep -rn 'extern crate std\|use std::\|extern crate alloc' firmware_host/src --include='*.rs' \
            | grep -v 'tests.rs\|std::vec\|mod tests'
    fi
}

case "${1:-all}" in
    fmt) cargo fmt --all --check ;;
    lint) cargo clippy --release --workspace --all-targets --locked -- -D warnings ;;
    docs) RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps --locked ;;
    test) cargo test --release --workspace --locked ;;
    nostd) nostd ;;
    all) for step in fmt lint docs test nostd; do echo "== $step"; "$0" "$step"; done ;;
    *) echo "usage: deploy/ci.sh {fmt|lint|docs|test|nostd|all}" >&2; exit 2 ;;
esac
