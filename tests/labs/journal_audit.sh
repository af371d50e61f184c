#!/bin/bash
# A real journald takes the kernel's audit events, and Steno takes them from it: journal_audit.sh DIRECTORY PYTHON
# In a mount namespace of its own. Leaves the spool in DIRECTORY, and the journal's audit serials.
set -eu
directory=$1
python=$2
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
mount -t tmpfs tmpfs /etc/systemd
[ -s /etc/machine-id ] || {
    tr -d - </proc/sys/kernel/random/uuid >/run/machine-id
    mount --bind /run/machine-id /etc/machine-id
}
printf '[Journal]\nStorage=volatile\nAudit=yes\nReadKMsg=no\n' >/etc/systemd/journald.conf
mkdir -p /run/systemd/journal "/run/log/journal/$(cat /etc/machine-id)"
"$python" "$(dirname "$0")/../support/start_journald.py" &
journald=$!
follower=
clean_up() {
    auditctl -D >/dev/null
    [ -z "$follower" ] || kill -KILL "$follower" 2>/dev/null || true
    kill -TERM "$journald"
    wait "$journald" || true
}
trap clean_up EXIT
await() { # await COMMAND...: until it succeeds
    for _ in $(seq 1800); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    echo "in vain: $*" >&2
    return 1
}
follow() {
    "$python" -m steno.cli audit follow --journal --user root --spool "$directory/spool" --control "$directory/control.sock" &
    follower=$!
}
act() { bash -c 'echo 1501 >/proc/self/loginuid; for i in 1 2 3 4 5; do /bin/echo "$0" $i; done' "$1" >/dev/null; }
kept() { grep -qF "$1" "$directory"/spool/trail-*; }

await test -S /run/systemd/journal/stdout
auditctl -e 1 >/dev/null
# A watched directory may be missing in here: its own rule is left out, and auditctl says so.
auditctl -R "$directory/rules" >/dev/null 2>&1 || true
auditctl -l | grep -q steno-exec
act before-the-first
for mark in mark-one mark-two mark-three; do
    follow
    act "$mark"
    await kept "$mark"
    act "late-$mark"
    kill -KILL "$follower"
    wait "$follower" || true
done
act while-away
follow
await kept while-away
act the-last-one
await kept the-last-one
await kept before-the-first
# What the kernel says last, so that the journal and the trail have an end.
auditctl -D >/dev/null
auditctl -e 0 >/dev/null
await kept audit_enabled=0
kill -TERM "$follower"
wait "$follower"
follower=
journalctl -q -o json --output-fields=_AUDIT_ID _TRANSPORT=audit >"$directory/journal.json"
