#!/usr/bin/env bash
# What the Debian package holds beside the programs, as it will lie: in target/deb. Paths that are relative in the checkout
# point to where the package puts things.
set -euo pipefail
cd "$(dirname "$0")/.."
stage=target/deb
rm -rf "$stage"
mkdir -p "$stage"/etc/robots "$stage"/share/models "$stage"/lib

for file in daemon.toml fireboy.toml secure.toml; do
    # Without a folder of its own the recorder uses the service's state directory.
    sed -e 's,"\.\./models/,"/usr/share/reflexd/models/,' -e '/^folder = "\.\.\/out\//d' "config/$file" >"$stage/etc/$file"
done
for file in config/robots/*.toml; do
    sed 's,"\.\./\.\./\(models\|urdf\)/,"/usr/share/reflexd/\1/,' "$file" >"$stage/etc/robots/${file##*/}"
done
if grep -rn '"\.\./' "$stage/etc"; then
    echo "stage-deb: a path leads out of the configuration" >&2
    exit 1
fi

cp -r models/heads models/scenes models/policy_registry.json "$stage/share/models/"
cp -r urdf "$stage/share/"
# The names by which they are linked and loaded, as files: a package of cargo-deb's follows links.
cp -L third_party/mujoco/libmujoco.so.3.* "$stage/lib/"
cp -L "$(ls third_party/onnxruntime/libonnxruntime.so.* | sort -V | tail -n 1)" "$stage/lib/"
cp third_party/mujoco/LICENSE "$stage/lib/LICENSE.mujoco"
cp third_party/mujoco/LICENSES_THIRD_PARTY.md "$stage/lib/LICENSES_THIRD_PARTY.mujoco.md"
cp third_party/onnxruntime/LICENSE "$stage/lib/LICENSE.onnxruntime"
cp third_party/onnxruntime/ThirdPartyNotices.txt "$stage/lib/ThirdPartyNotices.onnxruntime.txt"
