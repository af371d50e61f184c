#!/bin/bash
# Installs the package beside this machine's auditd, in a mount namespace of its own, and says how its
# plugin fares: packaged_audit.sh DIRECTORY PACKAGE. A line `NAME VALUE` for each fact.
set -eu
directory=$1 package=$2
mount -t tmpfs tmpfs "$directory"
mkdir "$directory/upper" "$directory/work" "$directory/root"
root=$directory/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$directory/upper,workdir=$directory/work" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root/run/lock" "$root/var/log/audit"
rm -f "$root"/etc/audit/rules.d/*
cp "$package" "$root/root/steno.deb"
daemon=
clean_up() {
    auditctl -D >/dev/null
    [ -z "$daemon" ] || { kill -TERM "$daemon" && wait "$daemon" || true; }
}
trap clean_up EXIT

inside() { chroot "$root" "$@"; }
plugin() { pgrep -P "$daemon" -f steno-audit | head -1; }
another() { # another plugin than the one that was there
    plugin | grep -vx "$pid" || true
}
replaced() { # auditd sees that a plugin has ended when there is an event for it, and no sooner
    act anything
    another
}
await() { # await COMMAND...: until it says something
    for _ in $(seq 600); do
        [ -z "$("$@" 2>/dev/null)" ] || return 0
        sleep 0.1
    done
    echo "in vain: $*" >&2
    return 1
}
fact() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status" | tr -s '[:space:]' ' '; }
act() { bash -c 'echo 1501 >/proc/self/loginuid; /bin/echo "$0"' "$1" >/dev/null; }
kept() { inside sh -c "cat /var/lib/steno/spool/trail-*" | grep -F "$1" || true; }
findings() { inside steno host check --json | tr '{' '\n' | grep '"audit' | sed 's/.*"check":"\([^"]*\)","effect":"\([^"]*\)".*/\1=\2/' | sort | tr '\n' ' '; }

# What others have lost on this machine since it was started is not the plugin's.
auditctl --reset-lost >/dev/null
inside dpkg -i --force-depends /root/steno.deb >/dev/null
user=$(inside id -u steno)
echo "user $user"
echo "before $(findings)"
chroot "$root" auditd -n >/dev/null 2>&1 &
daemon=$!
await plugin
await cat "$root/run/steno/audit.json"
pid=$(plugin)
echo "uid $(fact "$pid" Uid)"
echo "capabilities $(fact "$pid" CapPrm)"
echo "no-new-privileges $(fact "$pid" NoNewPrivs)"
inside steno audit rules install session >/dev/null
inside augenrules --load >/dev/null
act packaged-one
await kept packaged-one
echo "owner $(stat -c %u "$root"/var/lib/steno/spool/trail-*.open)"
echo "running $(findings)"
inside dpkg -i --force-depends /root/steno.deb >/dev/null 2>&1
await replaced
act packaged-two
await kept packaged-two
echo "upgraded yes"
inside dpkg -r steno >/dev/null 2>&1
for _ in $(seq 600); do
    [ -n "$(plugin)" ] || break
    sleep 0.1
done
echo "removed ${pid:+yes} $(plugin)"
