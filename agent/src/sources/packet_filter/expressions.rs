//! The parts of a rule of nftables that tell what it refuses, leads to and has counted.
//!
//! Numbers are those of include/uapi/linux/netfilter/nf_tables.h, in network order.

use netdiag_diagnosis::evidence::FilterVerdict;

use crate::sources::attributes::{Attribute, array, attributes};

/// The longest comment that is kept, bytes.
const LONGEST_COMMENT: usize = 128;

/// A rule, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) handle: u64,
    pub(super) verdict: Option<Verdict>,
    /// The map that gives the verdict.
    pub(super) map: Option<String>,
    /// Packets that got the verdict: a counter stands just before it.
    pub(super) packets: Option<u64>,
    pub(super) comment: Option<String>,
}

/// A verdict that matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Refuse(FilterVerdict),
    /// Goes on in another chain.
    Enter(String),
}

/// Reads a rule out of its attributes.
pub(super) fn rule(message: &[u8]) -> Rule {
    const NFTA_RULE_HANDLE: u16 = 3;
    const NFTA_RULE_EXPRESSIONS: u16 = 4;
    const NFTA_RULE_USERDATA: u16 = 7;

    let mut rule = Rule::default();
    for attribute in attributes(message) {
        match attribute.kind {
            NFTA_RULE_HANDLE => rule.handle = be64(attribute.value).unwrap_or_default(),
            NFTA_RULE_EXPRESSIONS => {
                attribute.nested().for_each(|one| rule.add(one));
            }
            NFTA_RULE_USERDATA => {
                rule.comment = user_comment(attribute.value).or(rule.comment.take());
            }
            _ => {}
        }
    }
    rule
}

impl Rule {
    fn add(&mut self, element: Attribute<'_>) {
        const NFTA_EXPR_NAME: u16 = 1;
        const NFTA_EXPR_DATA: u16 = 2;

        let part = |kind| element.nested().find(|one| one.kind == kind);
        let name = part(NFTA_EXPR_NAME).map(|name| name.text());
        let data = part(NFTA_EXPR_DATA).map_or(&[][..], |data| data.value);
        match name.as_deref() {
            Some("counter") => self.packets = counter(data),
            Some("immediate") => self.verdict = self.verdict.take().or(immediate(data)),
            Some("reject") => self.verdict = Some(Verdict::Refuse(FilterVerdict::Reject)),
            Some("target") => self.add_target(data),
            Some("match") => self.add_match(data),
            Some("lookup") => self.add_lookup(data),
            Some("log" | "notrack") => {}
            // It may let some of the counted packets go on.
            _ => self.packets = None,
        }
    }

    /// A target of iptables (nft_compat).
    fn add_target(&mut self, data: &[u8]) {
        const NFTA_TARGET_NAME: u16 = 1;
        match text(data, NFTA_TARGET_NAME).as_deref() {
            Some("REJECT") => self.verdict = Some(Verdict::Refuse(FilterVerdict::Reject)),
            Some("DROP") => self.verdict = Some(Verdict::Refuse(FilterVerdict::Drop)),
            _ => {}
        }
    }

    /// A match of iptables (nft_compat).
    fn add_match(&mut self, data: &[u8]) {
        const NFTA_MATCH_NAME: u16 = 1;
        const NFTA_MATCH_INFO: u16 = 3;
        match text(data, NFTA_MATCH_NAME).as_deref() {
            Some("comment") => self.comment = text(data, NFTA_MATCH_INFO).as_deref().map(shortened),
            _ => self.packets = None,
        }
    }

    fn add_lookup(&mut self, data: &[u8]) {
        const NFTA_LOOKUP_SET: u16 = 1;
        const NFTA_LOOKUP_DREG: u16 = 3;
        const NFT_REG_VERDICT: u32 = 0;
        let register = attributes(data).find(|one| one.kind == NFTA_LOOKUP_DREG);
        match register.and_then(|register| be32(register.value)) {
            Some(NFT_REG_VERDICT) => self.map = text(data, NFTA_LOOKUP_SET),
            _ => self.packets = None,
        }
    }
}

fn counter(data: &[u8]) -> Option<u64> {
    const NFTA_COUNTER_PACKETS: u16 = 2;
    let packets = attributes(data).find(|one| one.kind == NFTA_COUNTER_PACKETS)?;
    be64(packets.value)
}

fn immediate(data: &[u8]) -> Option<Verdict> {
    const NFTA_IMMEDIATE_DATA: u16 = 2;
    let data = attributes(data).find(|one| one.kind == NFTA_IMMEDIATE_DATA)?;
    verdict(data)
}

