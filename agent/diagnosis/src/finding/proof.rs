//! A fact that supports a finding.

/// One fact that supports a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The name of the fact, readable on its own: `UNHANDLED_PROTO at __netif_receive_skb_core, dev bond0`.
    pub name: String,
    /// The value as text.
    pub value: String,
    /// Its unit (`frames`, `bytes`); empty for none.
    pub unit: &'static str,
    /// The place that it was read from: `kfree_skb`, `netlink`, `/proc/net/ptype`.
    pub source: String,
}

impl Proof {
    /// A fact with its value and source.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "values are numbers and fresh strings; a reference at each call would only be noise"
    )]
    pub fn new(
        name: impl Into<String>,
        value: impl ToString,
        unit: &'static str,
        source: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            value: value.to_string(),
            unit,
            source: source.into(),
        }
    }
}
