#!/bin/sh
# Says which tools are missing and how to get each: all at once, before a build has cost minutes.
# With --quiet it speaks only if something is missing; with --tensorrt it wants a C++ compiler as well. Exit code 1 if
# something is missing.
cd "$(dirname "$0")/.." || exit 1
python=${PYTHON:-python3}
cargo=${CARGO:-cargo}
found=""
missing=0

lacks() { # what, remedy
    missing=1
    printf 'missing: %s\n  Remedy: %s\n' "$1" "$2" >&2
}

# The oldest Rust that builds this is said in one place.
needs=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
rustup_install='install rustup (https://rustup.rs), open a new shell, run make again.'
if command -v "$cargo" >/dev/null && version=$(rustc --version 2>/dev/null); then
    version=$(echo "$version" | cut -d' ' -f2)
    oldest=$(printf '%s\n%s\n' "$needs" "${version%%-*}" | sort -V | head -n 1)
    [ "$oldest" = "$needs" ] || lacks "Rust $needs or newer (this is $version)" 'rustup update stable'
    found="rustc $version"
elif [ -x "$HOME/.cargo/bin/cargo" ]; then
    lacks 'cargo on the PATH (it is in ~/.cargo/bin)' '. "$HOME/.cargo/env"'
else
    lacks "Rust $needs or newer (cargo and rustc)" "$rustup_install"
fi

# Rust links through it, and a few crates have C in them.
if echo 'int main(void) { return 0; }' | cc -x c - -o /dev/null 2>/dev/null; then
    found="$found, cc $(cc -dumpfullversion 2>/dev/null || cc -dumpversion)"
else
    lacks 'a C compiler with its library headers (cc)' 'apt-get install gcc libc6-dev'
fi

# Only the feature `tensorrt` has C++ in it.
case " $* " in *" --tensorrt "*)
    if echo 'int main() { return 0; }' | c++ -std=c++17 -x c++ - -o /dev/null 2>/dev/null; then
        found="$found, c++ $(c++ -dumpfullversion 2>/dev/null || c++ -dumpversion)"
    else
        lacks 'a C++ compiler (c++), for the feature tensorrt' 'apt-get install g++'
    fi ;;
esac

if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
    found="$found, $("$python" --version)"
    # pip only downloads the native libraries: a machine that has them does not need it.
    if pip=$("$python" -m pip --version 2>/dev/null); then
        found="$found, $(echo "$pip" | cut -d' ' -f1-2)"
    elif [ ! -e third_party/native.json ]; then
        lacks "pip for $python" "apt-get install python3-pip, or $python -m ensurepip --user"
    fi
else
    lacks "Python 3.9 or newer ($python)" 'apt-get install python3 python3-pip, or make PYTHON=/path/to/python3'
fi

[ "$missing" = 1 ] || [ "${1:-}" = --quiet ] || echo "tools: $found"
exit "$missing"
