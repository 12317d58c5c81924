//! Names of kernel functions by address, and addresses of variables by name.
//!
//! The table has some 200,000 lines, of which a window needs a few dozen: it is read through once for all addresses of
//! a window, and nothing of it is kept. So modules that come and go need no care either.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader},
};

use netdiag_diagnosis::evidence::Why;

use crate::privileges::{Access, Capability, Restrictions};

/// Farther than this behind a symbol an address belongs to no function in the table, such as one of a module that is
/// gone: the kernel's longest functions are some tens of kilobytes.
const LONGEST_FUNCTION: u64 = 256 * 1024;

/// Why addresses have no names.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("failed to read /proc/kallsyms")]
    Read { source: io::Error },
    #[error("{refusal}")]
    Hidden {
        refusal: String,
        lacking: Vec<Capability>,
    },
}

impl Error {
    fn hidden() -> Self {
        let restrictions = Restrictions::read();
        Self::Hidden {
            refusal: restrictions.refusal(Access::Symbols),
            lacking: restrictions.lacking(Access::Symbols),
        }
    }

    /// The kind of reason.
    pub(crate) fn why(&self) -> Why {
        match self {
            Self::Read { .. } => Why::Failed,
            Self::Hidden { lacking, .. } => Why::Permission {
                capabilities: lacking.clone(),
            },
        }
    }
}

/// Names of the functions that hold these addresses, without the suffixes of compilers (`.isra.0`, `.constprop.0`,
/// `.part.0`, `.cold`, `.llvm.123`). An address in no known function is absent.
///
/// # Errors
/// The table is unreadable or blanked.
pub(crate) fn resolve(addresses: &[u64]) -> Result<HashMap<u64, String>, Error> {
    resolve_from(open()?, addresses)
}

/// Addresses of variables and functions by their names; a name that is not in the table has none. Variables are there
/// only with CONFIG_KALLSYMS_ALL.
///
/// # Errors
/// The table is unreadable or blanked.
pub(crate) fn addresses<const N: usize>(names: [&str; N]) -> Result<[Option<u64>; N], Error> {
    addresses_from(open()?, names)
}

fn open() -> Result<impl BufRead, Error> {
    let table = File::open("/proc/kallsyms").map_err(|source| Error::Read { source })?;
    Ok(BufReader::with_capacity(64 * 1024, table))
}

/// Reads the next line of a table; false at its end.
fn next_line(table: &mut impl BufRead, line: &mut String) -> Result<bool, Error> {
    line.clear();
    let read = table.read_line(line);
    read.map(|bytes| bytes > 0)
        .map_err(|source| Error::Read { source })
}

fn addresses_from<const N: usize>(
    mut table: impl BufRead,
    names: [&str; N],
) -> Result<[Option<u64>; N], Error> {
    let mut found = [None; N];
    let mut saw_address = false;
    let mut line = String::new();
    while next_line(&mut table, &mut line)? {
        let mut fields = line.split_ascii_whitespace();
        let address = fields.next().map(|text| u64::from_str_radix(text, 16));
        let (Some(Ok(address @ 1..)), Some(name)) = (address, fields.nth(1)) else {
            continue;
        };
        saw_address = true;
        for (wanted, found) in names.iter().zip(&mut found) {
            // A module may have a variable of the same name; the kernel's own come first.
            if *wanted == name && found.is_none() {
                *found = Some(address);
            }
        }
    }
    if saw_address {
        Ok(found)
    } else {
        Err(Error::hidden())
    }
}

fn resolve_from(mut table: impl BufRead, addresses: &[u64]) -> Result<HashMap<u64, String>, Error> {
    let mut wanted: Vec<u64> = addresses.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    // nearest[i]: the highest symbol above wanted[i - 1] and not above wanted[i]. A symbol further down is found by
    // walking back, so that each line costs one binary search.
    let mut nearest: Vec<Option<(u64, String)>> = vec![None; wanted.len()];
    let mut saw_address = false;
    let mut line = String::new();
    while next_line(&mut table, &mut line)? {
        let Some((address, name)) = function(&line) else {
            continue;
        };
        if address == 0 {
            continue; // blanked, or a per-CPU offset: never the address of a function
        }
        saw_address = true;
        let at = wanted.partition_point(|wanted| *wanted < address);
        let Some(slot) = nearest.get_mut(at) else {
            continue;
        };
        // Of several names for one address the kernel itself prints the first.
        if slot.as_ref().is_none_or(|(best, _)| address > *best) {
            *slot = Some((address, without_suffix(name).to_owned()));
        }
    }
    if !saw_address {
        return Err(Error::hidden());
    }

    let mut names = HashMap::new();
    let mut below: Option<(u64, String)> = None;
    for (address, found) in wanted.into_iter().zip(nearest) {
        below = found.or(below);
        if let Some((start, name)) = &below
            && address - start < LONGEST_FUNCTION
        {
            names.insert(address, name.clone());
        }
    }
    Ok(names)
}

