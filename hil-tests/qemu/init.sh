#!/bin/busybox sh
# The guest's first process: the host's files become its root (nothing that it writes gets back), the buses come up, and
# the command runs. /job/settings names the folders to share, /job/command is the command as a script.
export PATH=/bin
/bin/busybox mkdir -p /proc /sys /dev /host /top /new
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do insmod "/modules/$module.ko"; done </modules/modules.txt
. /job/settings
if [ -e /bin/idle ]; then idle & fi

# The host's root stands still while the guest runs, as far as the guest is concerned: hence the loose cache.
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000 host /host || exit 1
mount -t tmpfs -o size=75% top /top
mkdir /top/upper /top/work
mount -t overlay -o lowerdir=/host,upperdir=/top/upper,workdir=/top/work root /new || exit 1
mount -t proc proc /new/proc
mount -t sysfs sysfs /new/sys
mount -t devtmpfs devtmpfs /new/dev
mkdir -p /new/dev/pts /new/dev/shm /new/tmp /new/run
mount -t devpts devpts /new/dev/pts
for folder in dev/shm run; do mount -t tmpfs -o mode=1777 tmpfs "/new/$folder"; done
number=0
for folder in $shared; do
    mkdir -p "/new$folder"
    mount -t 9p -o trans=virtio,version=9p2000.L,cache=none,msize=512000 "shared$number" "/new$folder" || exit 1
    number=$((number + 1))
done
ln -s /proc/self/fd /new/dev/fd
ln -s /proc/self/fd/0 /new/dev/stdin
ln -s /proc/self/fd/1 /new/dev/stdout
ln -s /proc/self/fd/2 /new/dev/stderr

# Classic CAN, as the arm's adapter has it. busybox cannot name a vxcan's other end: it takes the first name that is free.
ip link set lo up
ip link add dev vcan0 type vcan
ip link add dev peer type vxcan
ip link set peer name vxcan1
for bus in vcan0 vxcan0 vxcan1; do
    ip link set "$bus" mtu 16
    ip link set "$bus" up
done

# What a slim host lacks (`ip`) is found at the end of the command's path.
mkdir /new/run/guest /new/run/guest/bin
cp /bin/busybox /job/command /new/run/guest/
chroot /new /run/guest/busybox --install -s /run/guest/bin

# A port may be opened only once: a pipe stands between it and the command, which may open /dev/stderr as often as it
# likes. The end mark tells the host that it has read everything, whatever still holds the pipe.
until [ -e /dev/vport*p3 ]; do sleep 0.02; done
mkfifo /out /errors
cat /out >"$(echo /dev/vport*p1)" &
cat /errors >"$(echo /dev/vport*p2)" &
exec 3>/out 4>/errors
chroot /new /bin/sh /run/guest/command </dev/null >&3 2>&4 3>&- 4>&-
code=$?
sync
printf '%s' "$end_mark" >&3
printf '%s' "$end_mark" >&4
echo "$code" >"$(echo /dev/vport*p3)"
# The host switches the guest off; this is for a host that has gone away.
sleep 10
poweroff -f
