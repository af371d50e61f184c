#!/bin/bash
# A real journald takes the kernel's audit events, and Steno takes them from it: journal_audit.sh DIRECTORY PYTHON
. "$(dirname "$0")/journal_host.sh"
printf '[Journal]\nStorage=volatile\nAudit=yes\nReadKMsg=no\n' >/etc/systemd/journald.conf

start_journald
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
    kill_follower
done
act while-away
follow
await kept while-away
act the-last-one
await kept the-last-one
await kept before-the-first
finish
