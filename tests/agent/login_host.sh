#!/bin/bash
# A host in namespaces of its own: real sshd and PAM with the hook, the agent, a recorded user.
# Called by test_login_host.py: login_host.sh DIRECTORY PROGRAMS PYTHON
set -eu
base=$1 programs=$2 python=$3
mount --make-rprivate /
mkdir -p "$base/layers"
mount -t tmpfs layers "$base/layers"
for directory in /etc /home /usr/bin; do
    upper=$base/layers/${directory//\//_}
    mkdir -p "$upper/up" "$upper/work"
    mount -t overlay layer -o "lowerdir=$directory,upperdir=$upper/up,workdir=$upper/work" "$directory"
done
mkdir -p /var/lib/steno
for directory in /run /var/lib/steno; do mount -t tmpfs -o mode=755 layer "$directory"; done
ip link set lo up
mkdir -p /run/sshd /run/steno
install -m 755 "$programs"/steno-{shell,wait,note-login} /usr/bin/
steno() { "$python" -m steno.cli "$@"; }
for user in ann ben; do
    useradd --create-home --shell /bin/bash --password '*' "$user"
    install -d -m 700 -o "$user" "/home/$user/.ssh"
done
ssh-keygen -q -t ed25519 -N '' -f "$base/layers/key"
ssh-keygen -q -t ed25519 -N '' -f "$base/layers/host"
for user in ann ben; do
    install -m 600 -o "$user" "$base/layers/key.pub" "/home/$user/.ssh/authorized_keys"
done
steno host enable ann --without-agent
echo "session optional pam_exec.so quiet /usr/bin/steno-note-login" >>/etc/pam.d/sshd
cat >/etc/steno/agent.toml <<EOF
user = "root"
EOF
groupadd inner
usermod -aG inner ann
cat >/etc/steno/policy.toml <<EOF
[[rule]]
name = "commands"
when.groups = ["inner"]
when.kinds = ["command"]
labels = ["seen"]
mail_to = ["audit@example.org"]
EOF
cat >"$base/layers/sshd_config" <<EOF
Port 2222
ListenAddress 127.0.0.1
HostKey $base/layers/host
UsePAM yes
PidFile none
Subsystem sftp internal-sftp
EOF
# By no function: that would run in a shell of its own, and `kill` end only that.
"$python" -m steno.cli agent >"$base/agent.log" 2>&1 &
agent=$!
for _ in $(seq 600); do [ -S /run/steno/agent.sock ] && break; sleep 0.1; done
/usr/sbin/sshd -f "$base/layers/sshd_config" -E "$base/sshd.log"
# sshd goes to the background before it listens.
for _ in $(seq 600); do [ -n "$(ss -Hltn 'sport = :2222')" ] && break; sleep 0.1; done
options=(-o LogLevel=ERROR -i "$base/layers/key" -o IdentitiesOnly=yes -o StrictHostKeyChecking=no
    -o UserKnownHostsFile=/dev/null -F /dev/null)
into() { ssh "${options[@]}" -p 2222 "$@"; }
copy() { sftp "${options[@]}" -P 2222 -b - "$1@127.0.0.1" <<<"pwd"; }
into ann@127.0.0.1 'echo from-a-command' >"$base/said"
# A mistake: what was in force stays so.
printf '\n[[rule]]\nname = "commands"\nlabels = ["wrong"]\n' >>/etc/steno/policy.toml
for _ in $(seq 60); do
    into ann@127.0.0.1 'echo under-a-bad-policy' >>"$base/said"
    steno agent status --json >"$base/status.json"
    grep -q '"is_current": *false' "$base/status.json" && break
done
copy ben >>"$base/said"
copy ann >>"$base/said"
for _ in $(seq 600); do
    grep -q '"kind":"login"' -r /var/lib/steno/spool && break
    sleep 0.1
done
mv /usr/bin/steno-note-login /usr/bin/steno-note-login.gone
copy ann >>"$base/said"
kill "$agent"
wait "$agent" || true
cp -r /var/lib/steno/spool "$base/spool"
