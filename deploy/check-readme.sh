#!/usr/bin/env bash
# The README's two commands, as they stand there, in a clean Debian root with nothing but Rust and a C compiler. As root.
#   deploy/check-readme.sh [ROOT]     ROOT: a minimal Debian root with gcc, made with debootstrap if it is not there
# The sources are those of the last commit. The toolchain and the crates already fetched are this machine's.
set -euo pipefail
cd "$(dirname "$0")/.."
root=${1:-$(mktemp -d)/root}
step() { echo; echo "== $* ($(date +%T))"; }

step "a clean Debian root"
[ -e "$root/etc/debian_version" ] ||
    debootstrap --variant=minbase --include=gcc,libc6-dev,ca-certificates bookworm "$root" \
        "${MIRROR:-http://deb.debian.org/debian}" >/dev/null
mkdir -p "$root/srv" "$root/rust" "$root/cargo"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --make-rslave "$root/dev"
mount --bind -o ro "$(rustc --print sysroot)" "$root/rust"
mount --bind "${CARGO_HOME:-$HOME/.cargo}" "$root/cargo"
trap 'umount "$root/cargo" "$root/rust" "$root/proc"; umount -R "$root/dev"' EXIT
cp /etc/resolv.conf /etc/hosts "$root/etc/"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
rm -rf "$root/srv/roadgaze"
mkdir "$root/srv/roadgaze"
git archive HEAD | tar -x -C "$root/srv/roadgaze"
inside() {
    chroot "$root" /usr/bin/env -i PATH=/rust/bin:/usr/bin:/bin HOME=/root CARGO_HOME=/cargo LANG=C.UTF-8 \
        sh -c "cd /srv/roadgaze && $1"
}
echo "Debian $(cat "$root/etc/debian_version"), $(chroot "$root" dpkg-query -f '.' -W | wc -c) packages; $(inside 'rustc --version; gcc --version | head -n 1' | paste -sd' ')"

# the first two indented lines of the README
sed -n 's/^    \(cargo [^#]*[^# ]\) *#.*/\1/p' README.md | head -n 2 | while read -r command; do
    step "$command"
    began=$SECONDS
    inside "$command" </dev/null 2>&1 | grep -v '^ *\(Compiling\|Downloaded\|Downloading\)' | tail -n "${LINES_SHOWN:-40}"
    [ "${PIPESTATUS[0]}" -eq 0 ] || exit 1
    echo "exit code 0 after $((SECONDS - began)) s"
done
step "done"
