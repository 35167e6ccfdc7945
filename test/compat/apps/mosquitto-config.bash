# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A broker whose password file and listener are written into its own directory of /etc at start, by sed and redirection.

kind='configuration at start'
images() {
  image broker <<'DOCKERFILE'
FROM compat/base
RUN apt-get install -y --no-install-recommends mosquitto mosquitto-clients
RUN printf 'listener LISTENER\nallow_anonymous false\npassword_file /etc/mosquitto/passwd\n' >/etc/mosquitto/conf.d/site.conf
COPY entrypoint.sh /
ENTRYPOINT ["/entrypoint.sh"]
CMD ["mosquitto", "-c", "/etc/mosquitto/mosquitto.conf"]
DOCKERFILE
  file broker entrypoint.sh <<'SH'
#!/bin/sh
set -e
install -d -o mosquitto -g mosquitto /run/mosquitto
sed -i "s/LISTENER/$LISTENER/" /etc/mosquitto/conf.d/site.conf
sed -i '/^log_dest/d' /etc/mosquitto/mosquitto.conf
mosquitto_passwd -b -c /etc/mosquitto/passwd "$NAME" "$PASSWORD"
chown mosquitto /etc/mosquitto/passwd
chmod 600 /etc/mosquitto/passwd
exec "$@"
SH
}
start() { run broker broker -v "$BOX-data:/var/lib/mosquitto" -e LISTENER=1883 -e NAME=device -e PASSWORD=secret; }
check() {
  inside broker mosquitto_pub -r -q 1 -u device -P secret -t "round-$ROUND" -m kept &&
    inside broker pkill -USR1 mosquitto &&
    inside broker mosquitto_sub -u device -P secret -t "round-$ROUND" -C 1 -W 3 | says '^kept'
}
kept() { inside broker mosquitto_sub -u device -P secret -t round-1 -C 1 -W 3 | says '^kept'; }
