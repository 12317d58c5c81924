#!/bin/sh
# Makes FOLDER/tree: the Debian 12 that images are built on, with PACKAGES, and with ARM64_PACKAGES where there are any.
# They come from this machine's mirrors, which no file of the project names.
set -eu
folder=$1 packages=$2 arm64_packages=$3
mirror() { apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $1" | head -n 1; }
mkdir -p "$folder"
debootstrap --variant=minbase bookworm "$folder/tree" "$(mirror bookworm)"
for suite in bookworm bookworm-updates bookworm-security; do
    echo "deb $(mirror $suite) $suite main"
done >"$folder/tree/etc/apt/sources.list"
inside() { chroot "$folder/tree" "$@"; }
install() { inside apt-get install --yes --no-install-recommends "$@"; }
inside apt-get update
install $packages
# Not every mirror serves another architecture than its machines'.
inside dpkg --add-architecture arm64
if inside apt-get update && install --dry-run $arm64_packages; then
    install $arm64_packages
else
    echo 'this machine has no packages for arm64: no images for it are built here'
    inside dpkg --remove-architecture arm64
fi
rm -rf "$folder/tree/var/cache/apt" "$folder/tree/var/lib/apt/lists" "$folder/tree/usr/share/doc"
# debootstrap copied these from this machine.
rm -f "$folder/tree/etc/hostname" "$folder/tree/etc/resolv.conf"
