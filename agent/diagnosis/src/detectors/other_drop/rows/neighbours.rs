//! Packets that wait for the link layer address of a neighbour, and the table of neighbours.

use crate::{
    detectors::other_drop::{
        advice::{Advice, DEVICE, Version},
        class::{Carried, Class},
        table::{
            On::{Reasons, Sites},
            Row,
        },
    },
    finding::Culprit,
    kernel::{Reason, site},
};

pub(super) static ROWS: &[Row] = &[
    Row::new(
        Reasons(&[Reason::NEIGH_FAILED, Reason::NEIGH_DEAD]),
        Class::Neighbour,
        NO_ANSWER,
        NO_ANSWER_MECHANISM,
    )
    .advised(NO_ANSWER_ADVICE),
    Row::new(
        Sites(&[&site::NEIGH_INVALIDATE]),
        Class::Neighbour,
        NO_ANSWER,
        NO_ANSWER_MECHANISM,
    )
    .advised(NO_ANSWER_ADVICE),
    Row::new(
        Reasons(&[Reason::NEIGH_QUEUEFULL]),
        Class::NeighbourQueue,
        QUEUE_FULL,
        QUEUE_FULL_MECHANISM,
    )
    .advised(QUEUE_FULL_ADVICE),
    Row::new(
        Sites(&[&site::NEIGH_EVENT_SEND]),
        Class::NeighbourQueue,
        QUEUE_FULL,
        QUEUE_FULL_MECHANISM,
    )
    .advised(QUEUE_FULL_ADVICE),
    Row::new(
        Reasons(&[Reason::NEIGH_CREATEFAIL, Reason::NEIGH_HH_FILLFAIL]),
        TABLE,
        TABLE_FULL,
        TABLE_FULL_MECHANISM,
    )
    .advised(TABLE_FULL_ADVICE),
    // Frees a packet when __neigh_create has failed, which it does when the table is full. (ip6_finish_output2
    // frees multicasts without hops left as well.)
    Row::new(
        Sites(&[&site::IP_FINISH_OUTPUT2]),
        TABLE,
        TABLE_FULL,
        TABLE_FULL_MECHANISM,
    )
    .advised(TABLE_FULL_ADVICE),
];

const TABLE: Class = Class::Loss(Culprit::Here, Carried::Sent);

const NO_ANSWER: &str = "A neighbour did not answer: {packets were} dropped";
const NO_ANSWER_MECHANISM: &str = "Packets for a neighbour wait for its link layer address (ARP, neighbour discovery) until the kernel gives up.";
const NO_ANSWER_ADVICE: &[Advice] = &[
    Advice::look(
        "See which addresses do not answer.",
        &["ip", "-4", "neigh", "show", "dev", DEVICE, "nud", "failed"],
    )
    .of(Version::V4),
    Advice::look(
        "See which addresses do not answer.",
        &["ip", "-6", "neigh", "show", "dev", DEVICE, "nud", "failed"],
    )
    .of(Version::V6),
];
const QUEUE_FULL: &str = "Too many packets waited for a neighbour's answer: {packets were} dropped";
const QUEUE_FULL_MECHANISM: &str =
    "Each neighbour has a queue of what waits for its link layer address, and it was full.";
const QUEUE_FULL_ADVICE: &[Advice] = &[
    Advice::look(
        "See which neighbours answer late or never.",
        &["ip", "-4", "neigh", "show", "dev", DEVICE],
    )
    .of(Version::V4),
    Advice::look(
        "See which neighbours answer late or never.",
        &["ip", "-6", "neigh", "show", "dev", DEVICE],
    )
    .of(Version::V6),
];
const TABLE_FULL: &str =
    "The neighbour table had no room for a new neighbour: {packets were} dropped";
const TABLE_FULL_MECHANISM: &str =
    "The kernel needs an entry for each neighbour that it sends to, and could make none.";
const COMPARE_LIMIT: &str = "Compare the limit with the number of neighbours. If they are about equal, raise \
                             gc_thresh3 to twice the number shown.";
const COUNT_NEIGHBOURS: &str = "Count the neighbours of all namespaces (entries, hexadecimal; table_fulls rises with each refusal).";
/// The limits are the kernel's: no pod has its own.
const TABLE_FULL_ADVICE: &[Advice] = &[
    Advice::look(
        COMPARE_LIMIT,
        &["sysctl", "net.ipv4.neigh.default.gc_thresh3"],
    )
    .on_node()
    .of(Version::V4),
    Advice::look(COUNT_NEIGHBOURS, &["cat", "/proc/net/stat/arp_cache"])
        .on_node()
        .of(Version::V4),
    Advice::look(
        COMPARE_LIMIT,
        &["sysctl", "net.ipv6.neigh.default.gc_thresh3"],
    )
    .on_node()
    .of(Version::V6),
    Advice::look(COUNT_NEIGHBOURS, &["cat", "/proc/net/stat/ndisc_cache"])
        .on_node()
        .of(Version::V6),
];
