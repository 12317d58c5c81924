//! The limits of a recording, whatever it is about.

use std::fmt;

use netdiag_diagnosis::EvidenceWindow;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

use crate::probes::registry;

/// Longest list; a real node stays far below, and some detectors compare each entry with each.
const MAX_ENTRIES: usize = 20_000;
/// Longest text, bytes. The longest that an agent writes are packet samples in hexadecimal and lines of the kernel log.
const MAX_TEXT: usize = 16 << 10;
/// Longest name of a field or counter, bytes.
const MAX_NAME: usize = 256;
/// Largest count of events. Sums of [`MAX_ENTRIES`] such counts still fit 64 bits.
const MAX_COUNT: u64 = 1 << 48;
/// Longest window, milliseconds: two days. An agent watches one day at most.
const MAX_DURATION_MS: u64 = 48 * 60 * 60 * 1000;

/// Reads any JSON value, keeps nothing of it, and fails where a list or a text is too long.
pub(super) struct Bounded;

impl<'de> Deserialize<'de> for Bounded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Bounded {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self, E> {
        bounded("a text", text.len(), MAX_TEXT)?;
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        let mut length = 0;
        while list.next_element::<Self>()?.is_some() {
            length += 1;
            bounded("a list", length, MAX_ENTRIES)?;
        }
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut length = 0;
        while map.next_key_seed(FieldName)?.is_some() {
            map.next_value::<Self>()?;
            length += 1;
            bounded("a list", length, MAX_ENTRIES)?;
        }
        Ok(self)
    }
}

/// The name of a field.
struct FieldName;

impl<'de> DeserializeSeed<'de> for FieldName {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for FieldName {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        bounded("a name", text.len(), MAX_NAME)
    }
}

fn bounded<E: Error>(what: &str, length: usize, most: usize) -> Result<(), E> {
    match length <= most {
        true => Ok(()),
        false => Err(E::custom(format!(
            "{what} in it is longer than {most} entries or bytes"
        ))),
    }
}

/// Finds a value that would make sums of counts overflow, or rates meaningless.
pub(super) fn out_of_bounds(window: &EvidenceWindow) -> Option<String> {
    if window.duration_ms > MAX_DURATION_MS {
        return Some(format!(
            "its window lasts {} ms, at most {MAX_DURATION_MS} are read",
            window.duration_ms
        ));
    }
    registry::counts(window)
        .find(|count| *count > MAX_COUNT)
        .map(|count| format!("{count} events of one kind are more than a kernel counts"))
}
