//! Packets that wait for the link layer address of a neighbour, and neighbours for which no entry could be made.

use crate::{
    detectors::other_drop::{
        advice::{Advice, DEVICE, Version},
        class::{By, Carried, Class},
        table::{
            On::{Reasons, Sites},
            Row,
        },
    },
    finding::Culprit,
    kernel::{Reason, site},
};

pub(super) static ROWS: &[Row] = &[
    // What `Neighbour` has left, because its IP version or its place is not known.
    Row::new(
        Reasons(&[Reason::NEIGH_FAILED, Reason::NEIGH_DEAD]),
        NO_ANSWER_CLASS,
        NO_ANSWER,
        NO_ANSWER_MECHANISM,
    ),
    Row::new(
        Reasons(&[Reason::NEIGH_QUEUEFULL]),
        QUEUE,
        QUEUE_FULL,
        QUEUE_FULL_MECHANISM,
    )
    .advised(QUEUE_FULL_ADVICE),
    Row::new(
        Sites(&[&site::NEIGH_EVENT_SEND]),
        QUEUE,
        QUEUE_FULL,
        QUEUE_FULL_MECHANISM,
    )
    .advised(QUEUE_FULL_ADVICE),
    Row::new(
        Reasons(&[Reason::NEIGH_CREATEFAIL, Reason::NEIGH_HH_FILLFAIL]),
        TABLE,
        NO_ENTRY,
        NO_ENTRY_MECHANISM,
    ),
    // (ip6_finish_output2 frees multicasts without hops left as well, so that it says nothing without a reason.)
    Row::new(
        Sites(&[&site::IP_FINISH_OUTPUT2]),
        TABLE,
        NO_ENTRY,
        NO_ENTRY_MECHANISM,
    ),
];

const NO_ANSWER_CLASS: Class = Class::Flow(By::Culprit(Culprit::Elsewhere));
const QUEUE: Class = Class::Loss(Culprit::Unknown, Carried::Sent);
const TABLE: Class = Class::Loss(Culprit::Unknown, Carried::Sent);

const NO_ANSWER: &str = "A neighbour did not answer: {packets were} dropped";
const NO_ANSWER_MECHANISM: &str = "Packets for a neighbour wait for its link layer address (ARP, neighbour discovery) until the kernel gives up.";
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
const NO_ENTRY: &str = "The kernel could make no entry for a new neighbour: {packets were} dropped";
const NO_ENTRY_MECHANISM: &str = "The kernel needs an entry for each neighbour that it sends to, and could make none. The table was not full, as far \
     as it was read: the device went down, or no memory was left.";
