//! Kernels whose `tap_handle_frame` may drop while the queue has room.
//!
//! Until 4.15 it asked whether the queue was full (`__skb_array_full`, drivers/net/tap.c) without the lock that the
//! reader and other senders take, so it could see a slot as taken that was being emptied. From 4.16 on the insert
//! itself tells.

/// The first release without the check.
const FIXED: (u32, u32) = (4, 16);

/// A kernel of this release (`uname -r`) has the check. A release that cannot be read has not.
pub(super) fn has_unlocked_check(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next()?.parse::<u32>().ok();
    matches!((next(), next()), (Some(major), Some(minor)) if (major, minor) < FIXED)
}

#[cfg(test)]
mod tests {
    use super::has_unlocked_check;

    #[test]
    fn releases_are_compared_by_number() {
        for old in ["4.15.0-213-generic", "4.9.0", "3.10.0-1160.el7.x86_64"] {
            assert!(has_unlocked_check(old), "{old}");
        }
        for fixed in [
            "4.16.0",
            "4.18.0-553.el8",
            "5.10.0-46-cloud-amd64",
            "6.1",
            "",
            "custom",
        ] {
            assert!(!has_unlocked_check(fixed), "{fixed}");
        }
    }
}
