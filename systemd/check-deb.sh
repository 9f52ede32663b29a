#!/usr/bin/env bash
# Installs a package in a bare Debian 12, starts the daemon there as its own user with what the unit grants and no more,
# asks it how it is, arms it, ends it, and takes the package out again. Skips, and says so, where that cannot be had.
#
#     systemd/check-deb.sh [target/debian/reflexd_0.1.0-1_amd64.deb]
set -euo pipefail
cd "$(dirname "$0")/.."
package=${1:-$(ls -t target/debian/reflexd_*.deb 2>/dev/null | head -n 1)}
[[ -f $package ]] || { echo "check-deb: no package. Remedy: make deb" >&2; exit 1; }

skip() { echo "check-deb: skipped: $*"; exit 0; }
((EUID == 0)) || skip "a bare Debian is made and entered by root only"
command -v mmdebstrap >/dev/null || skip "mmdebstrap is not installed. Remedy: apt-get install mmdebstrap"

root=$(mktemp -d)
daemon=
finish() {
    [[ -z $daemon ]] || kill -KILL "$daemon" 2>/dev/null || true
    umount -l "$root/proc" 2>/dev/null || true
    rm -rf --one-file-system "$root"
}
trap finish EXIT
# Made once, kept where `make clean` takes it away.
base=target/deb-base.tar
if [[ ! -f $base ]]; then
    # By its name mmdebstrap knows that a tar is wanted: without the ending it would be a folder.
    part=target/deb-base.part.tar
    rm -rf "$base" "$part"
    timeout 300 mmdebstrap --quiet --format=tar --variant=minbase bookworm "$part" || skip "a bare Debian 12 cannot be had"
    mv "$part" "$base"
fi
tar -C "$root" -xf "$base"
mount -t proc proc "$root/proc" || skip "nothing can be mounted here"

echo "check-deb: $(du -h "$package" | cut -f1) ${package##*/}, installed in a bare Debian $(cat "$root/etc/debian_version")"
cp "$package" "$root/reflexd.deb"
chroot "$root" dpkg --install /reflexd.deb >/dev/null
rm "$root/reflexd.deb"

endpoint=tcp/127.0.0.1:$(shuf -i 20000-30000 -n 1)
log=$root/tmp/reflexd.log
# What the unit grants: priorities and locked memory by limits, no capability.
limits=(--rtprio=98:98 --memlock=unlimited:unlimited)
prlimit "${limits[@]}" true 2>/dev/null || { limits=(); echo "check-deb: this machine grants no real time"; }
own=(setpriv --reuid reflexd --regid reflexd --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all)
prlimit "${limits[@]}" chroot "$root" env -i PATH=/usr/bin:/bin HOME=/var/lib/reflexd \
    "${own[@]}" reflexd run --config /etc/reflexd/daemon.toml --listen "$endpoint" >"$root/tmp/printed" 2>"$log" &
daemon=$!
ask() { chroot "$root" env -i PATH=/usr/bin:/bin setpriv --reuid nobody reflexctl --connect "$endpoint" "$@"; }

for ((second = 0; second < 60; second++)); do
    kill -0 "$daemon" 2>/dev/null || { cat "$log" >&2; echo "check-deb: it did not start" >&2; exit 1; }
    ! ask status >"$root/tmp/status" 2>/dev/null || break
    sleep 1
done
cat "$root/tmp/status"
grep -q disarmed "$root/tmp/status" || { cat "$log" >&2; echo "check-deb: it does not answer" >&2; exit 1; }
ask arm
ask status | grep -q holding || { echo "check-deb: it was armed and does not hold" >&2; exit 1; }
if ((${#limits[@]})) && grep 'real time:' "$log"; then
    echo "check-deb: what the unit grants is not enough" >&2
    exit 1
fi

begun=$(date +%s%N)
kill -TERM "$daemon"
code=0
wait "$daemon" || code=$?
daemon=
echo "check-deb: ended $((($(date +%s%N) - begun) / 1000000)) ms after SIGTERM, with $code"
((code == 0)) && grep -q 'the robot is at rest' "$log" || { cat "$log" >&2; exit 1; }

chroot "$root" dpkg --purge reflexd >/dev/null
left=$(find "$root" -xdev -path "$root/tmp" -prune -o -name '*reflexd*' -print | grep -v "$root/var/lib/dpkg" || true)
[[ -z $left ]] || { echo "check-deb: left behind: $left" >&2; exit 1; }
echo "check-deb: installed, started, armed, ended, taken out"
