use super::*;

/// Packets of a pod to [`FAR`] that found no way on, with the kernel's answer.
fn unrouted(answer: RouteAnswer) -> EvidenceWindow {
    let key = ipv4_drops(NODE, 3, "NOT_SPECIFIED", "ip_error", 30);
    let mut window = node(key, to(FAR));
    for link in links_of(&mut window) {
        link.ipv4 = ipv4(true, 0);
    }
    answer_all(&mut window, answer);
    assert_eq!(routes_of(&mut window).lookups.len(), 1);
    window
}

fn route(prefix: [u8; 4], length: u8, refusal: Option<Refusal>) -> RouteEntry {
    RouteEntry {
        prefix: prefix.into(),
        length,
        refusal,
        table: 254,
        metric: 0,
        protocol: 3,
        gateway: None,
        ifindex: 0,
        is_onlink: false,
        is_plain: true,
    }
}

const BLACKHOLE: RouteAnswer = RouteAnswer::Refused {
    by: Refusal::Blackhole,
};

/// Packets that a route refuses; the default route would lead out of eth0.
fn blackholed() -> EvidenceWindow {
    let mut window = unrouted(BLACKHOLE);
    let default = RouteEntry {
        ifindex: 2,
        gateway: Some([10, 0, 9, 1].into()),
        ..route([0; 4], 0, None)
    };
    routes_of(&mut window).covering = vec![
        default,
        route([192, 0, 2, 0], 24, Some(Refusal::Blackhole)),
        route([192, 0, 0, 0], 8, Some(Refusal::Blackhole)),
    ];
    window
}

const OUT: (Harm, Severity) = (Harm::Outage, Severity::Critical);
const NOT_KNOWN: (Harm, Severity) = (Harm::Unknown, Severity::Info);

#[test]
fn a_missing_route_is_the_kernels_answer_at_the_windows_end() {
    let missing = judge(&unrouted(RouteAnswer::NoRoute));
    let finding = only(&missing);
    assert!(finding.cause.is(&NO_ROUTE));
    assert_eq!(harm(finding), OUT);
    assert_eq!(
        finding.remedies[0].command.as_deref(),
        Some("ip -4 route get 192.0.2.7 from 10.0.0.1 iif veth1")
    );
    assert_eq!(finding.remedies[0].change, None);
    let by_now = judge(&unrouted(RouteAnswer::Leads {
        ifindex: 2,
        gateway: None,
    }));
    assert!(by_now.findings.is_empty(), "a route leads there by now");
}

#[test]
fn a_route_that_was_deleted_within_the_window_is_added_again() {
    let mut window = unrouted(RouteAnswer::NoRoute);
    let removed = RouteEntry {
        ifindex: 2,
        gateway: Some([10, 0, 9, 1].into()),
        metric: 7,
        ..route([192, 0, 2, 0], 24, None)
    };
    routes_of(&mut window).removed = vec![removed];
    // The kernel itself deletes what leads out of a device that is down.
    assert_eq!(only(&judge(&window)).remedies[0].change, None);
    links_of(&mut window)[1].requested_flags = IFF_UP;
    assert_eq!(
        commands(only(&judge(&window))),
        (
            "ip -4 route add 192.0.2.0/24 via 10.0.9.1 dev eth0 metric 7",
            "ip -4 route del 192.0.2.0/24 via 10.0.9.1 dev eth0 metric 7"
        )
    );
    let change = |alter: fn(&mut RouteEntry)| {
        let mut altered = window.clone();
        alter(&mut routes_of(&mut altered).removed[0]);
        only(&judge(&altered)).remedies[0].change.is_some()
    };
    assert!(!change(|route| route.protocol = 9), "announced by a router");
    assert!(!change(|route| route.table = 7), "a table for others");
    routes_of(&mut window).removed[0].is_plain = false;
    assert_eq!(only(&judge(&window)).remedies[0].change, None);
}

