# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='databases, caches and queues'
check() {
  inside sh -c "printf 'dn: cn=seen,dc=example,dc=com\nobjectClass: organizationalRole\ncn: seen\n' | ldapmodify -c -a -x -H ldap://$IP -D cn=admin,dc=example,dc=com -w secret"
  inside ldapsearch -x -LLL -H "ldap://$IP" -b dc=example,dc=com cn=seen | says '^cn: seen'
}
kept() { inside ldapsearch -x -LLL -H "ldap://$IP" -b dc=example,dc=com cn=seen | says '^cn: seen'; }
