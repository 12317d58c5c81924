//! Names and numbers as every finding has them.

use crate::{
    Window,
    evidence::{Link, Namespace, Owner},
    finding::{Assessment, Subject},
    packets::flow::frequent_flows,
};

use super::Tally;

/// Names in one list; more are counted.
const NAMES_SHOWN: usize = 4;
/// Flows of one finding.
const FLOWS_SHOWN: usize = 3;

/// `1 packet`, `12 packets`, `2 processes`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    format!("{number} {}", plural(number, noun))
}

fn plural(number: u64, noun: &str) -> String {
    match number {
        1 => noun.to_owned(),
        _ if noun.ends_with('s') => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

/// `a`, `a and b`, `a, b, c, d and 96 more`.
pub(crate) fn list(names: &[&str]) -> String {
    list_with(names, " and ")
}

/// The same, with other words before the last name: `eth0, eth1`.
pub(crate) fn list_with(names: &[&str], last_separator: &str) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] if names.len() <= NAMES_SHOWN => {
            format!("{}{last_separator}{last}", first.join(", "))
        }
        _ => {
            let (shown, rest) = names.split_at(NAMES_SHOWN);
            format!("{} and {} more", shown.join(", "), rest.len())
        }
    }
}

/// `tcpdump (pid 7)`, `tcpdump (pid 7) and 2 more processes`.
pub(crate) fn and_others(first: &str, others: usize, noun: &str) -> String {
    match others as u64 {
        0 => first.to_owned(),
        others => format!("{first} and {others} more {}", plural(others, noun)),
    }
}

/// `qemu-system-x86 (pid 4711)`.
pub(crate) fn process(owner: &Owner) -> String {
    let comm = match owner.comm.as_str() {
        "" => "a process",
        comm => comm,
    };
    format!("{comm} (pid {})", owner.pid)
}

/// `qemu-system-x86 (pid 4711) of pod shop/vm, container machine`.
pub(crate) fn process_of_pod(owner: &Owner) -> String {
    let mut text = process(owner);
    if let Some(pod) = &owner.pod {
        text.push_str(&format!(" of pod {}/{}", pod.namespace, pod.name));
        if let Some(container) = &owner.container {
            text.push_str(&format!(", container {container}"));
        }
    }
    text
}

/// `pod shop/cart-0`, `netns blue`, `net:[4026532177]`, `the node`.
pub(crate) fn namespace(namespace: &Namespace) -> String {
    let place = Subject::of_namespace(namespace).place();
    place.unwrap_or_else(|| "the node".to_owned())
}

/// `eth0` of the node, `eth0 of pod shop/cart-0`.
pub(crate) fn device(link: &Link, namespace: Option<&Namespace>) -> String {
    match Subject::of_link(link, namespace).place() {
        Some(place) => format!("{} of {place}", link.name),
        None => link.name.clone(),
    }
}

/// `on eth0`, `on eth0 of pod shop/cart-0`, `in pod shop/cart-0`, `in the node's own namespace`.
pub(crate) fn place(subject: &Subject) -> String {
    match (&subject.interface, subject.place()) {
        (Some(interface), Some(place)) => format!("on {interface} of {place}"),
        (Some(interface), None) => format!("on {interface}"),
        (None, Some(place)) => format!("in {place}"),
        (None, None) => "in the node's own namespace".to_owned(),
    }
}

/// `155 of 19400 packets (0.7 %)`; `155 packets` where nothing counts the others.
pub(crate) fn part(assessment: &Assessment, noun: &str) -> String {
    let lost = assessment.packets.unwrap_or(0);
    let Some(carried) = assessment.carried else {
        return count(lost, noun);
    };
    let all = lost.saturating_add(carried);
    let per_mille = u128::from(lost) * 1_000 / u128::from(all.max(1));
    let share = match per_mille {
        0 => "less than 0.1".to_owned(),
        1..100 if per_mille % 10 > 0 => format!("{}.{}", per_mille / 10, per_mille % 10),
        _ => (per_mille / 10).to_string(),
    };
    format!("{lost} of {} ({share} %)", count(all, noun))
}

/// ` Seen: 10.0.0.1:40000 -> 10.0.0.2:80 TCP and at least 2 more flows.`, or nothing. Samples show some of the flows, and
/// a finding names a few of these.
pub(crate) fn seen(assessment: &Assessment) -> String {
    match assessment.flows.as_slice() {
        [] => String::new(),
        [only] => format!(" Seen: {only}."),
        [first, others @ ..] => format!(
            " Seen: {first} and at least {} more {}.",
            others.len(),
            plural(others.len() as u64, "flow")
        ),
    }
}

