//! The kernel's drop reasons (`enum skb_drop_reason`).

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

/// A drop reason in the kernel's spelling, without the prefix `SKB_DROP_REASON_`; none where the kernel has no reasons.
/// Where kernels spell one reason in two ways, the earlier spelling.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reason(Cow<'static, str>);

/// The reasons that the code names. Each is spelt here and nowhere else.
macro_rules! reasons {
    ($($name:ident),+ $(,)?) => {
        impl Reason {
            $(
                #[doc = concat!("`SKB_DROP_REASON_", stringify!($name), "`.")]
                pub const $name: Self = Self(Cow::Borrowed(stringify!($name)));
            )+

            #[cfg(test)]
            pub(super) const ALL: &[Self] = &[$(Self::$name),+];
        }
    };
}

reasons! {
    // The kernel has no better word.
    NOT_SPECIFIED,
    // No drop.
    CONSUMED,
    NOT_DROPPED_YET,
    // Devices and their queues.
    BRIDGE_INGRESS_STP_STATE,
    CPU_BACKLOG,
    DEV_HDR,
    DEV_READY,
    FULL_RING,
    IPVLAN_MULTICAST_BACKLOG,
    LOCAL_MAC,
    MACVLAN_BROADCAST_BACKLOG,
    MAC_IEEE_MAC_CONTROL,
    MAC_INVALID_SOURCE,
    NOMEM,
    NO_TX_TARGET,
    PACKET_SOCK_ERROR,
    PFMEMALLOC,
    RECURSION_LIMIT,
    SKB_BAD_GSO,
    SKB_CSUM,
    SKB_GSO_SEG,
    SKB_UCOPY_FAULT,
    TAP_FILTER,
    TAP_TXFILTER,
    TUNNEL_TXINFO,
    UNHANDLED_PROTO,
    VXLAN_ENTRY_EXISTS,
    VXLAN_INVALID_HDR,
    VXLAN_NO_REMOTE,
    VXLAN_VNI_NOT_FOUND,
    // Queueing disciplines.
    CAKE_FLOOD,
    DUALPI2_STEP_DROP,
    FQ_BAND_LIMIT,
    FQ_FLOW_LIMIT,
    FQ_HORIZON_LIMIT,
    QDISC_BURST_DROP,
    QDISC_CONGESTED,
    QDISC_DROP,
    QDISC_MAXFLOWS,
    QDISC_OVERLIMIT,
    // Programs, rules and policies.
    BPF_CGROUP_EGRESS,
    NETFILTER_DROP,
    PSP_INPUT,
    PSP_OUTPUT,
    SECURITY_HOOK,
    SOCKET_FILTER,
    TC_CHAIN_NOTFOUND,
    TC_COOKIE_ERROR,
    TC_EGRESS,
    TC_INGRESS,
    TC_RECLASSIFY_LOOP,
    XDP,
    XFRM_POLICY,
    // IP, its fragments and its neighbours.
    ARP_PVLAN_DISABLE,
    DUP_FRAG,
    FRAG_REASM_TIMEOUT,
    FRAG_TOO_FAR,
    HDR_TRUNC,
    ICMP_CSUM,
    INVALID_PROTO,
    IPV6DISABLED,
    IPV6_BAD_EXTHDR,
    IPV6_NDISC_BAD_CODE,
    IPV6_NDISC_BAD_OPTIONS,
    IPV6_NDISC_FRAG,
    IPV6_NDISC_HOP_LIMIT,
    IPV6_NDISC_NS_OTHERHOST,
    IPV6_TOO_MANY_EXTHDRS,
    IP_CSUM,
    IP_INADDRERRORS,
    IP_INHDR,
    IP_INNOROUTES,
    IP_INVALID_DEST,
    IP_INVALID_SOURCE,
    IP_LOCALNET,
    IP_LOCAL_SOURCE,
    IP_NOPROTO,
    IP_OUTNOROUTES,
    IP_RPFILTER,
    IP_TUNNEL_ECN,
    NEIGH_CREATEFAIL,
    NEIGH_DEAD,
    NEIGH_FAILED,
    NEIGH_HH_FILLFAIL,
    NEIGH_QUEUEFULL,
    OTHERHOST,
    PKT_TOO_BIG,
    PKT_TOO_SMALL,
    UNICAST_IN_L2_MULTICAST,
    // Sockets.
    NO_SOCKET,
    PROTO_MEM,
    QUEUE_PURGE,
    SOCKET_BACKLOG,
    SOCKET_CLOSE,
    SOCKET_RCVBUFF,
    UDP_CSUM,
    UNIX_DISCONNECT,
    UNIX_SKIP_OOB,
    // TCP.
    TCP_ABORT_ON_DATA,
    TCP_ACK_UNSENT_DATA,
    TCP_AOFAILURE,
    TCP_AOKEYNOTFOUND,
    TCP_AONOTFOUND,
    TCP_AOUNEXPECTED,
    TCP_AUTH_HDR,
    TCP_CLOSE,
    TCP_CSUM,
    TCP_FASTOPEN,
    TCP_FLAGS,
    TCP_INVALID_ACK_SEQUENCE,
    TCP_INVALID_END_SEQUENCE,
    TCP_INVALID_SEQUENCE,
    TCP_INVALID_SYN,
    TCP_LISTEN_OVERFLOW,
    TCP_MD5FAILURE,
    TCP_MD5NOTFOUND,
    TCP_MD5UNEXPECTED,
    TCP_MINTTL,
    TCP_OFOMERGE,
    TCP_OFO_DROP,
    TCP_OFO_QUEUE_PRUNE,
    TCP_OLD_ACK,
    TCP_OLD_DATA,
    TCP_OLD_SEQUENCE,
    TCP_OVERWINDOW,
    TCP_RESET,
    TCP_RFC7323_PAWS,
    TCP_RFC7323_PAWS_ACK,
    TCP_RFC7323_TSECR,
    TCP_RFC7323_TW_PAWS,
    TCP_TOO_OLD_ACK,
    TCP_ZEROWINDOW,
    // A CAN bus.
    CANFD_RX_INVALID_FRAME,
    CANXL_RX_INVALID_FRAME,
    CAN_RX_INVALID_FRAME,
    // Open vSwitch.
    OVS_DROP_ACTION_ERROR,
    OVS_DROP_CONNTRACK,
    OVS_DROP_DEFERRED_LIMIT,
    OVS_DROP_EXPLICIT,
    OVS_DROP_EXPLICIT_WITH_ERROR,
    OVS_DROP_FRAG_INVALID_PROTO,
    OVS_DROP_FRAG_L2_TOO_LONG,
    OVS_DROP_IP_TTL,
    OVS_DROP_LAST_ACTION,
    OVS_DROP_METER,
    OVS_DROP_RECURSION_LIMIT,
}

