# What journal_audit.sh and journal_deaf.sh share: a journald of our own that takes the kernel's audit events, and
# Steno that takes them from it. In a mount namespace; sourced with DIRECTORY PYTHON. Leaves the spool in DIRECTORY.
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
mkdir -p /run/systemd/journal "/run/log/journal/$(cat /etc/machine-id)"
journald=
follower=
start_journald() { # start_journald [BYTES]: with so much room in its audit socket
    "$python" "$(dirname "$0")/../support/start_journald.py" "$@" &
    journald=$!
    await test -S /run/systemd/journal/stdout
}
stop_journald() {
    kill -TERM "$journald"
    wait "$journald" || true
    rm -f /run/systemd/journal/stdout
}
clean_up() {
    auditctl -D >/dev/null
    [ -z "$follower" ] || kill -KILL "$follower" 2>/dev/null || true
    kill -CONT "$journald"
    stop_journald
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
kill_follower() {
    kill -KILL "$follower"
    wait "$follower" || true
}
act() { # act MARK [TIMES]: somebody runs programs
    bash -c 'echo 1501 >/proc/self/loginuid; for i in $(seq "$1"); do /bin/echo "$0" $i; done' "$1" "${2:-5}" >/dev/null
}
kept() { grep -qF "$1" "$directory"/spool/trail-*; }
finish() { # to what the kernel says last, so that the journal and the trail have an end
    auditctl -D >/dev/null
    auditctl -e 0 >/dev/null
    await kept audit_enabled=0
    # Programs' own words count from then on.
    await grep -qF '"source":"words"' "$directory/audit.json"
    kill -TERM "$follower"
    wait "$follower"
    follower=
    journalctl -q -o json --output-fields=_AUDIT_ID _TRANSPORT=audit >"$directory/journal.json"
}