#[test]
fn a_default_route_in_some_table_is_not_said_to_be_missing() {
    let mut window = unrouted(RouteAnswer::NoRoute);
    let said = |window: &EvidenceWindow| only(&judge(window)).text.what.clone();
    assert!(said(&window).contains("not even a default route"));
    routes_of(&mut window).covering = vec![route([0; 4], 0, None)];
    assert!(!said(&window).contains("default"));
    assert_eq!(harm(only(&judge(&window))), OUT, "another table's");
    routes_of(&mut window).rules = vec![RoutingRule {
        is_ipv6: false,
        priority: 90,
        refusal: Some(Refusal::Unreachable),
        goes_by_more: false,
    }];
    assert!(said(&window).contains("may be what refuses"));
    assert_eq!(harm(only(&judge(&window))), NOT_KNOWN);
}

#[test]
fn every_destination_is_named_and_one_that_is_missed_was_tried() {
    let mut window = unrouted(RouteAnswer::NoRoute);
    links_of(&mut window)[2].kind = Some(LinkKind::Vlan);
    window.namespaces[1].addresses.clear();
    let mut once = to([192, 0, 2, 8]);
    once.truncate(1);
    drops_of(&mut window).samples.append(&mut once);
    let mut other = routes_of(&mut window).lookups[0].clone();
    other.question.destination = [192, 0, 2, 8].into();
    routes_of(&mut window).lookups.push(other);
    // Only the one that was sent a single packet is a pod's.
    window.namespaces[2].addresses = vec![address(2, [192, 0, 2, 8])];
    let outcome = judge(&window);
    let headline = &only(&outcome).text.headline;
    assert!(
        headline.starts_with("No route leads to 192.0.2.7 and 192.0.2.8: "),
        "{headline}"
    );
    assert_eq!(harm(only(&outcome)), NOT_KNOWN);
    window.namespaces[2].addresses = vec![address(2, FAR)];
    assert_eq!(harm(only(&judge(&window))), OUT);
}

#[test]
fn the_route_that_refuses_is_the_one_with_the_longest_prefix() {
    let window = blackholed();
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert!(finding.cause.is(&BLACKHOLE_ROUTE));
    assert_eq!(harm(finding), OUT);
    let headline = &finding.text.headline;
    assert!(headline.contains("192.0.2.0/24 refused"), "{headline}");
}

#[test]
fn a_route_that_refuses_is_deleted_only_where_another_leads_on() {
    let mut window = blackholed();
    // The next one refuses as well.
    assert_eq!(only(&judge(&window)).remedies[0].change, None);
    routes_of(&mut window).covering.pop();
    assert_eq!(
        commands(only(&judge(&window))),
        (
            "ip -4 route del blackhole 192.0.2.0/24",
            "ip -4 route add blackhole 192.0.2.0/24"
        )
    );
}

#[test]
fn what_is_left_of_a_plugins_block_or_of_pods_prefix_is_no_outage() {
    let mut window = blackholed();
    routes_of(&mut window).covering[1].protocol = 80;
    let outcome = judge(&window);
    assert_eq!(harm(only(&outcome)), NOT_KNOWN);
    assert_eq!(only(&outcome).remedies[0].change, None);
    // systemd-networkd refuses what is left of a prefix that it was given.
    routes_of(&mut window).covering[1].protocol = 16;
    assert_eq!(harm(only(&judge(&window))), NOT_KNOWN);
    let mut block = blackholed();
    routes_of(&mut block).covering.pop();
    block.namespaces[2].addresses = vec![address(2, [192, 0, 2, 9])];
    assert_eq!(harm(only(&judge(&block))), NOT_KNOWN);
    // What is for the pods would leave by the default route.
    assert_eq!(only(&judge(&block)).remedies[0].change, None);
    routes_of(&mut block).covering[0].ifindex = 4;
    assert!(only(&judge(&block)).remedies[0].change.is_some());
}

