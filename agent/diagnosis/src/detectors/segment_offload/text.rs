//! The words about inline segment routing headers: what they cost, and what they make the kernel drop.

use super::judge::{BadSuperFrames, Share, Unmerged};
use crate::{
    Window,
    detectors::kit::{proof, say},
    finding::{Acts, Assessment, Proof, Remedy, Text},
    kernel::hook,
};

pub(super) fn unmerged(window: &Window<'_>, found: &Unmerged<'_>) -> Text {
    let name = &found.link.name;
    let beside = match found.beside {
        Some(beside) => format!(" (of other traffic {} %)", beside.per_cent()),
        None => String::new(),
    };
    let few = if found.inline.joined == 0 {
        "none"
    } else {
        "hardly any"
    };
    Text {
        headline: format!(
            "{name} joins {few} of {} with an inline segment routing header{beside}",
            say::count(found.inline.offered, "packet")
        ),
        what: format!(
            "Generic receive offload (GRO) joins TCP segments of a flow before the stack handles them, if their \
             checksums are right. It checks them against the destination in the IPv6 header. On the way that is \
             the next segment of the route, while the sender computed the checksum for the last one, so that every \
             segment looks wrong to GRO and goes up the stack as a packet of its own. The stack handles the routing \
             header before TCP looks, and then the checksum is right. This is so on Linux {}.",
            window.node.kernel
        ),
        hurts: format!(
            "TCP behind such a header is slower than it must be on {name}, and nothing is lost: each of {} costs the CPU \
             as much as many joined ones.",
            say::count(found.tally.count, "segment")
        ),
    }
}

pub(super) fn unmerged_proofs(window: &Window<'_>, found: &Unmerged<'_>) -> Vec<Proof> {
    let link = found.link;
    let share = |what: &str, share: Share| {
        let joined = format!("{} of {}", share.joined, share.offered);
        let what = format!("{what} joined or kept to be joined on {}", link.name);
        Proof::new(what, joined, "packets", hook::NAPI_GRO_RECEIVE)
    };
    let inline = share("TCP behind an inline segment routing header,", found.inline);
    let mut proofs = vec![inline];
    if let Some(beside) = found.beside {
        proofs.push(share("other TCP and encapsulated packets,", beside));
    }
    if let Some(is_on) = link.receive_offload {
        let value = if is_on { "on" } else { "off" };
        let what = "generic-receive-offload";
        proofs.push(proof::setting(link, what, value, "", "net_device.features"));
    }
    proofs.push(proof::kernel(window));
    proofs
}

pub(super) fn unmerged_remedies() -> Vec<Remedy> {
    vec![
        encapsulate(),
        Remedy::advice("Or leave it, if the CPUs that serve the interface have time left."),
    ]
}

pub(super) fn super_frames(
    window: &Window<'_>,
    found: &BadSuperFrames<'_>,
    assessment: &Assessment,
) -> Text {
    let name = &found.link.name;
    Text {
        headline: format!(
            "{name} drops TCP super-frames with an inline segment routing header: {} lost on the way out",
            say::count(found.tally.count, "packet")
        ),
        what: format!(
            "TCP hands over super-frames that are segmented at the device. Of each one the kernel reads the length \
             of the TCP header, where it notes that header to be; for inline segment routing that is the routing \
             header itself (seg6_do_srh). So it reads a byte of the last segment's address, the fifth, and drops \
             the frame as malformed when that is below 0x50. Linux {} does so; before the check came, in stable \
             releases of 2026, the wrong length did no harm.",
            window.node.kernel
        ),
        hurts: format!(
            "Bulk transfers behind such a header stall: {} lost{}, because super-frames are dropped each time. \
             Connections open and small transfers pass, because single segments do.{}",
            say::part(assessment, "packet"),
            say::within(window),
            say::seen(assessment)
        ),
    }
}

pub(super) fn super_frame_proofs(window: &Window<'_>, found: &BadSuperFrames<'_>) -> Vec<Proof> {
    let link = found.link;
    let samples = found.tally.samples(window);
    let (count, longest) = samples.fold((0_u64, 0), |(count, longest), sample| {
        (count + 1, sample.length.max(longest))
    });
    let sampled = "sampled frames with TCP behind an inline segment routing header";
    let longest_sampled = format!(
        "longest sampled frame; the MTU of {} is {}",
        link.name, link.mtu
    );
    let mut proofs = proof::drops(window, &found.tally);
    proofs.extend([
        proof::of_drop(sampled, count),
        Proof::new(longest_sampled, longest, "bytes", hook::KFREE_SKB),
        proof::link_rose(link, "tx_dropped", link.increase(|stats| stats.tx_dropped)),
        proof::kernel(window),
    ]);
    proofs
}

pub(super) fn super_frame_remedies(found: &BadSuperFrames<'_>) -> Vec<Remedy> {
    vec![single_segments(found), encapsulate()]
}

fn single_segments(found: &BadSuperFrames<'_>) -> Remedy {
    let name = found.link.name.as_str();
    let set = |segments: u32| {
        let segments = segments.to_string();
        let words = ["ip", "link", "set", "dev", name, "gso_max_segs", &segments];
        let text = format!("Let {name} take single segments only.");
        Remedy::command_in(found.namespace, text, &words, &[name])
    };
    let Some(before) = found.link.gso_max_segments else {
        let words = ["ip", "-details", "link", "show", "dev", name];
        let text = "See gso_max_segs and note it; `ip link set dev DEVICE gso_max_segs 1` lets the device take single \
                    segments only.";
        return Remedy::command_in(found.namespace, text, &words, &[name]);
    };
    set(1)
        .with_effect(
            "CPU time for all traffic that leaves by it; connections that are open keep what they had, so open them \
             anew",
        )
        .undone_by(set(before))
        .acting(Acts::NextSocket)
}

/// The remedy for both: the header's other mode, which is chosen where the route is.
fn encapsulate() -> Remedy {
    Remedy::advice(
        "Where the route adds the header, let it encapsulate instead: `ip -6 route change PREFIX encap seg6 mode encap \
         segs SEGMENTS dev DEVICE`.",
    )
    .with_effect(
        "packets grow by another IPv6 header: lower the route's MTU by as much; the last segment must take the inner \
         packet out again",
    )
}
