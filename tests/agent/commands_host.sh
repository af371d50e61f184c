#!/bin/bash
# A host in namespaces of its own: real sshd, the agent, users whose login shell is steno-shell.
# Called by test_ssh_commands.py and bench/commands.py, never directly (it mounts over /etc):
#     unshare --mount --net --pid --fork --kill-child --mount-proc \
#         commands_host.sh DIRECTORY PROGRAMS PYTHON COMMAND...
# runs COMMAND in it, with the variables SSH_CONFIG and HOST_DIRECTORY.
set -eu
base=$1 programs=$2 python=$3
shift 3
[ "$$" = 1 ] || { echo "not in a pid namespace of its own" >&2; exit 2; }
mount --make-rprivate /
mkdir -p "$base/layers"
mount -t tmpfs layers "$base/layers"
for directory in /etc /home; do
    upper=$base/layers/${directory//\//_}
    mkdir -p "$upper/up" "$upper/work"
    mount -t overlay layer -o "lowerdir=$directory,upperdir=$upper/up,workdir=$upper/work" "$directory"
done
mkdir -p /var/lib/steno
for directory in /run /var/lib/steno; do mount -t tmpfs -o mode=755 layer "$directory"; done
ip link set lo up
rm -rf /etc/steno
mkdir -p /run/sshd /run/steno /etc/steno
install -m 755 "$programs/steno-shell" "$programs/steno-wait" "$base/layers/"
shell=$base/layers/steno-shell
echo "$shell" >>/etc/shells
ssh-keygen -q -t ed25519 -N '' -f "$base/layers/key"
ssh-keygen -q -t ed25519 -N '' -f "$base/layers/host"
for user in command capture off plain; do
    login=$shell
    [ "$user" != plain ] || login=/bin/bash
    useradd --create-home --shell "$login" --password '*' "rec-$user"
    [ "$user" = plain ] || echo "rec-$user:/bin/bash" >>/etc/steno/shells
    install -d -m 700 -o "rec-$user" "/home/rec-$user/.ssh"
    install -m 600 -o "rec-$user" "$base/layers/key.pub" "/home/rec-$user/.ssh/authorized_keys"
done
cat >/etc/steno/agent.toml <<EOF
user = "root"
EOF
cat >/etc/steno/policy.toml <<EOF
[[rule]]
name = "captured"
when.users = ["rec-capture"]
commands = "capture"
input = "all"

[[rule]]
name = "unrecorded"
when.users = ["rec-off"]
commands = "off"
EOF
cat >"$base/layers/sshd_config" <<EOF
Port 2222
ListenAddress 127.0.0.1
HostKey $base/layers/host
UsePAM yes
PidFile none
Subsystem sftp /usr/lib/openssh/sftp-server
EOF
export HOST_DIRECTORY=$base SSH_CONFIG=$base/layers/ssh_config
for user in command capture off plain; do
    cat <<EOF
Host $user
    User rec-$user
    HostName 127.0.0.1
EOF
done >"$SSH_CONFIG"
cat >>"$SSH_CONFIG" <<EOF
Host *
    Port 2222
    IdentityFile $base/layers/key
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
    BatchMode yes
EOF
"$python" -m steno.cli agent >"$base/agent.log" 2>&1 &
agent=$!
for _ in $(seq 600); do [ -S /run/steno/agent.sock ] && break; sleep 0.1; done
/usr/sbin/sshd -f "$base/layers/sshd_config" -E "$base/sshd.log"
# sshd goes to the background before it listens.
for _ in $(seq 600); do [ -n "$(ss -Hltn 'sport = :2222')" ] && break; sleep 0.1; done
status=0
"$@" || status=$?
kill "$agent" || true
wait "$agent" || true
cp -r /var/lib/steno/spool "$base/spool"
exit "$status"
