#!/usr/bin/env bash
# Installs, runs and removes the package in a clean Debian root, and has systemd judge the unit. As root.
#   deploy/check-package.sh PACKAGE.deb [ROOT]     ROOT: a minimal Debian root, made with debootstrap if it is not there
set -euo pipefail
package=$(realpath "${1:?usage: check-package.sh PACKAGE.deb [ROOT]}")
cd "$(dirname "$0")/.."
root=${2:-$(mktemp -d)/root}
step() { echo; echo "== $*"; }

step "a clean Debian root"
[ -e "$root/etc/debian_version" ] ||
    debootstrap --variant=minbase bookworm "$root" "${MIRROR:-http://deb.debian.org/debian}" >/dev/null
echo "Debian $(cat "$root/etc/debian_version"), $(chroot "$root" dpkg-query -f '.' -W | wc -c) packages"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/tmp"
trap 'umount "$root/tmp" "$root/proc"' EXIT
cp "$package" "$root/tmp/roadgaze.deb"
inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"; }

step "install"
inside dpkg -i /tmp/roadgaze.deb
inside roadgaze --version
inside getent passwd roadgaze
for file in /usr/share/man/man1/roadgaze-run.1.gz /usr/share/bash-completion/completions/roadgaze \
    /usr/share/zsh/vendor-completions/_roadgaze /usr/share/fish/vendor_completions.d/roadgaze.fish \
    /usr/share/roadgaze/targets/arm-board.toml /usr/share/roadgaze/zoo/resnet50-cf.onnx \
    /usr/share/roadgaze/zoo/small/resnet-tiny-cf-seed1.onnx /usr/share/doc/roadgaze/RUNBOOK.md \
    /usr/share/doc/roadgaze/camera.md; do
    inside test -s "$file"
    echo "$file"
done
inside sh -c 'roadgaze study small --list >/tmp/cells && ! grep "no network" /tmp/cells'
echo "all networks of the plan small"
inside sh -c 'echo "unit: $(ls /lib/systemd/system/roadgaze.service /usr/lib/systemd/system/roadgaze.service 2>/dev/null | head -n 1)"'

step "run, as the service's user"
inside install -d -o roadgaze -g roadgaze /var/lib/roadgaze
inside mkdir -p /etc/roadgaze
inside sh -c "sed 's/^frames = 4100/frames = 6/; s/^frames = 164/frames = 1/' /usr/share/doc/roadgaze/plan.toml > /etc/roadgaze/plan.toml"
inside setpriv --reuid roadgaze --regid roadgaze --clear-groups --no-new-privs \
    roadgaze doctor --folder /var/lib/roadgaze | tail -n 1
inside setpriv --reuid roadgaze --regid roadgaze --clear-groups --no-new-privs \
    roadgaze run /etc/roadgaze/plan.toml --resume --out /var/lib/roadgaze/run | tail -n 3
inside roadgaze decode /var/lib/roadgaze/run/telemetry.defmt | tail -n 2

step "remove and purge"
inside dpkg -r roadgaze
inside test -s /var/lib/roadgaze/run/run.sqlite
echo "runs are kept by remove"
inside dpkg -P roadgaze
inside sh -c '! test -e /var/lib/roadgaze && ! test -e /etc/roadgaze && ! getent passwd roadgaze'
echo "and gone after purge"

step "the unit, judged by systemd $(systemd-analyze --version | head -n 1)"
unit=$(mktemp -d)/roadgaze.service
# verify asks for the program and the user: those of this machine stand in
sed "s#^ExecStart=/usr/bin/roadgaze#ExecStart=/bin/true#; s#^User=.*#User=nobody#; s#^Group=.*#Group=nogroup#" \
    deploy/systemd/roadgaze.service >"$unit"
SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no "$unit"
echo "verify: nothing to object to"
systemd-analyze security --offline=true --no-pager deploy/systemd/roadgaze.service | tail -n 1
systemd-analyze security --offline=true --no-pager --threshold=30 deploy/systemd/roadgaze.service >/dev/null
echo "below 3.0"
