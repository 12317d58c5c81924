//! The words about inline segment routing headers: what they cost, and what they make the kernel drop.

use super::judge::{BadSuperFrames, Share, Unmerged};
use crate::{
    Window,
    detectors::kit::{proof, say},
    finding::{Proof, Remedy, Text},
    kernel::hook,
};

pub(super) fn unmerged(window: &Window<'_>, found: &Unmerged<'_>) -> Text {
    let name = &found.link.name;
    let beside = match found.beside {
        Some(beside) => format!(", but {} % of other traffic", beside.per_cent()),
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
             segment looks wrong to GRO and goes up the stack alone. The stack handles the routing header before \
             TCP looks, and then the checksum is right. So it is on Linux {}.",
            window.node.kernel
        ),
        hurts: "Nothing is lost. Each segment costs the CPU that serves the interface what many together cost \
                elsewhere, which limits how fast such flows can be."
            .to_owned(),
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

pub(super) fn super_frames(window: &Window<'_>, found: &BadSuperFrames<'_>) -> Text {
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
        hurts: "Connections come about and small transfers pass, because single segments do. Once TCP sends more at \
                a time its data is lost, again and again, and the transfer stalls."
            .to_owned(),
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
    let name = found.link.name.as_str();
    let words = ["ip", "link", "set", "dev", name, "gso_max_segs", "1"];
    let text = format!("Let {name} take only single segments.");
    let single = Remedy::command_in(found.namespace, text, &words, &[name]).with_effect(
        "Costs CPU time for all traffic that leaves by it. Connections that are open keep what they had: open them \
         anew.",
    );
    vec![single, encapsulate()]
}

/// The remedy for both: the header's other mode, which is chosen where the route is.
fn encapsulate() -> Remedy {
    Remedy::advice(
        "Where the route adds the header, let it encapsulate instead: `ip -6 route change PREFIX encap seg6 mode encap \
         segs SEGMENTS dev DEVICE`.",
    )
    .with_effect(
        "Packets grow by another IPv6 header: lower the route's MTU by as much. The last segment must take the inner \
         packet out again.",
    )
}
