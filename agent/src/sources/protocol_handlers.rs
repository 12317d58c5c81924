//! Registered receivers of link layer protocols: /proc/net/ptype.

use netdiag_diagnosis::{evidence::ProtocolHandler, text::printable_up_to};

use super::{namespaces::OpenNamespace, proc_net::ProcNet};
use crate::bounded::{Overflows, at_most};

/// A packet socket adds a line; a namespace with more than this many is not worth more.
const MOST_HANDLERS: usize = 1_024;
/// KSYM_NAME_LEN before 6.1; what receives packets has a short name.
const LONGEST_FUNCTION: usize = 128;
/// IFNAMSIZ without its zero.
const LONGEST_DEVICE: usize = 15;

/// The receivers of a namespace; `None` when it has no process to read them through.
pub(super) fn read(
    namespace: &OpenNamespace,
    overflows: &mut Overflows,
) -> Option<Vec<ProtocolHandler>> {
    let text = namespace.read_proc_net(ProcNet::Ptype)?.noted(overflows);
    let handlers = at_most(parse(&text), MOST_HANDLERS, "receivers of protocols");
    Some(handlers.noted(overflows))
}

/// `ptype_seq_show` (net/core/net-procfs.c): `%04x` or `ALL `, then ` %-8s %ps`, with an empty device for all of them.
pub(super) fn parse(text: &str) -> Vec<ProtocolHandler> {
    text.lines().skip(1).filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<ProtocolHandler> {
    let (kind, rest) = line.split_once(' ')?;
    let ethertype = match kind {
        "ALL" => None,
        number => Some(u16::from_str_radix(number, 16).ok()?),
    };
    // `ALL` is itself padded by one blank; a device name never begins with one.
    let rest = rest
        .strip_prefix(' ')
        .filter(|_| kind == "ALL")
        .unwrap_or(rest);
    let mut words = rest.split_whitespace();
    let device = (!rest.starts_with(' ')).then(|| words.next()).flatten();
    let function = words.next().unwrap_or_default();
    Some(ProtocolHandler {
        ethertype,
        device: device.map(|name| printable_up_to(name, LONGEST_DEVICE)),
        function: symbol(function),
    })
}

/// A function's name; empty for the bare address that a kernel without kallsyms prints.
fn symbol(function: &str) -> String {
    if function.starts_with(|first: char| first.is_ascii_digit()) {
        String::new()
    } else {
        printable_up_to(function, LONGEST_FUNCTION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handler(ethertype: Option<u16>, device: Option<&str>, function: &str) -> ProtocolHandler {
        ProtocolHandler {
            ethertype,
            device: device.map(str::to_owned),
            function: function.to_owned(),
        }
    }

    #[test]
    fn devices_and_functions_are_told_apart() {
        let text = "Type Device      Function\n\
                    ALL  eth0     packet_rcv\n\
                    ALL           tpacket_rcv [af_packet]\n\
                    88cc vethabcdef12 packet_rcv\n\
                    0800          ip_rcv\n\
                    86dd          0xffffffff81234567\n";
        assert_eq!(
            parse(text),
            [
                handler(None, Some("eth0"), "packet_rcv"),
                handler(None, None, "tpacket_rcv"),
                handler(Some(0x88cc), Some("vethabcdef12"), "packet_rcv"),
                handler(Some(0x0800), None, "ip_rcv"),
                handler(Some(0x86dd), None, ""),
            ]
        );
    }

    #[test]
    fn nonsense_gives_nothing() {
        assert_eq!(parse(""), []);
        assert_eq!(
            parse("Type Device Function\n\n \nzzzz\nzzzz x y\n12345 a b\n"),
            []
        );
    }
}