#[test]
fn a_blackhole_without_its_route_or_rule_is_not_named() {
    let mut window = blackholed();
    routes_of(&mut window).covering.clear();
    assert!(judge(&window).findings.is_empty());
    routes_of(&mut window).rules = vec![RoutingRule {
        is_ipv6: false,
        priority: 90,
        refusal: Some(Refusal::Blackhole),
        goes_by_more: true,
    }];
    let outcome = judge(&window);
    let finding = only(&outcome);
    assert!(finding.cause.is(&NO_ROUTE));
    assert_eq!(finding.confidence, Confidence::Likely);
    assert!(finding.assessment.is_decision());
    assert_eq!(
        finding.remedies[0].command.as_deref(),
        Some("ip -4 rule show")
    );
}

#[test]
fn a_longer_route_that_leads_on_hides_one_that_refuses() {
    let mut window = blackholed();
    let longer = route([192, 0, 2, 7], 32, None);
    routes_of(&mut window).covering.push(longer);
    assert!(judge(&window).findings.is_empty());
}

#[test]
fn packets_with_different_answers_are_left_to_the_kernels_words() {
    let mut window = unrouted(RouteAnswer::NoRoute);
    let mut other = to(SERVER);
    drops_of(&mut window).samples.append(&mut other);
    let questions = route_questions(&window).of_node;
    routes_of(&mut window).lookups = questions
        .into_iter()
        .map(|question| RouteLookup {
            question,
            answer: match question.destination == std::net::IpAddr::from(FAR) {
                true => RouteAnswer::NoRoute,
                false => RouteAnswer::Leads {
                    ifindex: 4,
                    gateway: None,
                },
            },
        })
        .collect();
    assert!(judge(&window).findings.is_empty());
}

#[test]
fn who_is_none_of_ours_is_not_said_to_miss_a_route() {
    let mut window = unrouted(RouteAnswer::NoRoute);
    links_of(&mut window)[2].kind = Some(LinkKind::Vlan);
    window.namespaces[1].addresses.clear();
    assert_eq!(harm(only(&judge(&window))), NOT_KNOWN);
    // A pod here is the receiver.
    window.namespaces[2].addresses = vec![address(2, FAR)];
    assert_eq!(harm(only(&judge(&window))), OUT);
    // It has gone.
    let gone = links_of(&mut window).pop().expect("its eth0");
    window.ended_links = vec![gone];
    assert!(judge(&window).findings.is_empty());
}

#[test]
fn a_packet_or_two_and_a_scan_tell_of_nobody_who_needs_the_way() {
    let mut few = unrouted(RouteAnswer::NoRoute);
    drops_of(&mut few).counts[0].count = 2;
    drops_of(&mut few).samples.truncate(2);
    assert_eq!(harm(only(&judge(&few))), NOT_KNOWN);
    let mut unseen = unrouted(RouteAnswer::NoRoute);
    drops_of(&mut unseen).samples.clear();
    assert_eq!(
        harm(only(&judge(&unseen))),
        OUT,
        "no milder without a sample"
    );
}

#[test]
fn a_host_that_forwards_nothing_lacks_no_route() {
    let mut window = unrouted(RouteAnswer::NoRoute);
    links_of(&mut window)[2].ipv4 = ipv4(false, 0);
    let outcome = judge(&window);
    let found = outcome.findings.iter();
    assert_eq!(found.filter(|one| one.cause.is(&NO_ROUTE)).count(), 0);
}

#[test]
fn before_reasons_the_counter_tells_whether_the_samples_show_all() {
    let refused = |no_routes: u64| {
        let mut window = blackholed();
        drops_of(&mut window).counts[0].reason = "".into();
        let counters = &mut window.namespaces[0].counters;
        counters.insert("IpExt.InNoRoutes".to_owned(), no_routes);
        judge(&window).findings.len()
    };
    assert_eq!(refused(0), 1);
    assert_eq!(refused(12), 0, "another 12 had no route");
}
