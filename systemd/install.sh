#!/usr/bin/env bash
# Installs the vehicle's three services, or a desk, on a computer with systemd. Run as root from a checkout or an unpacked bundle:
#   systemd/install.sh vehicle | desk
# With a folder of wheels beside it (systemd/bundle.sh makes one) nothing is asked of any network.
# Running it again updates the program; configuration and keys that exist are left alone. It starts nothing by itself.
set -euo pipefail
role=${1:-}
case $role in vehicle | desk) ;; *) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;; esac
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
prefix=/opt/vehicle-agent
[ "$(id -u)" = 0 ] || { echo "install: run it as root" >&2 && exit 1; }

python=
for name in python3.11 python3.12 python3; do
    # lgpio has no build for 3.13 and newer.
    if command -v "$name" >/dev/null && "$name" -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))'; then
        python=$name && break
    fi
done
[ -n "$python" ] || { echo "install: needs Python 3.11 or 3.12 with venv (apt-get install python3-venv)" >&2 && exit 1; }

echo "installing the program into $prefix"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" "$here/runtime_requirements.py" >"$work/requirements.txt"
offline=()
[ ! -d "$root/wheels" ] || offline=(--no-index --find-links "$root/wheels")
"$python" -m venv --clear "$prefix.new"
"$prefix.new/bin/python" -m pip install -q --require-hashes --only-binary :all: "${offline[@]}" -r "$work/requirements.txt"
if compgen -G "$root/wheels/vehicle_agent-*.whl" >/dev/null; then
    "$prefix.new/bin/python" -m pip install -q --no-index --no-deps "$root"/wheels/vehicle_agent-*.whl
else
    mkdir "$work/source"
    cp -r "$root"/{vehicle_agent,hw,pyproject.toml,README.md,LICENSE} "$work/source/"
    "$prefix.new/bin/python" -m pip install -q --no-deps "$work/source"
fi
# A virtual environment names its own place in its scripts: it is made anew where it will stay.
rm -rf "$prefix.old"
[ ! -e "$prefix" ] || mv "$prefix" "$prefix.old"
mv "$prefix.new" "$prefix"
sed -i "1s|^#!$prefix.new/|#!$prefix/|" "$prefix"/bin/*
mkdir -p "$prefix/share"
cp "$root/README.md" "$root/LICENSE" "$prefix/share/"

install_config() { # from, to, group: never over a file that exists
    local file
    for file in "$1"/*.toml; do
        [ -e "$2/$(basename "$file")" ] || install -m 0640 -o root -g "$3" "$file" "$2/"
    done
}

if [ "$role" = vehicle ]; then
    units=(vehicle-agent-control.service vehicle-agent-uplink.service vehicle-agent-display.service)
    install -D -m 0644 "$here/vehicle-agent.sysusers" /usr/lib/sysusers.d/vehicle-agent.conf
    install -D -m 0644 "$here/vehicle-agent.tmpfiles" /usr/lib/tmpfiles.d/vehicle-agent.conf
    install -D -m 0644 "$here/70-vehicle-agent.rules" /etc/udev/rules.d/70-vehicle-agent.rules
    install -D -m 0644 "$here/system.conf" /etc/systemd/system.conf.d/vehicle-agent.conf
    install -D -m 0644 "$here/journald.conf" /etc/systemd/journald.conf.d/vehicle-agent.conf
    systemd-sysusers vehicle-agent.conf
    systemd-tmpfiles --create vehicle-agent.conf
    install_config "$root/config/vehicle" /etc/vehicle-agent stv
    check="vehicle-agent check-config; vehicle-agent keys new; vehicle-agent doctor"
else
    units=(dispatch-desk.service)
    install -D -m 0644 "$here/dispatch-desk.sysusers" /usr/lib/sysusers.d/dispatch-desk.conf
    install -D -m 0644 "$here/dispatch-desk.tmpfiles" /usr/lib/tmpfiles.d/dispatch-desk.conf
    systemd-sysusers dispatch-desk.conf
    systemd-tmpfiles --create dispatch-desk.conf
    install_config "$root/config/desk" /etc/dispatch-desk dispatch-desk
    check="vehicle-agent check-config --config /etc/dispatch-desk/desk.toml"
fi
for unit in "${units[@]}"; do
    install -D -m 0644 "$here/$unit" "/etc/systemd/system/$unit"
done
ln -sf "$prefix/bin/vehicle-agent" "$prefix/bin/dispatch-desk" /usr/local/bin/
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    ! command -v udevadm >/dev/null || udevadm control --reload
fi
echo "installed. Edit the configuration, then: $check"
echo "and start it: systemctl enable --now ${units[*]}"
