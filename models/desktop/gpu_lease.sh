#!/bin/sh
# One call on a GPU machine without a network, rented by the minute: begin the work if it has not begun, wait until
# something is ready to be copied or the clock says so, and leave it in OUT (at most 8 files, 16 MiB each, 63 MiB together).
#
#   sh models/desktop/gpu_lease.sh CARRY OUT UNTIL [options of `lease`]
#
# CARRY holds `rg.gz` (the roadgaze binary), `start.onnx` (a ResNet50 of the zoo), the plans `permutation.json` and
# `captum.json`, and wheels that the machine lacks. What began goes on between calls in sessions of its own; UNTIL counts
# in seconds from the beginning. Needs python3 with PyTorch, torchvision, onnx, onnxruntime and scikit-learn.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
carry=$(cd "${1:?folder with what was carried}" && pwd)
out=${2:?folder for results}
until=${3:?seconds after the beginning}
shift 3
work=${ROADGAZE_WORK:-/tmp/roadgaze-lease}
python=${PYTHON:-python3}
export PYTHONUNBUFFERED=1
if [ ! -d "$work" ]; then
    mkdir -p "$work/carried"
    cp "$carry"/* "$work/carried/"
    cp -r "$here/src" "$work/src"
    gzip -dc "$carry/rg.gz" >"$work/roadgaze"
    chmod +x "$work/roadgaze"
    for wheel in "$carry"/*.whl; do
        if [ -f "$wheel" ]; then "$python" -m zipfile -e "$wheel" "$work/src"; fi
    done
    date +%s.%N >"$work/began"
    export PYTHONPATH="$work/src"
    for role in render resnet convnext; do
        setsid "$python" -m roadgaze_desktop lease "$role" --work "$work" --binary "$work/roadgaze" \
            --carried "$work/carried" "$@" >"$work/$role.log" 2>&1 </dev/null &
    done
fi
export PYTHONPATH="$work/src"
"$python" -m roadgaze_desktop lease deliver --work "$work" --out "$out" --until "$until" "$@"
