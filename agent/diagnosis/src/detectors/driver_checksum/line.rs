//! Lines of the kernel log in which a driver says that it could not finish a checksum.
//!
//! `dev_warn` and `netdev_warn` put driver, bus address and interface in front:
//! `ixgbe 0000:03:00.0: partial checksum but l4 proto=2b!`.

use std::fmt;

use crate::packets::ip_protocols;

/// Longest line of a driver; a longer one is somebody else's.
const LONGEST: usize = 256;
/// Words before the message: driver, address, interface, and what some drivers repeat.
const MOST_WORDS: usize = 6;

/// The protocol whose checksum a driver could not finish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refused {
    /// IP's protocol number or IPv6's next header.
    Transport(u8),
    /// An IP version.
    IpVersion(u8),
    /// An EtherType that is not IP's.
    EtherType(u16),
}

/// One such line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaint<'a> {
    pub(super) refused: Refused,
    /// The first word.
    pub(super) driver: Option<&'a str>,
    /// A word behind the driver's that may be an interface's name.
    pub(super) has_interface: bool,
    /// The words before the message.
    pub(crate) source: &'a str,
}

impl<'a> Complaint<'a> {
    /// `None` for any other line.
    pub(crate) fn parse(line: &'a str) -> Option<Self> {
        if line.len() > LONGEST {
            return None;
        }
        let (before, message) = line.split_once("partial checksum")?;
        let refused = Refused::parse(message)?;
        let source = match before {
            "" => "",
            // The prefix ends in ": "; whatever else stands before has only quoted a driver.
            before => before.strip_suffix(": ")?,
        };
        // syslog(2) may put the caller in front: `[   T12] `.
        let source = match source.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?.1.trim_start(),
            None => source,
        };
        let is_plain = |word: &str| {
            word.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_.:@-()".contains(&byte))
        };
        let words: Vec<&str> = source.split(' ').filter(|word| !word.is_empty()).collect();
        if words.len() > MOST_WORDS || !words.iter().all(|word| is_plain(word)) {
            return None;
        }
        let (driver, others) = match words.as_slice() {
            [] => (None, &[][..]),
            [driver, others @ ..] => (Some(driver.trim_end_matches(':')), others),
        };
        Some(Self {
            refused,
            driver,
            has_interface: others.iter().any(|word| !is_bus_address(word)),
            source,
        })
    }

    /// The words of the prefix, one of which may be an interface's name.
    pub(super) fn words(&self) -> impl Iterator<Item = &'a str> {
        let words = self.source.split(' ');
        words.map(|word| word.trim_end_matches(':'))
    }
}

/// `0000:03:00.0`.
fn is_bus_address(word: &str) -> bool {
    let digits = |byte: u8| byte.is_ascii_hexdigit() || b":.".contains(&byte);
    word.contains(':') && word.contains('.') && word.bytes().all(digits)
}

impl Refused {
    /// The words behind `partial checksum`, to the end of the line:
    /// - ` but l4 proto=2b!`: nfp, and ixgbe and igb before they walked extension headers;
    /// - `, version=56710 l4 proto=2b`: fm10k, which prints the EtherType as it is in memory;
    /// - ` but ipv=5!`: nfp;
    /// - ` but proto=dd86!`: older ixgbe and igb, the EtherType as it is in memory.
    fn parse(message: &str) -> Option<Self> {
        let message = message.strip_suffix('!').unwrap_or(message);
        if let Some(number) = message.strip_prefix(" but l4 proto=") {
            return Some(Self::Transport(hexadecimal(number)?));
        }
        if let Some(rest) = message.strip_prefix(", version=") {
            let (version, number) = rest.split_once(" l4 proto=")?;
            let is_number =
                !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
            return is_number.then_some(Self::Transport(hexadecimal(number)?));
        }
        if let Some(number) = message.strip_prefix(" but ipv=") {
            return Some(Self::IpVersion(hexadecimal(number)?));
        }
        let in_memory: u16 = hexadecimal(message.strip_prefix(" but proto=")?)?;
        // Every machine that the agent runs on is little-endian.
        Some(Self::EtherType(in_memory.swap_bytes()))
    }
}

/// Digits as `%x` prints them, no sign and no capitals.
fn hexadecimal<N: TryFrom<u32>>(digits: &str) -> Option<N> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(is_digit) {
        return None;
    }
    N::try_from(u32::from_str_radix(digits, 16).ok()?).ok()
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(number) => formatter.write_str(&ip_protocols::name(*number)),
            Self::IpVersion(version) => write!(formatter, "IP version {version}"),
            Self::EtherType(ethertype) => write!(formatter, "EtherType {ethertype:#06x}"),
        }
    }
}
