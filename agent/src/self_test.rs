//! A test of what every diagnosis needs, run once when the agent starts, so that what the node forbids is reported
//! before anybody asks.

use netdiag_diagnosis::evidence::Observed;

use crate::{
    causes::causes,
    privileges::{Access, Capability, Restrictions},
    probes::{Kernel, drop::DropProbe, kallsyms},
    sources::{self, KernelLog},
};

/// The accesses that the kernel refused among those that were tried, in words.
struct Forbidden {
    programs: Option<String>,
    /// Some program does not let the agent see its network namespace.
    has_closed_programs: bool,
    /// Some program has sockets that cannot be duplicated.
    has_closed_sockets: bool,
    symbols: Option<String>,
    kernel_log: Option<String>,
}

/// Tries what is needed: to load a probe, to see the namespaces of all programs, to read an address in /proc/kallsyms
/// and to open the kernel's log. Nothing is attached. Gives a sentence for each thing that the node forbids.
pub(crate) fn forbidden(kernel: &Kernel) -> Vec<String> {
    let refused = Forbidden {
        programs: DropProbe::try_load(kernel)
            .err()
            .map(|error| causes(&error)),
        // Without /proc nothing else can be said either.
        has_closed_programs: sources::has_closed_programs().unwrap_or_default(),
        has_closed_sockets: sources::has_closed_sockets().unwrap_or_default(),
        symbols: kallsyms::addresses(["_stext"])
            .err()
            .map(|error| causes(&error)),
        kernel_log: match KernelLog::from_now().read() {
            Observed::Unavailable { reason, .. } => Some(reason),
            Observed::Complete { .. } | Observed::Partial { .. } => None,
        },
    };
    sentences(refused, &Restrictions::read())
}

fn sentences(refused: Forbidden, restrictions: &Restrictions) -> Vec<String> {
    // There may be no other namespace yet to try it on.
    let lacks_links = restrictions.missing.contains(&Capability::NetAdmin);
    let links = lacks_links.then(|| restrictions.refusal(Access::Links));
    // A few programs may protect themselves; only what the node forbids in general is worth a word.
    let is_restricted = restrictions.known(Access::Processes).is_some();
    let processes = (refused.has_closed_programs && is_restricted)
        .then(|| restrictions.refusal(Access::Processes));
    let is_restricted = restrictions.known(Access::Sockets).is_some();
    let sockets = (refused.has_closed_sockets && is_restricted)
        .then(|| restrictions.refusal(Access::Sockets));
    [
        (Access::Programs, refused.programs),
        (Access::Links, links),
        (Access::Processes, processes),
        (Access::Sockets, sockets),
        (Access::Symbols, refused.symbols),
        (Access::KernelLog, refused.kernel_log),
    ]
    .into_iter()
    .filter_map(|(need, refused)| Some(format!("{}, so {}", refused?, need.lost())))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privileges::Confinement;

    /// Lists the accesses that a process with these restrictions is refused.
    fn tried(restrictions: &Restrictions, refused: &[Access]) -> Vec<String> {
        let try_it = |need: Access| {
            let is_refused = refused.contains(&need);
            is_refused.then(|| restrictions.refusal(need))
        };
        let refused = Forbidden {
            programs: try_it(Access::Programs),
            has_closed_programs: refused.contains(&Access::Processes),
            has_closed_sockets: refused.contains(&Access::Sockets),
            symbols: try_it(Access::Symbols),
            kernel_log: try_it(Access::KernelLog),
        };
        sentences(refused, restrictions)
    }

    #[test]
    fn a_process_that_may_do_all_has_nothing_to_say() {
        assert_eq!(tried(&Restrictions::default(), &[]), [""; 0]);
    }

    #[test]
    fn on_a_node_whose_app_armor_confines_containers_the_profile_is_named() {
        let restrictions = Restrictions {
            confinement: Confinement::parse("cri-containerd.apparmor.d (enforce)\n"),
            has_seccomp: true,
            kptr_restrict: Some(1),
            dmesg_restrict: Some(1),
            ..Restrictions::default()
        };
        let said = tried(&restrictions, &[Access::Processes]);
        let expected = format!(
            "the files of other programs below /proc are closed: AppArmor profile cri-containerd.apparmor.d forbids \
             it (set agent.appArmorProfile.type to Unconfined), so {}",
            Access::Processes.lost()
        );
        assert_eq!(said, [expected]);
    }

    #[test]
    fn on_a_node_whose_selinux_confines_containers_the_type_is_named() {
        let restrictions = Restrictions {
            confinement: Confinement::parse("system_u:system_r:container_t:s0:c14,c921\0"),
            has_seccomp: true,
            kptr_restrict: Some(1),
            ..Restrictions::default()
        };
        let refused = [Access::Programs, Access::Processes, Access::KernelLog];
        let said = tried(&restrictions, &refused);
        assert_eq!(said.len(), 3);
        let remedy = "SELinux type container_t forbids it (set agent.seLinuxOptions.type to spc_t)";
        assert!(said.iter().all(|one| one.contains(remedy)), "{said:#?}");
    }

    #[test]
    fn a_node_in_lockdown_sees_no_drops() {
        let restrictions = Restrictions {
            is_locked_down: true,
            ..Restrictions::default()
        };
        let said = tried(&restrictions, &[Access::Programs]);
        let [one] = &said[..] else {
            panic!("{said:#?}");
        };
        assert!(
            one.contains("lockdown") && one.ends_with("not which and why"),
            "{one}"
        );
    }

    #[test]
    fn hidden_addresses_are_told_with_the_setting_that_hides_them() {
        let restrictions = Restrictions {
            kptr_restrict: Some(2),
            ..Restrictions::default()
        };
        let said = tried(&restrictions, &[Access::Symbols]);
        let expected = "addresses in /proc/kallsyms are hidden: kernel.kptr_restrict is 2 (1 shows them to the agent), \
                        so drops are known only by";
        assert!(
            said.len() == 1 && said[0].starts_with(expected),
            "{said:#?}"
        );
    }

    #[test]
    fn programs_that_protect_themselves_are_no_restriction_of_the_node() {
        assert_eq!(
            tried(&Restrictions::default(), &[Access::Processes]),
            [""; 0]
        );
    }

    #[test]
    fn each_missing_capability_is_named_with_what_it_costs() {
        for capability in Capability::ALL {
            let restrictions = Restrictions {
                missing: vec![capability],
                ..Restrictions::default()
            };
            let needs = Access::ALL
                .into_iter()
                .filter(|need| need.capabilities().contains(&capability));
            let needs: Vec<_> = needs.collect();
            let said = tried(&restrictions, &needs);
            assert_eq!(said.len(), needs.len(), "{said:#?}");
            for (need, sentence) in needs.into_iter().zip(&said) {
                let named = format!("{} is missing, so {}", capability.name(), need.lost());
                assert!(sentence.ends_with(&named), "{sentence}");
            }
        }
    }
}
