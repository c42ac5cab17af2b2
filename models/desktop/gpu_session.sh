#!/bin/sh
# One slice of the training campaign on a GPU machine without a network: unpack what was carried, render, train, and
# leave what is to be carried home in OUT (at most 8 files, 16 MiB each, 63 MiB together).
#
#   sh models/desktop/gpu_session.sh CARRY OUT [options of `campaign`]
#
# CARRY holds `roadgaze` or `roadgaze.gz` (statically linked) and, from earlier slices, `campaign.json` and pieces.
# Rendered sets and runs stay in ROADGAZE_WORK, so a slice on the same machine goes on at once; on a fresh machine
# finished networks are skipped (campaign.json) and a cut training goes on from its weights (light.pt pieces).
# Needs python3 with PyTorch and torchvision.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
carry=${1:?folder with the roadgaze binary}
out=${2:?folder for results}
shift 2
work=${ROADGAZE_WORK:-/tmp/roadgaze-campaign}
python=${PYTHON:-python3}
mkdir -p "$work/carried" "$out"
export PYTHONPATH="$here/src" PYTHONUNBUFFERED=1

binary=$work/roadgaze
if [ -f "$carry/roadgaze.gz" ]; then
    gzip -dc "$carry/roadgaze.gz" >"$binary"
elif [ -f "$carry/roadgaze" ]; then
    cp "$carry/roadgaze" "$binary"
else
    echo "$carry: expected roadgaze or roadgaze.gz (statically linked), found neither" >&2
    exit 2
fi
chmod +x "$binary"

if [ -f "$carry/campaign.json" ]; then cp "$carry/campaign.json" "$work/carried/"; fi
for index in "$carry"/*.pieces.json; do
    [ -f "$index" ] || continue
    "$python" -m roadgaze_desktop pieces join "$index" --out "$work/carried"
done

exec "$python" -m roadgaze_desktop campaign --binary "$binary" --work "$work" --out "$out" \
    --carried "$work/carried" --catalogue "$here/../../datasets/signs/catalogue.toml" --budget-minutes 8.5 "$@"
