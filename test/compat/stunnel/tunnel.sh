#!/bin/sh
set -e
printf 'foreground = yes\npid = /run/stunnel.pid\n[web]\naccept = 443\nconnect = %s\ncert = /etc/stunnel/cert.pem\nkey = /etc/stunnel/key.pem\n' "$SERVER" >/tmp/stunnel.conf
exec stunnel4 /tmp/stunnel.conf
