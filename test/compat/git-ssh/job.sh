#!/bin/sh
# Clones over ssh; the server at the other end is a process of this container's own, at the end of a pipe.
set -e
mkdir -p ~/.ssh /run/sshd
chmod 700 ~/.ssh
[ -e ~/.ssh/id_ed25519 ] || ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519
[ -e ~/.ssh/host ] || ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/host
cp ~/.ssh/id_ed25519.pub ~/.ssh/authorized_keys
printf 'HostKey %s\nStrictModes no\n' ~/.ssh/host >/tmp/sshd_config
printf 'Host *\n  ProxyCommand /usr/sbin/sshd -i -f /tmp/sshd_config\n  StrictHostKeyChecking accept-new\n' >~/.ssh/config
git config --global user.email me@example.com
rm -rf /tmp/origin /tmp/clone
git init -q /tmp/origin
cd /tmp/origin
git commit -q --allow-empty -m 'first'
git clone -q "ssh://$(id -un)@here/tmp/origin" /tmp/clone
git -C /tmp/clone log --format='cloned: %s'
