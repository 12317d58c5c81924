//! The kinds of network devices.

use std::fmt;

use serde::{
    Deserialize, Serialize,
    de::{IntoDeserializer, value},
};

/// The kind of a device (IFLA_INFO_KIND) or of its master (IFLA_INFO_SLAVE_KIND), serialised in the kernel's spelling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the kernel's own names")]
pub enum LinkKind {
    Bond,
    Bridge,
    Dummy,
    Erspan,
    Geneve,
    Gre,
    GreTap,
    Ip6Gre,
    Ip6Tnl,
    IpIp,
    IpVlan,
    IpVtap,
    MacSec,
    MacVlan,
    MacVtap,
    NetKit,
    OpenVSwitch,
    Sit,
    Team,
    Tun,
    Veth,
    Vlan,
    Vrf,
    Vxlan,
    /// A kind that no check has to know.
    #[serde(untagged)]
    Other(String),
}

impl From<&str> for LinkKind {
    fn from(kind: &str) -> Self {
        let known = Self::deserialize(IntoDeserializer::<value::Error>::into_deserializer(kind));
        known.unwrap_or_else(|_| Self::Other(kind.to_owned()))
    }
}

impl fmt::Display for LinkKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_written_as_it_was_read() {
        for (text, kind) in [
            ("openvswitch", LinkKind::OpenVSwitch),
            ("ip6tnl", LinkKind::Ip6Tnl),
            ("ifb", LinkKind::Other("ifb".to_owned())),
            ("Veth", LinkKind::Other("Veth".to_owned())),
            ("", LinkKind::Other(String::new())),
        ] {
            assert_eq!(LinkKind::from(text), kind);
            assert_eq!(kind.to_string(), text);
            let json = serde_json::to_value(&kind).expect("a string");
            assert_eq!(json, text);
            assert_eq!(
                serde_json::from_value::<LinkKind>(json).expect("a kind"),
                kind
            );
        }
    }
}