/// ` in 35 s`; nothing where the window has no length.
pub(crate) fn within(window: &Window<'_>) -> String {
    match window.duration_ms / 1_000 {
        0 => String::new(),
        seconds => format!(" in {seconds} s"),
    }
}

/// `0x88CC`.
pub(crate) fn ethertype(number: u16) -> String {
    format!("0x{number:04X}")
}

/// Lines with the most frequent flows of the sampled packets.
pub(crate) fn flows(
    window: &Window<'_>,
    tally: &Tally,
) -> impl Iterator<Item = (&'static str, String)> {
    let flows = frequent_flows(tally.samples(window), FLOWS_SHOWN);
    flows.into_iter().map(|flow| ("Flow", flow.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NODE, POD, link, node_namespace, owner, pod_namespace};

    #[test]
    fn a_part_is_told_of_the_whole_where_it_is_known() {
        let part = |lost, carried| part(&Assessment::loss(lost, carried), "packet");
        assert_eq!(part(155, None), "155 packets");
        assert_eq!(part(155, Some(19_245)), "155 of 19400 packets (0.7 %)");
        assert_eq!(
            part(2, Some(90_209)),
            "2 of 90211 packets (less than 0.1 %)"
        );
        assert_eq!(part(1, Some(9)), "1 of 10 packets (10 %)");
        assert_eq!(part(1, Some(0)), "1 of 1 packet (100 %)");
        assert_eq!(part(0, Some(0)), "0 of 0 packets (less than 0.1 %)");
    }

    #[test]
    fn the_first_flow_stands_for_the_others() {
        let seen = |flows: &[&str]| {
            let flows = flows.iter().map(|flow| (*flow).to_owned()).collect();
            seen(&Assessment::none().with_flows(flows))
        };
        assert_eq!(seen(&[]), "");
        assert_eq!(seen(&["a -> b TCP"]), " Seen: a -> b TCP.");
        assert_eq!(seen(&["a", "b"]), " Seen: a and at least 1 more flow.");
        assert_eq!(
            seen(&["a", "b", "c"]),
            " Seen: a and at least 2 more flows."
        );
    }

    #[test]
    fn numbers_have_their_nouns() {
        assert_eq!(count(1, "packet"), "1 packet");
        assert_eq!(count(0, "packet"), "0 packets");
        assert_eq!(and_others("a (pid 1)", 0, "process"), "a (pid 1)");
        assert_eq!(
            and_others("a (pid 1)", 1, "process"),
            "a (pid 1) and 1 more process"
        );
        assert_eq!(
            and_others("a (pid 1)", 2, "process"),
            "a (pid 1) and 2 more processes"
        );
    }

    #[test]
    fn a_long_list_is_counted_from_the_fifth_on() {
        let names = ["a", "b", "c", "d", "e", "f"];
        let listed: Vec<String> = (0..=6).map(|most| list(&names[..most])).collect();
        assert_eq!(
            listed,
            [
                "",
                "a",
                "a and b",
                "a, b and c",
                "a, b, c and d",
                "a, b, c, d and 1 more",
                "a, b, c, d and 2 more"
            ]
        );
    }

    #[test]
    fn a_process_is_named_with_its_pod_and_container() {
        let mut qemu = owner(7, "qemu");
        assert_eq!(process_of_pod(&qemu), "qemu (pid 7)");
        qemu.pod = pod_namespace(POD, 7, "shop", "vm").pod;
        assert_eq!(process_of_pod(&qemu), "qemu (pid 7) of pod shop/vm");
        qemu.container = Some("machine".to_owned());
        assert_eq!(
            process_of_pod(&qemu),
            "qemu (pid 7) of pod shop/vm, container machine"
        );
        assert_eq!(process(&owner(7, "")), "a process (pid 7)");
    }

    #[test]
    fn a_device_is_named_with_its_place_outside_the_node() {
        let (node, pod) = (
            node_namespace(NODE),
            pod_namespace(POD, 7, "shop", "cart-0"),
        );
        let eth0 = link(POD, 2, "eth0");
        assert_eq!(device(&eth0, Some(&node)), "eth0");
        assert_eq!(device(&eth0, None), "eth0");
        assert_eq!(device(&eth0, Some(&pod)), "eth0 of pod shop/cart-0");
        let places = [
            Subject::of_link(&eth0, Some(&pod)),
            Subject::of_link(&eth0, Some(&node)),
            Subject::of_namespace(&pod),
            Subject::of_namespace(&node),
        ];
        assert_eq!(
            places.each_ref().map(place),
            [
                "on eth0 of pod shop/cart-0",
                "on eth0",
                "in pod shop/cart-0",
                "in the node's own namespace"
            ]
        );
    }
}
