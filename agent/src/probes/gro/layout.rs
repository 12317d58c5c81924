//! The offsets at which the GRO program finds the fields that it reads.

use netdiag_abi::gro::GroLayout;

use crate::probes::{btf::Error, facts::KernelFacts, kallsyms, types::Types};

/// Looks every offset and number up, except the addresses of pages.
///
/// # Errors
/// This kernel lacks a field.
pub(super) fn resolve(types: &dyn Types, facts: &KernelFacts) -> Result<GroLayout, Error> {
    let skb = |field| types.offset_of("sk_buff", field);
    let shared = |field| types.offset_of("skb_shared_info", field);
    // u32::MAX is no result.
    let result = |name| facts.gro_result(name).unwrap_or(u32::MAX);
    Ok(GroLayout {
        vmemmap_base: 0,
        page_offset_base: 0,
        skb_dev: skb("dev")?,
        skb_protocol: skb("protocol")?,
        skb_head: skb("head")?,
        skb_data: skb("data")?,
        skb_end: skb("end")?,
        skb_len: skb("len")?,
        skb_data_len: skb("data_len")?,
        shared_fragments_count: shared("nr_frags")?,
        shared_fragments: shared("frags")?,
        device_ifindex: types.offset_of("net_device", "ifindex")?,
        device_mtu: types.offset_of("net_device", "mtu")?,
        device_net: types.offset_of("net_device", "nd_net.net")?,
        net_inum: types.offset_of("net", "ns.inum")?,
        net_cookie: types.offset_of("net", "net_cookie").unwrap_or(0),
        has_cookie: u32::from(facts.namespaces_have_cookies),
        result_merged: result("MERGED"),
        result_merged_free: result("MERGED_FREE"),
        result_held: result("HELD"),
    })
}

/// Finds the address of the kernel's pages, so that the program can follow a packet's fragment to its bytes. Leaves the
/// layout alone where that is not known; packets whose headers lie in a page are then counted as unread.
pub(super) fn find_pages(layout: &mut GroLayout, facts: &KernelFacts) {
    if !has_array_of_pages(facts) {
        return;
    }
    let addresses = kallsyms::addresses(["vmemmap_base", "page_offset_base"]);
    if let Ok([Some(pages), Some(memory)]) = addresses {
        layout.vmemmap_base = pages;
        layout.page_offset_base = memory;
    }
}

/// True if pages are found as the program does it: as on x86-64, where each is described by 64 bytes.
pub(super) fn has_array_of_pages(facts: &KernelFacts) -> bool {
    facts.architecture == "x86_64" && facts.page_description_bytes == Some(64)
}
