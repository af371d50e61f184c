"""A guest whose accounts come from LDAP through SSSD, and whom SSSD has recorded.

slapd and sssd run in the guest itself. Accounts: alice, bob, carol, dave (passwords `pw-NAME`);
groups: contractors (alice), inner (dave) within outer. Source of what SSSD does: sssd.conf(5),
sssd-session-recording(5).
"""

from __future__ import annotations

from guest import Guest

BASE = "dc=ipa,dc=test"
SHELLS = {"alice": "/bin/bash", "bob": "/bin/sh", "carol": "/bin/bash", "dave": "/usr/bin/zsh"}

SCHEMA = """\
attributetype ( 1.3.6.1.1.1.1.2 NAME 'gecos' EQUALITY caseIgnoreIA5Match
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )
attributetype ( 1.3.6.1.1.1.1.3 NAME 'homeDirectory' EQUALITY caseExactIA5Match
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )
attributetype ( 1.3.6.1.1.1.1.4 NAME 'loginShell' EQUALITY caseExactIA5Match
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 SINGLE-VALUE )
objectclass ( 1.3.6.1.1.1.2.0 NAME 'posixAccount' SUP top AUXILIARY
  MUST ( cn $ uid $ uidNumber $ gidNumber $ homeDirectory ) MAY ( userPassword $ loginShell ) )
objectclass ( 1.3.6.1.1.1.2.2 NAME 'posixGroup' SUP top AUXILIARY MUST gidNumber )
"""

SLAPD = f"""\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/lab/lab.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
pidfile /run/lab-slapd.pid
TLSCACertificateFile /etc/lab/cert.pem
TLSCertificateFile /etc/lab/cert.pem
TLSCertificateKeyFile /etc/lab/key.pem
database mdb
suffix "{BASE}"
rootdn "cn=admin,{BASE}"
directory /var/lib/lab-ldap
maxsize 67108864
overlay memberof
memberof-group-oc groupOfNames
access to attrs=userPassword by anonymous auth by * none
access to * by * read
"""

SSSD_LDAP = f"""\
[domain/lab]
id_provider = ldap
auth_provider = ldap
access_provider = permit
ldap_uri = ldap://127.0.0.1
ldap_search_base = {BASE}
ldap_schema = rfc2307bis
ldap_id_use_start_tls = true
ldap_tls_cacert = /etc/lab/cert.pem
ldap_tls_reqcert = demand
ldap_network_timeout = 60
ldap_opt_timeout = 60
ldap_search_timeout = 60
dns_resolver_timeout = 60
offline_timeout = 1
timeout = 60
entry_cache_timeout = 5
"""

SSSD_PROXY = """\
[domain/lab]
id_provider = proxy
proxy_lib_name = files
proxy_pam_target = sssd-shadowutils
"""

SSSD = """\
[sssd]
config_file_version = 2
services = nss, pam
domains = lab

[nss]
filter_users = root
memcache_timeout = 0
entry_negative_timeout = 1
timeout = 60

[pam]
timeout = 60

"""


def serve_directory(guest: Guest) -> None:
    """Start slapd in the guest, with accounts and groups."""
    guest.write("/etc/lab/lab.schema", SCHEMA)
    guest.write("/etc/lab/slapd.conf", SLAPD)
    guest.write("/etc/lab/data.ldif", _data())
    guest.shell(
        "cd /etc/lab; mkdir -p /var/lib/lab-ldap;"
        " openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30"
        " -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
        " 2>/dev/null; slapadd -q -f slapd.conf -l data.ldif;"
        " slapd -f slapd.conf -h ldap://127.0.0.1;"
        " printf 'auth required pam_unix.so\\naccount required pam_unix.so\\n'"
        " >/etc/pam.d/sssd-shadowutils;"
        " sed -i -E 's/^(passwd|group):.*/\\1: sss files/' /etc/nsswitch.conf;"
        " pam-auth-update --enable mkhomedir"
    )


def record_with_sssd(guest: Guest, section: str, *, domain: str = SSSD_LDAP) -> None:
    """Let SSSD know of the domain, and whom to record; wait until it answers.

    Args:
        guest: Where.
        section: What stands in [session_recording].
        domain: The domain, SSSD_LDAP or SSSD_PROXY.
    """
    guest.write("/etc/sssd/sssd.conf", SSSD + domain, 0o600)
    recording = f"[session_recording]\n{section}"
    guest.write("/etc/sssd/conf.d/session-recording.conf", recording, 0o600)
    # Tests restart it more often than systemd lets anybody do.
    guest.shell(
        "systemctl reset-failed sssd; systemctl restart sssd; sss_cache -E 2>/dev/null || true"
    )
    known = "alice" if domain == SSSD_LDAP else "zoe"
    guest.wait_until("getent", "-s", "sss", "passwd", known, what="sssd")


def _data() -> str:
    entries = [f"dn: {BASE}\nobjectClass: domain\ndc: ipa\n"]
    entries += [
        f"dn: cn={name},{BASE}\nobjectClass: applicationProcess\ncn: {name}\n"
        for name in ("users", "groups")
    ]
    for number, (user, shell) in enumerate(SHELLS.items(), 10001):
        entries.append(
            f"dn: uid={user},cn=users,{BASE}\nobjectClass: inetOrgPerson\n"
            f"objectClass: posixAccount\ncn: {user}\nsn: Test\nuid: {user}\n"
            f"uidNumber: {number}\ngidNumber: 20000\nhomeDirectory: /home/{user}\n"
            f"loginShell: {shell}\nuserPassword: pw-{user}\n"
        )
    groups = {
        "ipausers": [f"uid={user},cn=users" for user in SHELLS],
        "contractors": ["uid=alice,cn=users"],
        "inner": ["uid=dave,cn=users"],
        "outer": ["cn=inner,cn=groups"],
    }
    for number, (group, members) in enumerate(groups.items(), 20000):
        lines = "".join(f"member: {member},{BASE}\n" for member in members)
        entries.append(
            f"dn: cn={group},cn=groups,{BASE}\nobjectClass: groupOfNames\n"
            f"objectClass: posixGroup\ncn: {group}\ngidNumber: {number}\n{lines}"
        )
    return "\n".join(entries)
