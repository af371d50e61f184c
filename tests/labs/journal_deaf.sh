#!/bin/bash
# A real journald whose audit socket has little room becomes deaf in one burst: journal_deaf.sh DIRECTORY PYTHON
. "$(dirname "$0")/journal_host.sh"
printf '[Journal]\nStorage=volatile\nAudit=yes\nReadKMsg=yes\n' >/etc/systemd/journald.conf
is_deaf() { grep -qF '"is_deaf":true' "$directory/audit.json"; }
hears() { [ -s "$directory/audit.json" ] && ! is_deaf; }

start_journald 65536
auditctl -e 1 >/dev/null
auditctl -a always,exit -F arch=b64 -S execve -F auid=1501 >/dev/null
act heard-before
follow
await kept heard-before
await hears
cp "$directory/audit.json" "$directory/before.json"

kill -STOP "$journald"
act lost-in-the-burst 200
kill -CONT "$journald"
await is_deaf
cp "$directory/audit.json" "$directory/deaf.json"
act lost-while-deaf
kill_follower
act lost-while-away
rm "$directory/audit.json"
follow
await is_deaf

stop_journald
start_journald
act heard-again
await kept heard-again
await hears
finish
