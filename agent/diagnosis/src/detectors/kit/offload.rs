//! The remedy that lets the stack finish checksums which it leaves to the device.

use crate::{
    evidence::{Link, Namespace},
    finding::Remedy,
};

/// Switches transmit checksum offload off; only looks where its state was not read. `None` where it is off already.
pub(crate) fn off(namespace: &Namespace, link: &Link, text: &str) -> Option<Remedy> {
    let name = link.name.as_str();
    let switched = |state: &str| {
        let words = ["ethtool", "-K", name, "tx", state];
        Remedy::command_in(namespace, text, &words, &[name])
    };
    match link.tx_checksum_offload {
        Some(false) => None,
        Some(true) => {
            let change = switched("off").undone_by(switched("on"));
            let effect =
                "CPU time for every packet sent; segmentation by the device (TSO) ends with it";
            Some(match namespace.pod {
                Some(_) => change.with_effect(format!("{effect}; it ends with the pod")),
                None => change.with_effect(effect).lasting(format!(
                    "TransmitChecksumOffload=no in [Link] of a .link file for {name} (/etc/systemd/network/)"
                )),
            })
        }
        None => {
            let text = format!(
                "{text} See whether tx-checksumming is on; `ethtool -K DEVICE tx off` ends it."
            );
            let words = ["ethtool", "-k", name];
            Some(Remedy::command_in(namespace, text, &words, &[name]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NODE, POD, link, node_namespace, pod_namespace};

    fn offloading(is_on: Option<bool>) -> Link {
        Link {
            tx_checksum_offload: is_on,
            ..link(NODE, 2, "eth0")
        }
    }

    #[test]
    fn offload_that_is_on_is_switched_off_and_on_again() {
        let remedy = off(&node_namespace(NODE), &offloading(Some(true)), "Do it.");
        let remedy = remedy.expect("a remedy");
        let change = remedy.change.expect("a change");
        assert_eq!(remedy.command.as_deref(), Some("ethtool -K eth0 tx off"));
        assert_eq!(change.undo.as_deref(), Some("ethtool -K eth0 tx on"));
        assert!(
            change
                .lasting
                .is_some_and(|lasting| lasting.contains(".link"))
        );
        let pod = pod_namespace(POD, 7, "shop", "web");
        let of_pod = off(&pod, &offloading(Some(true)), "Do it.").expect("a remedy");
        assert!(
            of_pod
                .effect
                .is_some_and(|effect| effect.ends_with("with the pod"))
        );
        assert_eq!(of_pod.change.and_then(|change| change.lasting), None);
    }

    #[test]
    fn offload_that_is_off_is_left_so_and_an_unknown_state_looked_at() {
        let node = node_namespace(NODE);
        assert_eq!(off(&node, &offloading(Some(false)), "Do it."), None);
        let look = off(&node, &offloading(None), "Do it.").expect("a look");
        assert_eq!(look.command.as_deref(), Some("ethtool -k eth0"));
        assert_eq!(look.change, None);
    }

    #[test]
    fn a_hostile_name_gets_no_command() {
        let mut hostile = offloading(Some(true));
        hostile.name = "x;reboot".to_owned();
        let remedy = off(&node_namespace(NODE), &hostile, "Do it.").expect("a remedy");
        assert_eq!(remedy.command, None);
        assert_eq!(remedy.change.and_then(|change| change.undo), None);
    }
}