/// As [`resolve`], from the text of a table.
#[cfg(test)]
pub(super) fn resolve_in(table: &str, addresses: &[u64]) -> HashMap<u64, String> {
    resolve_from(table.as_bytes(), addresses).unwrap()
}

/// Address and name of a line that is about code: `ffffffff81000000 T _stext [module]`.
fn function(line: &str) -> Option<(u64, &str)> {
    let mut fields = line.split_ascii_whitespace();
    let address = u64::from_str_radix(fields.next()?, 16).ok()?;
    let is_code = matches!(fields.next()?, "t" | "T" | "w" | "W");
    let name = fields.next()?;
    is_code.then_some((address, name))
}

/// C names hold no dot, so what follows one is the compiler's.
fn without_suffix(name: &str) -> &str {
    name.split_once('.').map_or(name, |(stem, _)| stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000100 t __netif_receive_skb_core.constprop.0
ffffffff81000100 t an_alias
ffffffff81000400 D some_data
ffffffff81000500 t ip_rcv_finish_core.isra.0
ffffffff81000900 T net_tx_action
ffffffffa0000000 t tap_handle_frame.cold\t[tap]
";

    fn name(table: &str, address: u64) -> Option<String> {
        resolve_from(table.as_bytes(), &[address])
            .unwrap()
            .remove(&address)
    }

    #[test]
    fn takes_the_nearest_function_below_and_its_first_name() {
        let found = name(TABLE, 0xffff_ffff_8100_0480);
        assert_eq!(found.as_deref(), Some("__netif_receive_skb_core"));
    }

    #[test]
    fn a_function_s_own_address_is_that_function() {
        let found = name(TABLE, 0xffff_ffff_8100_0900);
        assert_eq!(found.as_deref(), Some("net_tx_action"));
    }

    #[test]
    fn strips_suffixes_and_module_names() {
        for (address, expected) in [
            (0xffff_ffff_8100_0510, "ip_rcv_finish_core"),
            (0xffff_ffff_a000_0010, "tap_handle_frame"),
        ] {
            assert_eq!(name(TABLE, address).as_deref(), Some(expected));
        }
        for suffixed in ["f.part.3", "f.llvm.1234567", "f.isra.0.cold"] {
            assert_eq!(without_suffix(suffixed), "f");
        }
    }

    #[test]
    fn resolves_many_addresses_in_one_pass_in_any_order() {
        let addresses = [
            0xffff_ffff_8100_0910,
            0xffff_ffff_8100_0150,
            0xffff_ffff_8100_0160,
            0xffff_ffff_8100_0150,
        ];
        let names = resolve_from(TABLE.as_bytes(), &addresses).unwrap();
        assert_eq!(names.len(), 3);
        assert_eq!(names[&0xffff_ffff_8100_0160], "__netif_receive_skb_core");
        assert_eq!(names[&0xffff_ffff_8100_0910], "net_tx_action");
    }

    #[test]
    fn an_address_outside_every_function_has_no_name() {
        assert_eq!(name(TABLE, 0x1000), None);
        assert_eq!(name(TABLE, 0xffff_ffff_9000_0000), None);
    }

    #[test]
    fn a_blanked_table_is_an_error_not_a_symbol() {
        let blanked = "0000000000000000 T _stext\n0000000000000000 t ip_rcv\n";
        let result = resolve_from(blanked.as_bytes(), &[0xffff_ffff_8100_0000]);
        assert!(matches!(result, Err(Error::Hidden { .. })));
    }

    #[test]
    fn a_variable_is_found_by_its_name() {
        let found = addresses_from(TABLE.as_bytes(), ["some_data", "no_data", "ip_rcv"]).unwrap();
        assert_eq!(found, [Some(0xffff_ffff_8100_0400), None, None]);
        let blanked = addresses_from("0000000000000000 D some_data\n".as_bytes(), ["some_data"]);
        assert!(matches!(blanked, Err(Error::Hidden { .. })));
    }

    #[test]
    fn malformed_lines_are_passed_over() {
        let table = format!("\nnonsense\nffffffff81000000\nzz T x\n{TABLE}");
        let found = name(&table, 0xffff_ffff_8100_0110);
        assert_eq!(found.as_deref(), Some("__netif_receive_skb_core"));
    }
}
