#!/bin/sh
# Makes FOLDER/tree: the Debian 12 that images are built on, with the packages named in the further arguments. They come
# from this machine's mirrors, which no file of the project names.
set -eu
folder=$1
shift
mirror() { apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $1" | head -n 1; }
mkdir -p "$folder"
debootstrap --variant=minbase bookworm "$folder/tree" "$(mirror bookworm)"
for suite in bookworm bookworm-updates bookworm-security; do
    echo "deb $(mirror $suite) $suite main"
done >"$folder/tree/etc/apt/sources.list"
chroot "$folder/tree" apt-get update
chroot "$folder/tree" apt-get install --yes --no-install-recommends "$@"
rm -rf "$folder/tree/var/cache/apt" "$folder/tree/var/lib/apt/lists" "$folder/tree/usr/share/doc"
# debootstrap copied these from this machine.
rm -f "$folder/tree/etc/hostname" "$folder/tree/etc/resolv.conf"
