# Sourced by the scripts beside it: a standard library for AArch64 Linux, a linker, and qemu-user to run what comes out.
#
# In this order: rustup's target; where it cannot be had, Debian's own compiler with Debian's standard library for arm64
# (rustc-web, libstd-rust-web-dev), unpacked below $ROADGAZE_CROSS and not installed. The linker is Debian's
# gcc-aarch64-linux-gnu; qemu-aarch64-static runs the result. What is missing is installed where this is run as root.
TARGET=aarch64-unknown-linux-gnu
CROSS=${ROADGAZE_CROSS:-$HOME/.cache/roadgaze-cross}
QEMU_CPU=${QEMU_CPU:-max}
SYSROOT=/usr/aarch64-linux-gnu

missing=()
command -v aarch64-linux-gnu-gcc >/dev/null || missing+=(gcc-aarch64-linux-gnu)
[ -e "$SYSROOT/lib/libc.so.6" ] || missing+=(libc6-dev-arm64-cross)
command -v qemu-aarch64-static >/dev/null || missing+=(qemu-user-static)
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" -ne 0 ]; then
        echo "missing: ${missing[*]}; as root: apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 2
    fi
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# Debian's compiler and its standard library for both sides, beside each other in one folder
debian_compiler() {
    local packages=$CROSS/packages apt=$CROSS/apt library=$CROSS/rustc/usr/lib/rustlib
    if [ ! -x "$CROSS/rustc-here" ]; then
        mkdir -p "$packages" "$apt"/state/lists/partial "$apt"/cache/archives/partial "$apt"/sources
        touch "$apt/status"
        cp /etc/apt/sources.list.d/*.sources "$apt/sources/" 2>/dev/null || cp /etc/apt/sources.list "$apt/sources/system.list"
        # a state of its own that knows arm64: the machine's list of architectures stays as it is
        cat >"$apt/apt.conf" <<CONF
Dir::State "$apt/state"; Dir::State::status "$apt/status"; Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "$apt/sources";
APT::Architecture "amd64"; APT::Architectures "amd64,arm64";
CONF
        (
            export APT_CONFIG=$apt/apt.conf
            cd "$packages"
            apt-get update -qq
            apt-get download -qq rustc-web libstd-rust-web-dev libstd-rust-web-dev:arm64 libllvm22 \
                "$(apt-cache depends rustc-web | sed -n 's/.*Depends: \(libstd-rust-web-[0-9.]*\)$/\1/p' | head -n 1)"
        )
        for file in "$packages"/*_amd64.deb; do dpkg -x "$file" "$CROSS/rustc"; done
        dpkg -x "$packages"/libstd-rust-web-dev_*_arm64.deb "$CROSS/arm64"
        ln -sfn "$CROSS/arm64/usr/lib/rustlib/$TARGET" "$library/$TARGET"
        for tool in rustc rustdoc; do
            printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' \
                "$CROSS/rustc/usr/lib/x86_64-linux-gnu" "$CROSS/rustc/usr/bin/$tool" >"$CROSS/$tool-here"
            chmod +x "$CROSS/$tool-here"
        done
    fi
    export RUSTC=$CROSS/rustc-here RUSTDOC=$CROSS/rustdoc-here
}

if rustup target list --installed 2>/dev/null | grep -qx "$TARGET" || rustup target add "$TARGET" 2>/dev/null; then
    echo "standard library: rustup's $TARGET"
else
    debian_compiler
    echo "standard library: Debian's $("$RUSTC" -V)"
fi

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR_AARCH64:-${CARGO_TARGET_DIR:-$HOME/.cache/roadgaze-target}/cross}
export CARGO_BUILD_TARGET=$TARGET CARGO_INCREMENTAL=0
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64-static -cpu $QEMU_CPU -L $SYSROOT"

# runs a program of the target, on the processor named first
on() {
    local cpu=$1
    shift
    qemu-aarch64-static -cpu "$cpu" -L "$SYSROOT" "$@"
}
