use netdiag_diagnosis::evidence::NetnsId;

use super::*;

const COOKIE: u64 = 7;
const NAMESPACE: u32 = 100;

fn key(net: u64, ifindex: u32, kind: u32) -> GroKey {
    GroKey {
        net,
        inum: NAMESPACE,
        ifindex,
        kind,
        ..GroKey::default()
    }
}

fn counts(counted: &[GroKey]) -> Vec<(u32, GroKind)> {
    let namespaces = [Namespace {
        id: NetnsId(NAMESPACE),
        cookie: Some(COOKIE),
        ..Namespace::default()
    }];
    let links = [2, 3].map(|ifindex| Link {
        netns: NetnsId(NAMESPACE),
        ifindex,
        ..Link::default()
    });
    let each = GroCounts {
        offered: 5,
        merged: 4,
        held: 1,
    };
    let counted: Vec<_> = counted.iter().map(|key| (*key, each)).collect();
    on_devices(&counted, &namespaces, &links, true)
        .into_iter()
        .inspect(|count| assert_eq!((count.offered, count.merged, count.held), (5, 4, 1)))
        .map(|count| (count.ifindex, count.kind))
        .collect()
}

#[test]
fn counts_are_told_of_devices_that_the_node_has() {
    let counted = [
        key(COOKIE, 3, kind::INLINE),
        key(COOKIE, 2, kind::ENCAPSULATED),
        key(COOKIE, 2, kind::PLAIN_TCP),
    ];
    assert_eq!(
        counts(&counted),
        [
            (2, GroKind::PlainTcp),
            (2, GroKind::SegmentRoutingEncapsulated),
            (3, GroKind::SegmentRoutingInline)
        ]
    );
}

#[test]
fn another_namespace_s_counts_are_left_out() {
    let counted = [
        key(COOKIE + 1, 2, kind::INLINE),
        key(COOKIE, 9, kind::INLINE),
    ];
    assert_eq!(counts(&counted), []);
}