/// Reasons of modules, whose names the kernel's own types do not carry: the subsystem, and its reasons from number 1 on.
/// Open vSwitch adds new ones at the end (net/openvswitch/drop.h); mac80211 does not, so its reasons stay numbers.
static OF_MODULES: &[(&str, &[Reason])] = &[(
    "OPENVSWITCH",
    &[
        Reason::OVS_DROP_LAST_ACTION,
        Reason::OVS_DROP_ACTION_ERROR,
        Reason::OVS_DROP_EXPLICIT,
        Reason::OVS_DROP_EXPLICIT_WITH_ERROR,
        Reason::OVS_DROP_METER,
        Reason::OVS_DROP_RECURSION_LIMIT,
        Reason::OVS_DROP_DEFERRED_LIMIT,
        Reason::OVS_DROP_FRAG_L2_TOO_LONG,
        Reason::OVS_DROP_FRAG_INVALID_PROTO,
        Reason::OVS_DROP_CONNTRACK,
        Reason::OVS_DROP_IP_TTL,
    ],
)];

/// Spellings of later kernels for what earlier ones had a name for. Queueing disciplines have an enum of their own in 7.2
/// and later (`enum qdisc_drop_reason`).
static LATER_SPELLINGS: &[(&str, Reason)] = &[
    ("QDISC_DROP_UNSPEC", Reason::QDISC_DROP),
    ("QDISC_DROP_GENERIC", Reason::QDISC_DROP),
    ("QDISC_DROP_OVERLIMIT", Reason::QDISC_OVERLIMIT),
    ("QDISC_DROP_CONGESTED", Reason::QDISC_CONGESTED),
    ("QDISC_DROP_MAXFLOWS", Reason::QDISC_MAXFLOWS),
    ("QDISC_DROP_FLOOD_PROTECTION", Reason::CAKE_FLOOD),
    ("QDISC_DROP_BAND_LIMIT", Reason::FQ_BAND_LIMIT),
    ("QDISC_DROP_HORIZON_LIMIT", Reason::FQ_HORIZON_LIMIT),
    ("QDISC_DROP_FLOW_LIMIT", Reason::FQ_FLOW_LIMIT),
    ("QDISC_DROP_L4S_STEP_NON_ECN", Reason::DUALPI2_STEP_DROP),
];

