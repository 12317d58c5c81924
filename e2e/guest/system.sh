#!/bin/sh
# Makes FOLDER/system.ext4: the root of the guests that the kernel suite boots. Debian 12, so that programs built on
# Debian 12 find their libraries. No kernel and no init: the guests bring theirs.
set -eu
folder=$1
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | head -n 1)
: "${mirror:?no package source of bookworm is configured, or apt-get update was never run}"
mkdir -p "$folder"
# libteam-utils has teamnl. The libraries are those of ovs-dpctl.
debootstrap --variant=minbase \
    --include=iproute2,ethtool,iptables,nftables,kmod,procps,libteam-utils,libnuma1,libssl3,libunbound8,libxdp1 \
    bookworm "$folder/tree" "$mirror"
# Of Open vSwitch only the program that makes datapaths: its package would start daemons here and bring Python.
(cd "$folder" && apt-get -q download openvswitch-switch/bookworm)
dpkg-deb --fsys-tarfile "$folder"/openvswitch-switch_*.deb | tar -x -C "$folder/tree" ./usr/bin/ovs-dpctl
rm "$folder"/openvswitch-switch_*.deb
rm -rf "$folder/tree/var/cache/apt" "$folder/tree/var/lib/apt/lists" "$folder/tree/usr/share/doc"
# Where the guest mounts its kernel's modules and the programs under test.
mkdir -p "$folder/tree/lib/modules" "$folder/tree/netdiag"
mke2fs -q -t ext4 -O ^has_journal -d "$folder/tree" "$folder/system.ext4" 1G
rm -rf "$folder/tree"
