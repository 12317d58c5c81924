use super::*;

/// Packets of a pod to [`FAR`] that ran out of hops where this device received this many, with the kernel's answer.
fn circling(key: DropCount, received: u64, answer: RouteAnswer) -> EvidenceWindow {
    let mut samples = to(FAR);
    for sample in &mut samples {
        sample.bytes[8] = 1;
    }
    let place = (key.netns, key.ifindex);
    let mut window = node(key, samples);
    for link in links_of(&mut window) {
        link.ipv4 = ipv4(true, 0);
        if (Some(link.netns), link.ifindex) == place {
            link.stats.rx_packets = received;
        }
    }
    answer_all(&mut window, answer);
    window
}

fn out_of(ifindex: u32) -> RouteAnswer {
    RouteAnswer::Leads {
        ifindex,
        gateway: Some(SERVER.into()),
    }
}

fn expired(netns: NetnsId, ifindex: u32) -> DropCount {
    ipv4_drops(netns, ifindex, "IP_INHDR", "ip_forward", 30)
}

#[test]
fn what_the_node_sends_back_where_it_came_from_goes_in_a_circle() {
    let outcome = judge(&circling(expired(NODE, 4), 900, out_of(4)));
    let finding = only(&outcome);
    assert!(finding.cause.is(&TTL_EXCEEDED));
    assert_eq!(harm(finding), (Harm::Outage, Severity::Warning));
    assert_eq!(finding.confidence, Confidence::Certain);
    assert!(finding.remedies.iter().all(|one| one.change.is_none()));
    let command = finding.remedies[0].command.as_deref();
    let asked = "ip -4 route get 192.0.2.7 from 10.0.0.1 iif veth2";
    assert_eq!(command, Some(asked));
}

#[test]
fn what_ends_in_a_pod_goes_in_a_circle_where_the_nodes_route_leads_there() {
    let window = circling(expired(OTHER_POD, 2), 900, out_of(4));
    let outcome = judge(&window);
    assert!(only(&outcome).cause.is(&TTL_EXCEEDED));
    assert_eq!(only(&outcome).confidence, Confidence::Certain);
    let on = judge(&circling(expired(OTHER_POD, 2), 900, out_of(2)));
    assert!(on.findings.is_empty());
}

#[test]
fn what_ends_in_a_pod_to_which_the_nodes_answer_does_not_lead_is_no_circle() {
    let bridged = |holder: [u8; 4]| {
        let mut window = circling(expired(OTHER_POD, 2), 900, out_of(4));
        let links = links_of(&mut window);
        links.push(link(NODE, 9, "br0"));
        links[3].master = Some(9);
        links[3].slave_kind = Some(LinkKind::Bridge);
        for lookup in &mut routes_of(&mut window).lookups {
            lookup.question.ingress = 9;
            lookup.answer = RouteAnswer::Leads {
                ifindex: 9,
                gateway: Some(holder.into()),
            };
        }
        judge(&window).findings.len()
    };
    assert_eq!(bridged(SERVER), 1);
    assert_eq!(bridged([10, 0, 1, 99]), 0);
}

#[test]
fn a_trace_across_a_node_with_one_device_is_no_circle() {
    let mut window = circling(expired(NODE, 4), 900, out_of(4));
    for (port, sample) in (40_000_u16..).zip(&mut drops_of(&mut window).samples) {
        let syn = [
            0, 0, 0, 179, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0,
        ];
        *sample = ipv4_sample(6, FAR, &syn);
        sample.bytes[20..22].copy_from_slice(&port.to_be_bytes());
        sample.bytes[8] = 1;
    }
    assert!(judge(&window).findings.is_empty());
    // The same segment again and again: nothing answers.
    for sample in &mut drops_of(&mut window).samples {
        sample.bytes[20..22].copy_from_slice(&[0, 80]);
    }
    assert_eq!(judge(&window).findings.len(), 1);
}

#[test]
fn a_hop_limit_that_ends_once_is_no_circle() {
    let on = judge(&circling(expired(NODE, 4), 900, out_of(2)));
    assert!(on.findings.is_empty(), "the route leads on");
    let straight = judge(&circling(expired(NODE, 4), 100, out_of(4)));
    assert!(straight.findings.is_empty(), "each came by once");
    let mut has_hops = circling(expired(NODE, 4), 900, out_of(4));
    drops_of(&mut has_hops).samples[0].bytes[8] = 9;
    assert!(judge(&has_hops).findings.is_empty());
}
