#!/usr/bin/env bash
# The release binary on AArch64 under qemu-user, beside the same sources on this machine: is it the same program?
#   deploy/cross/check.sh [FOLDER]      FRAMES=52 GOLDEN=1 MODEL=models/zoo/resnet50-cf.toml
# Checks: golden hashes of the renderer; `doctor`; frames, logits and GradCAM of an int8 network on 52 frames; a run of 20
# frames with Kernel SHAP. qemu shows correctness, never speed. From cache within 45 minutes of CI, 15 more to build.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${1:-$(mktemp -d)}
frames=${FRAMES:-52}
mkdir -p "$out"
began=$SECONDS
step() { echo; echo "== $* ($((SECONDS - began)) s)"; }

here_target=${CARGO_TARGET_DIR:-$HOME/.cache/roadgaze-target}
step "build for this machine"
here=${ROADGAZE_HERE:-}
if [ -z "$here" ]; then
    CARGO_TARGET_DIR=$here_target cargo build --quiet --release --locked
    here=$here_target/release/roadgaze
fi
step "build for AArch64"
source deploy/cross/toolchain.sh
nice cargo build --quiet --release -p harness --locked
there=$CARGO_TARGET_DIR/$TARGET/release/roadgaze
file -b "$there" | cut -d, -f1-2
ls -l "$there" | awk '{printf "%.1f MB with debug information\n", $5 / 1e6}'

if [ "${GOLDEN:-1}" = 1 ]; then
    step "golden hashes of the renderer (datasets/tests/golden.txt)"
    cargo test --quiet --release -p datasets --locked --test golden
fi

step "doctor"
RUST_BACKTRACE=0 on "$QEMU_CPU" "$there" doctor --folder "$out"

# the same plan on both machines
both() {
    local name=$1
    shift
    rm -rf "${out:?}/$name-here" "${out:?}/$name-there"
    "$here" run "$@" --out "$out/$name-here" --json >"$out/$name-here.json"
    on "$QEMU_CPU" "$there" run "$@" --out "$out/$name-there" --json >"$out/$name-there.json"
}

golden=tests/golden/calibration
networks=$out/networks
mkdir -p "$networks"
for family in resnet convnext; do
    # the micro networks take any list of 82 classes
    cp "$golden/$family-micro-int8.onnx" "$networks/"
    grep -v '^hash = ' "$golden/$family-micro-int8.toml" >"$networks/$family-micro-int8.toml"
    step "$family-micro in int8, $frames frames, GradCAM"
    both "$family-micro" --model "$networks/$family-micro-int8.toml" --frames "$frames" --attribute gradcam
    python3 deploy/cross/equal.py "$out/$family-micro-here" "$out/$family-micro-there" --frames "$frames" --logits exact
    step "$family-micro in int8, 20 frames, GradCAM and Kernel SHAP, 60 evaluations of 3 x 3"
    both "$family-shap" --model "$networks/$family-micro-int8.toml" --frames 20 --attribute gradcam,kernel-shap \
        --shap-grid 3x3 --shap-evals 60
    python3 deploy/cross/equal.py "$out/$family-shap-here" "$out/$family-shap-there" --frames 20 --logits exact
done

model=${MODEL:-models/zoo/resnet50-cf.toml}
if [ -e "$model" ]; then
    step "$model, $frames frames, GradCAM"
    both zoo --model "$model" --frames "$frames" --attribute gradcam
    python3 deploy/cross/equal.py "$out/zoo-here" "$out/zoo-there" --frames "$frames" --logits exact
fi
step "done"