/// The verdict in a `NFTA_DATA`.
pub(super) fn verdict(data: Attribute<'_>) -> Option<Verdict> {
    const NFTA_DATA_VERDICT: u16 = 2;
    const NFTA_VERDICT_CODE: u16 = 1;
    const NFTA_VERDICT_CHAIN: u16 = 2;
    const NF_DROP: u32 = 0;
    const NFT_JUMP: u32 = -3_i32 as u32;
    const NFT_GOTO: u32 = -4_i32 as u32;

    let verdict = data.nested().find(|one| one.kind == NFTA_DATA_VERDICT)?;
    let code = verdict.nested().find(|one| one.kind == NFTA_VERDICT_CODE)?;
    match be32(code.value)? {
        NF_DROP => Some(Verdict::Refuse(FilterVerdict::Drop)),
        NFT_JUMP | NFT_GOTO => text(verdict.value, NFTA_VERDICT_CHAIN).map(Verdict::Enter),
        _ => None,
    }
}

/// The comment among a rule's or an element's user data: type, length, text (libnftnl's NFTNL_UDATA_RULE_COMMENT and
/// NFTNL_UDATA_SET_ELEM_COMMENT, both 0).
pub(super) fn user_comment(mut data: &[u8]) -> Option<String> {
    while let [kind, length, rest @ ..] = data {
        let (value, next) = rest.split_at_checked(usize::from(*length))?;
        if *kind == 0 {
            let comment = Attribute { kind: 0, value }.text();
            return Some(shortened(&comment)).filter(|comment| !comment.is_empty());
        }
        data = next;
    }
    None
}

/// The text, cut to what is kept of a comment and without what no line can show.
pub(super) fn shortened(text: &str) -> String {
    let mut text = text.replace(char::is_control, "?");
    let mut end = text.len().min(LONGEST_COMMENT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// The text of an attribute.
pub(super) fn text(data: &[u8], kind: u16) -> Option<String> {
    let found = attributes(data).find(|one| one.kind == kind)?;
    Some(found.text())
}

pub(super) fn be32(value: &[u8]) -> Option<u32> {
    array(value, 0).map(u32::from_be_bytes)
}

pub(super) fn be64(value: &[u8]) -> Option<u64> {
    array(value, 0).map(u64::from_be_bytes)
}

/// A text as the kernel takes one.
pub(super) fn terminated(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::attributes::push;

    fn nested(kind: u16, parts: &[(u16, &[u8])]) -> (u16, Vec<u8>) {
        let mut bytes = Vec::new();
        for (kind, value) in parts {
            push(&mut bytes, *kind, value);
        }
        (kind, bytes)
    }

    fn expression(name: &str, data: &[(u16, &[u8])]) -> Vec<u8> {
        let (_, data) = nested(2, data);
        nested(0, &[(1, name.as_bytes()), (2, &data)]).1
    }

    fn of(expressions: &[Vec<u8>]) -> Rule {
        let mut list = Vec::new();
        for one in expressions {
            push(&mut list, 1, one);
        }
        let mut message = Vec::new();
        push(&mut message, 3, &7_u64.to_be_bytes());
        push(&mut message, 4, &list);
        push(&mut message, 7, b"\x00\x05why?\x00");
        rule(&message)
    }

    fn counted(packets: u64) -> Vec<u8> {
        expression("counter", &[(1, &[0; 8]), (2, &packets.to_be_bytes())])
    }

    fn drops() -> Vec<u8> {
        let (_, verdict) = nested(0, &[(1, &[0; 4])]);
        let (_, data) = nested(0, &[(2, &verdict)]);
        expression("immediate", &[(1, &[0; 4]), (2, &data)])
    }

    #[test]
    fn a_counter_just_before_the_verdict_counts_what_was_refused() {
        let rule = of(&[counted(5), drops()]);
        assert_eq!((rule.handle, rule.packets), (7, Some(5)));
        assert_eq!(rule.verdict, Some(Verdict::Refuse(FilterVerdict::Drop)));
        assert_eq!(rule.comment.as_deref(), Some("why?"));
        let logged = of(&[
            counted(5),
            expression("log", &[]),
            expression("reject", &[]),
        ]);
        assert_eq!(logged.packets, Some(5));
        assert_eq!(logged.verdict, Some(Verdict::Refuse(FilterVerdict::Reject)));
    }

    #[test]
    fn a_counter_before_a_match_counts_others_as_well() {
        let rule = of(&[counted(5), expression("limit", &[]), drops()]);
        assert_eq!(rule.packets, None);
    }

    #[test]
    fn broken_bytes_give_a_rule_that_refuses_nothing() {
        for bytes in [
            &[][..],
            &[4, 0, 4, 0],
            &[255; 40],
            &[8, 0, 4, 0, 1, 2, 3, 4],
        ] {
            assert_eq!(rule(bytes).verdict, None);
        }
        assert_eq!(user_comment(&[0, 200, 1]), None);
        assert_eq!(
            user_comment(&[1, 1, 9, 0, 2, b'a', 0]).as_deref(),
            Some("a")
        );
    }
}
