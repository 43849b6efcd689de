#!/usr/bin/env bash
# Makes one archive that installs a vehicle or a desk without any network: the program, its configuration, and every wheel.
#   systemd/bundle.sh OUTPUT.tar.gz [aarch64|x86_64] [PYTHON_VERSION]
# The defaults are for a Raspberry Pi with Debian 12: aarch64 and 3.11. Unpack it there and run systemd/install.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2 && exit 2; }
output=$(realpath -m "$1") machine=${2:-aarch64} version=${3:-3.11}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bundle=$work/vehicle-agent
mkdir -p "$bundle/wheels"
python=${STV_VENV:-$PWD/.venv}/bin/python
[ -x "$python" ] || python=python3
"$python" systemd/runtime_requirements.py >"$work/requirements.txt"
# Debian 12 has glibc 2.36; lgpio's build wants 2.34.
platforms=()
for tag in manylinux_2_34 manylinux_2_28 manylinux_2_17 manylinux2014; do
    platforms+=(--platform "${tag}_$machine")
done
"$python" -m pip download -q --dest "$bundle/wheels" --require-hashes --only-binary :all: --python-version "$version" \
    --implementation cp "${platforms[@]}" -r "$work/requirements.txt"
# Built from a copy: what an earlier build left behind must not get in.
mkdir "$work/source"
cp -r vehicle_agent hw pyproject.toml README.md LICENSE "$work/source/"
"$python" -m pip wheel -q --no-deps --no-build-isolation --wheel-dir "$bundle/wheels" "$work/source"
cp -r systemd config README.md LICENSE requirements.lock "$bundle/"
tar -C "$work" -czf "$output" vehicle-agent
echo "$output: $(find "$bundle/wheels" -name '*.whl' | wc -l) wheels"
