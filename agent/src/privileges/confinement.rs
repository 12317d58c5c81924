//! Which security module confines this process, by what the kernel shows below /proc/self/attr.

use netdiag_diagnosis::text::printable_up_to;

/// A rule of a security module that this process is under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Confinement {
    /// A profile of AppArmor that is enforced.
    AppArmor {
        /// Its name.
        profile: String,
    },
    /// A type of SELinux.
    Selinux {
        /// Its name, such as `container_t`.
        kind: String,
    },
}

/// Types that may do what the rest of the kernel lets them: of privileged containers, of root's shell and of its
/// services.
const UNCONFINED_TYPES: [&str; 3] = ["spc_t", "unconfined_t", "unconfined_service_t"];
/// Longer names are cut.
const LONGEST_NAME: usize = 100;

impl Confinement {
    /// Reads `attr/current`, or `attr/apparmor/current` where the kernel has several modules. `None`: nothing confines.
    pub(crate) fn parse(context: &str) -> Option<Self> {
        // SELinux ends it with a zero, AppArmor with a line feed.
        let context = context.trim_end_matches(['\0', '\n']);
        let short = |name: &str| printable_up_to(name, LONGEST_NAME);
        // `unconfined`, or `cri-containerd.apparmor.d (enforce)`.
        if let Some((profile, mode)) = context.rsplit_once(" (") {
            return matches!(mode, "enforce)" | "kill)").then(|| Self::AppArmor {
                profile: short(profile),
            });
        }
        // `user:role:type:level`, where the level may have colons too.
        let kind = context.split(':').nth(2)?;
        (!UNCONFINED_TYPES.contains(&kind)).then(|| Self::Selinux { kind: short(kind) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profiles_of_container_runtimes_are_read() {
        for profile in ["docker-default", "cri-containerd.apparmor.d"] {
            let confined = Confinement::AppArmor {
                profile: profile.to_owned(),
            };
            assert_eq!(
                Confinement::parse(&format!("{profile} (enforce)\n")),
                Some(confined)
            );
        }
    }

    #[test]
    fn the_type_of_a_container_is_read() {
        let confined = Confinement::Selinux {
            kind: "container_t".to_owned(),
        };
        let context = "system_u:system_r:container_t:s0:c123,c456\0";
        assert_eq!(Confinement::parse(context), Some(confined));
    }

    #[test]
    fn who_is_not_confined_is_under_no_rule() {
        for context in [
            "",
            "unconfined\n",
            "docker-default (complain)\n",
            "system_u:system_r:spc_t:s0\0",
            "unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023\0",
        ] {
            assert_eq!(Confinement::parse(context), None, "{context:?}");
        }
    }
}
