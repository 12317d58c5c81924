//! Look-alikes of faults, of which nobody on call should be told.
//!
//! Each first proves that its stimulus arrived, by the kernel's counters or by what a program saw.

use anyhow::Result;
use netdiag_e2e::scenarios::{
    ClosedPorts, DeletedPod, EverydayNoise, GoneAddress, HealthyPods, HopLimits, Lost, Noise,
    RareDrops, RareLoss, RefusedFlows, SingleLosses, Traced,
};

use crate::kernels::Leftover;

use super::{Harness, assert_quiet, kernel_is_since};

/// Programs in a pod and on the node poll addresses that nobody has, on their own network and through the node.
pub fn programs_that_poll_addresses_that_are_gone(harness: &Harness) -> Result<()> {
    let stage = harness.node("gone")?;
    let gone = GoneAddress::new(stage.node())?;
    let (polled, outcome) = stage.watch(4, |_| gone.poll())?;
    for one in &polled {
        assert!(one.answered == 0 && one.unreachable > 0, "{one:?}");
    }
    assert_eq!(polled.len(), 6, "{polled:?}");
    assert_quiet(&outcome);
    Ok(())
}

/// Scans of 200 ports, of the node and of a pod.
pub fn scans_of_closed_ports(harness: &Harness) -> Result<()> {
    let stage = harness.node("scan")?;
    let ports = ClosedPorts::new(stage.node())?;
    let (scanned, outcome) = stage.watch(2, |_| ports.scan())?;
    for one in &scanned {
        assert_eq!((one.asked, one.counted), (200, 200), "{one:?}");
        let is_tcp = one.scan.contains("TCP");
        assert_eq!(one.refused, if is_tcp { 200 } else { 0 }, "{one:?}");
    }
    assert_quiet(&outcome);
    Ok(())
}

/// One packet on each of several devices on which nothing else happens: a wrong checksum, no room in a socket's buffer,
/// an unknown protocol, a lost fragment.
pub fn one_lost_packet_on_each_idle_device(harness: &Harness) -> Result<()> {
    let stage = harness.node("one-lost")?;
    let losses = SingleLosses::new(stage.node())?;
    let (lost, outcome) = stage.watch(4, |_| losses.lose())?;
    let one_each = Lost {
        wrong_sum: 1,
        wrong_sum_v6: 1,
        wrong_sum_in_node: 1,
        no_room: 1,
        stray: 1,
        incomplete: 1,
    };
    assert_eq!(lost, one_each);
    assert_quiet(&outcome);
    Ok(())
}

/// Two captures that read nothing, beside pods that talk.
pub fn capture_that_nobody_reads(harness: &Harness) -> Result<()> {
    let stage = harness.node("unread")?;
    let mut pods = HealthyPods::new(stage.node())?;
    let captures = pods.start_unread_captures()?;
    let ((sent, dropped), outcome) = stage.watch(3, |_| {
        let (sent, _) = pods.talk()?;
        Ok((sent, [captures[0].dropped()?, captures[1].dropped()?]))
    })?;
    assert!(sent > 10_000_000, "{sent} bytes");
    assert!(dropped.iter().all(|count| *count > 10), "{dropped:?}");
    assert_quiet(&outcome);
    Ok(())
}

/// A pod traces the way to a host behind the node and another pod.
pub fn traceroute_through_the_node_and_a_pod(harness: &Harness) -> Result<()> {
    let stage = harness.node("traceroute")?;
    let hops = HopLimits::new(stage.node())?;
    let (traced, outcome) = stage.watch(2, |_| hops.trace())?;
    for one in traced {
        let three_each = Traced {
            probes: 3,
            ended_in_node: 3,
            ended_in_pod: 3,
            refused: 3,
        };
        assert_eq!(one, three_each);
    }
    assert_quiet(&outcome);
    Ok(())
}

/// Three datagrams for which a socket had no room, three with a wrong checksum and three frames of an unknown protocol,
/// among 300,000.
pub fn burst_of_three_drops_in_a_hundred_thousand(harness: &Harness) -> Result<()> {
    let stage = harness.node("burst")?;
    let rare = RareDrops::new(stage.node())?;
    let (made, outcome) = stage.watch(7, |_| rare.send())?;
    let RareLoss {
        read,
        no_room,
        wrong_sums,
        stray,
    } = made;
    assert!(read.iter().all(|count| *count >= 100_000), "{read:?}");
    assert_eq!((no_room, wrong_sums, stray), (3, [3; 2], 3));
    assert_quiet(&outcome);
    Ok(())
}

/// Peers go on sending for two seconds to pods that were deleted, one on a bridge and one on a wire of its own.
pub fn pods_deleted_while_their_peers_send(harness: &Harness) -> Result<()> {
    let stage = harness.node("deleted")?;
    let (pods, doomed) = DeletedPod::new(stage.node())?;
    let (survived, outcome) = stage.watch(7, |_| pods.delete(doomed))?;
    let alive = survived.received.iter().all(|count| *count > 0);
    assert!(alive, "before their end: {survived:?}");
    // On the bridge over both IP versions, in each round.
    assert!(
        survived.sent_by_client >= 2 * survived.rounds,
        "{survived:?}"
    );
    assert_quiet(&outcome);
    Ok(())
}

/// Rules drop and reject flows through the node, out of it and into a pod.
pub fn flows_refused_by_rules(harness: &Harness) -> Result<()> {
    let stage = harness.node("refused")?;
    let flows = RefusedFlows::new(stage.node())?;
    let (refused, outcome) = stage.watch(5, |_| flows.send())?;
    for one in &refused {
        assert!(one.counted >= one.sent, "{one:?}");
    }
    assert_eq!(refused.len(), 5, "{refused:?}");
    assert_quiet(&outcome);
    Ok(())
}

/// Answered pings, connects that fail, broadcasts that nobody reads, pods that start.
pub fn noise_of_every_day(harness: &Harness) -> Result<()> {
    let stage = harness.node("noise")?;
    let noise = EverydayNoise::new(stage.node())?;
    let leftover = Leftover::Because("what a device drops before it has a carrier is not booked");
    let ((made, _started), outcome) = stage.watch_leaving(leftover, 5, |_| noise.make())?;
    let Noise {
        answered,
        refused,
        ignored,
        reported,
        unsent,
        too_early,
    } = made;
    assert_eq!(answered, [20; 6]);
    assert_eq!((refused, ignored), (30, [20; 2]));
    assert!(reported > 0 && too_early > 0, "{reported}, {too_early}");
    assert!(unsent > 0 || !kernel_is_since(6, 11), "{unsent}");
    assert_quiet(&outcome);
    Ok(())
}
