//! Names of IP's protocol numbers and IPv6's next headers (IANA's "Assigned Internet Protocol Numbers").

/// The protocol's name, or its number where netdiag has no name for it.
pub(crate) fn name(number: u8) -> String {
    let name = match number {
        0 => "IPv6 hop-by-hop options",
        1 => "ICMP",
        2 => "IGMP",
        4 => "IPv4 in IP",
        6 => "TCP",
        17 => "UDP",
        41 => "IPv6 in IP",
        43 => "IPv6 routing header",
        44 => "IPv6 fragment header",
        47 => "GRE",
        50 => "ESP",
        51 => "AH",
        58 => "ICMPv6",
        60 => "IPv6 destination options",
        89 => "OSPF",
        103 => "PIM",
        115 => "L2TP",
        132 => "SCTP",
        136 => "UDP-Lite",
        137 => "MPLS in IP",
        other => return format!("IP protocol {other}"),
    };
    name.to_owned()
}
