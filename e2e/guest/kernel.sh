#!/bin/sh
# Makes FOLDER/{vmlinuz,initrd,modules.ext4} from the newest cloud kernel of a Debian suite, without a change to this
# machine's own package lists.
#
# usage: kernel.sh FOLDER SUITE
set -eu
folder=$1 suite=$2
here=$(dirname "$(readlink -f "$0")")
mkdir -p "$folder/lists/partial" "$folder/archives/partial"
cd "$folder"

# The mirrors that this machine already uses: one for suites, one for their security updates.
case $suite in
*-security) codename=bookworm-security ;;
*) codename=bookworm ;;
esac
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $codename" | head -n 1)
: "${mirror:?no package source of $codename is configured, or apt-get update was never run}"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >sources.list
private() {
    program=$1
    shift
    "$program" -q -o Dir::Etc::sourcelist="$PWD/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::State::Lists="$PWD/lists" -o Dir::Cache="$PWD" "$@"
}
private apt-get update
package=$(private apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: //p' | head -n 1)
private apt-get download "$package"
dpkg-deb -x ./"$package"_*.deb tree
release=${package#linux-image-}
mv "tree/boot/vmlinuz-$release" vmlinuz
# Debian 13 puts modules below /usr.
[ -d tree/lib/modules ] || mv tree/usr/lib tree/lib
depmod -b tree "$release"

# What it takes to mount the root, in the order to load it. Unpacked, for a busybox that unpacks nothing.
mkdir -p initrd/bin initrd/modules
number=10
for module in virtio_pci virtio_blk ext4; do
    modprobe --dirname tree --set-version "$release" --show-depends "$module" |
        sed -n 's/^insmod \([^ ]*\).*/\1/p'
done | awk '!seen[$0]++' | while read -r file; do
    case $file in
    *.xz) xz --decompress --stdout "$file" >"initrd/modules/$number-$(basename "$file" .xz)" ;;
    *) cp "$file" "initrd/modules/$number-$(basename "$file")" ;;
    esac
    number=$((number + 1))
done
cp "$(command -v busybox)" initrd/bin/busybox
cp "$here/initrd-init" initrd/init
chmod 755 initrd/init
(cd initrd && find . | cpio --quiet --create --format=newc) >initrd.new
rm -rf initrd
mv initrd.new initrd

mke2fs -q -t ext4 -O ^has_journal -d tree/lib/modules modules.ext4 400M
echo "$release" >release
rm -rf tree lists archives sources.list ./*.deb ./*.bin