impl Reason {
    /// The kernel has no reasons, as all before 5.17.
    pub const ABSENT: Self = Self(Cow::Borrowed(""));

    /// A reason of a module, by the name of its subsystem (`enum skb_drop_reason_subsys`) and its number there: as
    /// `MAC80211_UNUSABLE:3` where its name is not known.
    pub fn of_module(subsystem: &str, number: u32) -> Self {
        let mut modules = OF_MODULES.iter();
        let reasons = modules.find(|(name, _)| *name == subsystem);
        let index = number
            .checked_sub(1)
            .and_then(|index| index.try_into().ok());
        let known = reasons.zip(index).and_then(|((_, reasons), index)| {
            let index: usize = index;
            reasons.get(index)
        });
        match known {
            Some(reason) => reason.clone(),
            None => format!("{subsystem}:{number}").into(),
        }
    }

    /// The kernel has no reasons.
    pub fn is_absent(&self) -> bool {
        *self == Self::ABSENT
    }

    /// The kernel has reasons, and none for this drop.
    pub fn is_unspecified(&self) -> bool {
        *self == Self::NOT_SPECIFIED
    }

    /// The kernel does not name why: it has no reasons, or none for this drop.
    pub fn is_unnamed(&self) -> bool {
        self.is_absent() || self.is_unspecified()
    }

    /// No drop: the packet went its way.
    pub fn is_consumed(&self) -> bool {
        [Self::CONSUMED, Self::NOT_DROPPED_YET].contains(self)
    }

    /// The reason in the kernel's spelling, where the kernel has reasons.
    pub fn named(&self) -> Option<&str> {
        (!self.is_absent()).then_some(self.as_str())
    }

    /// The reason in the kernel's spelling; empty where the kernel has no reasons.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Reason {
    fn from(spelling: String) -> Self {
        let mut later = LATER_SPELLINGS.iter();
        match later.find(|(later, _)| *later == spelling) {
            Some((_, reason)) => reason.clone(),
            None => Self(Cow::Owned(spelling)),
        }
    }
}

impl From<&str> for Reason {
    fn from(spelling: &str) -> Self {
        spelling.to_owned().into()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn what_the_kernel_does_not_name_is_told_apart() {
        let told = |reason: &str| {
            let reason = Reason::from(reason);
            (
                reason.is_absent(),
                reason.is_unspecified(),
                reason.is_unnamed(),
            )
        };
        assert_eq!(told(""), (true, false, true));
        assert_eq!(told("NOT_SPECIFIED"), (false, true, true));
        assert_eq!(told("NO_SOCKET"), (false, false, false));
        assert_eq!(Reason::default(), Reason::ABSENT);
    }

    #[test]
    fn two_spellings_are_one_reason() {
        assert_eq!(Reason::from("QDISC_DROP_GENERIC"), Reason::QDISC_DROP);
        assert_eq!(Reason::from("QDISC_DROP"), Reason::QDISC_DROP);
    }

    #[test]
    fn a_module_s_reason_has_a_name_where_its_numbers_are_stable() {
        let reason = |number| Reason::of_module("OPENVSWITCH", number);
        assert_eq!(reason(1), Reason::OVS_DROP_LAST_ACTION);
        assert_eq!(reason(11), Reason::OVS_DROP_IP_TTL);
        assert_eq!(reason(0).as_str(), "OPENVSWITCH:0");
        assert_eq!(reason(12).as_str(), "OPENVSWITCH:12");
        let other = Reason::of_module("MAC80211_UNUSABLE", 1);
        assert_eq!(other.as_str(), "MAC80211_UNUSABLE:1");
    }

    #[test]
    fn a_reason_is_recorded_as_its_spelling() {
        let json = serde_json::to_string(&Reason::NO_SOCKET).unwrap();
        assert_eq!(json, "\"NO_SOCKET\"");
        assert_eq!(
            serde_json::from_str::<Reason>(&json).unwrap(),
            Reason::NO_SOCKET
        );
    }
}
