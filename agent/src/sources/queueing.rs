//! Queueing disciplines of the node's own devices, by RTM_GETQDISC. The kernel answers for the reader's own namespace only
//! (`tc_dump_qdisc`), so that those of pods stay unread.

use std::{collections::HashMap, io};

use netdiag_diagnosis::{
    evidence::{Link, NetnsId, QueueingDiscipline},
    text::printable_up_to,
};

use super::{
    attributes::{Attribute, array, attributes, push},
    route_netlink::RouteSocket,
};
use crate::bounded::Overflows;

/// The most disciplines of a node. A NIC has one for each of its queues.
const MOST: usize = 8_192;
/// IFNAMSIZ, which bounds a kind.
const LONGEST_KIND: usize = 16;

/// `struct tcmsg`.
const TCMSG: usize = 20;
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_STATS2: u16 = 7;
const TCA_STATS_QUEUE: u16 = 3;
/// Asks for the disciplines too that the kernel made below others.
const TCA_DUMP_INVISIBLE: u16 = 10;

/// Adds the disciplines to the links of this namespace, which is the reader's own. Where they are more than fit, links
/// whose disciplines were not read whole get none.
///
/// # Errors
/// The error that the kernel answered with.
pub(super) fn fill(
    route: &RouteSocket,
    links: &mut [Link],
    own: NetnsId,
    overflows: &mut Overflows,
) -> io::Result<()> {
    let mut body = vec![0; TCMSG];
    push(&mut body, TCA_DUMP_INVISIBLE, &[]);
    let bound = (MOST, "queueing disciplines of the node");
    let (found, _) = route.dump(
        libc::RTM_GETQDISC,
        &body,
        bound,
        |(message_type, message)| (message_type == libc::RTM_NEWQDISC).then(|| parse(message))?,
    )?;
    let is_whole = found.is_whole();
    let mut by_link: HashMap<u32, Vec<QueueingDiscipline>> = HashMap::new();
    let mut last = None;
    for (ifindex, discipline) in found.noted(overflows) {
        last = Some(ifindex);
        by_link.entry(ifindex).or_default().push(discipline);
    }
    // The kernel tells them device by device.
    if let Some(last) = last.filter(|_| !is_whole) {
        by_link.remove(&last);
    }
    for link in links.iter_mut().filter(|link| link.netns == own) {
        let read = by_link.remove(&link.ifindex);
        link.disciplines = read.or_else(|| is_whole.then(Vec::new));
    }
    Ok(())
}

/// The disciplines as of the end, with the drops of the same ones before.
pub(super) fn merge(before: Option<&[QueueingDiscipline]>, after: &mut [QueueingDiscipline]) {
    for discipline in after {
        let mut earlier = before.into_iter().flatten();
        let same = earlier.find(|earlier| {
            earlier.kind == discipline.kind
                && earlier.handle == discipline.handle
                && earlier.parent == discipline.parent
                && earlier.drops <= discipline.drops
        });
        discipline.drops_before = same.map(|earlier| earlier.drops);
    }
}

fn parse(message: &[u8]) -> Option<(u32, QueueingDiscipline)> {
    let number = |at| array(message, at).map(u32::from_ne_bytes);
    let mut discipline = QueueingDiscipline {
        handle: number(8)?,
        parent: number(12)?,
        ..QueueingDiscipline::default()
    };
    let mut options = None;
    for attribute in attributes(message.get(TCMSG..)?) {
        match attribute.kind {
            TCA_KIND => discipline.kind = printable_up_to(&attribute.text(), LONGEST_KIND),
            TCA_OPTIONS => options = attribute.u32(),
            TCA_STATS2 => discipline.drops = drops(&attribute).unwrap_or_default(),
            _ => {}
        }
    }
    if discipline.kind == "pfifo" {
        discipline.limit = options;
    }
    Some((number(4)?, discipline))
}

/// `drops` of `struct gnet_stats_queue`: behind the length and the backlog.
fn drops(statistics: &Attribute<'_>) -> Option<u32> {
    let mut nested = statistics.nested();
    let queue = nested.find(|attribute| attribute.kind == TCA_STATS_QUEUE)?;
    array(queue.value, 8).map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: &str, limit: u32, drops: u32) -> Vec<u8> {
        let mut bytes = vec![0; 4];
        for number in [7_u32, 0x8001_0000, u32::MAX, 2] {
            bytes.extend(number.to_ne_bytes());
        }
        push(&mut bytes, TCA_KIND, format!("{kind}\0").as_bytes());
        push(&mut bytes, TCA_OPTIONS, &limit.to_ne_bytes());
        let mut queue = Vec::new();
        let numbers = [1_u32, 100, drops, 3, 4].map(u32::to_ne_bytes);
        push(&mut queue, TCA_STATS_QUEUE, numbers.as_flattened());
        push(&mut bytes, TCA_STATS2, &queue);
        bytes
    }

    #[test]
    fn kind_limit_and_drops_are_read() {
        let (ifindex, read) = parse(&message("pfifo", 5, 12)).expect("a discipline");
        assert_eq!((ifindex, read.kind.as_str()), (7, "pfifo"));
        assert_eq!((read.limit, read.drops), (Some(5), 12));
        assert!(read.is_root());
        let (_, other) = parse(&message("netem", 5, 12)).expect("a discipline");
        assert_eq!(other.limit, None);
        assert_eq!(parse(&[0; 19]), None);
    }

    #[test]
    fn drops_are_counted_from_those_of_the_same_discipline() {
        let read = |kind, drops| parse(&message(kind, 5, drops)).expect("a discipline").1;
        let increase = |before: &[QueueingDiscipline], after| {
            let mut after = [after];
            merge(Some(before), &mut after);
            after[0].increase()
        };
        assert_eq!(increase(&[read("pfifo", 4)], read("pfifo", 12)), 8);
        assert_eq!(increase(&[read("netem", 4)], read("pfifo", 12)), 12);
        assert_eq!(increase(&[read("pfifo", 40)], read("pfifo", 12)), 12);
        assert_eq!(increase(&[], read("pfifo", 12)), 12);
    }
}
