#!/usr/bin/env bash
# Runs as the first process of new PID, mount, UTS, IPC and network namespaces: puts an overlay of the running
# system under a new root, and becomes systemd there. Nothing outside is touched.
#   boot.sh DIRECTORY CHECKOUT NODE JOURNAL
# DIRECTORY  an empty one, for the mounts    CHECKOUT  the built project, as /usr/lib/sd-gateway
# NODE       Node.js to run it with          JOURNAL   a directory that outlives the machine, for its journal
set -euo pipefail
directory=$1 checkout=$2 node=$3 journal=$4

# A cgroup namespace shows the cgroup in which it is made as the root. Without one of its own a machine would have
# that of whoever runs the tests, as every other machine has: two of them with a unit of the same name would remove,
# and kill, each other's. It is made here because only here may cgroup2 be mounted without a trace outside.
if [ "${5-}" != in-its-cgroup ]; then
  mount --make-rprivate /
  mount -t cgroup2 cgroup2 "$directory"
  mkdir "$directory/$(basename "$directory")"
  echo $$ >"$directory/$(basename "$directory")/cgroup.procs"
  umount "$directory"
  exec unshare --cgroup "$0" "$@" in-its-cgroup
fi

mount -t tmpfs -o mode=0755 tmpfs "$directory"
mkdir "$directory"/{upper,work,root}
mount -t overlay -o "lowerdir=/,upperdir=$directory/upper,workdir=$directory/work" overlay "$directory/root"
cd "$directory/root"

mount -t proc proc proc
mount -t tmpfs -o mode=0755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --rbind /dev dev
mkdir -p var/log/journal
mount --bind "$journal" var/log/journal

rm -rf usr/lib/sd-gateway
mkdir -p usr/lib/sd-gateway
mount --bind "$checkout" usr/lib/sd-gateway
mount -o remount,bind,ro usr/lib/sd-gateway
ln -sf /usr/lib/sd-gateway/dist/cli/main.js usr/local/bin/sd-gateway
if [ "$node" != /usr/bin/node ]; then
  rm -f usr/local/bin/node
  touch usr/local/bin/node
  mount --bind "$node" usr/local/bin/node
fi

# The system outside may have any service enabled, which would take the tests' ports and time. The machine boots a
# target of its own, which wants only what the tests need.
rm -rf etc/systemd/system/*.wants etc/systemd/system/*.requires etc/systemd/user/*.wants etc/systemd/user/*.requires
cat >etc/systemd/system/test-machine.target <<'UNIT'
[Unit]
Description=Everything that the tests need
Requires=basic.target
Wants=dbus.service systemd-logind.service systemd-user-sessions.service
After=basic.target dbus.service systemd-logind.service systemd-user-sessions.service
AllowIsolate=yes
UNIT
# Services of systemd's own that are slow, or would change the system outside.
for unit in systemd-binfmt.service systemd-modules-load.service systemd-sysctl.service systemd-firstboot.service \
  systemd-networkd.service systemd-resolved.service; do
  ln -sf /dev/null "etc/systemd/system/$unit"
done
mkdir -p etc/systemd/journald.conf.d
printf '[Journal]\nStorage=persistent\nRateLimitIntervalSec=0\nRateLimitBurst=0\n' >etc/systemd/journald.conf.d/test.conf
printf 'd31d8d3a7f2b4c0f9c6f0a2f9a1b5e77\n' >etc/machine-id
# A gateway that somebody runs outside is none of the machine's.
rm -rf var/lib/sd-gateway* var/lib/private/sd-gateway* etc/sd-gateway
rm -f etc/fstab
touch etc/fstab

mkdir .outside
pivot_root . .outside
umount -l /.outside
rmdir /.outside
# As on a real system, where the service manager does it: credentials reach a unit by propagation (systemd.exec(5)).
mount --make-rshared /
ip link set lo up
exec env -i container=sd-gateway-test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  LANG=C.UTF-8 /lib/systemd/systemd --system --log-target=journal --show-status=no --unit=test-machine.target
