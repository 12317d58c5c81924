//! The file of a recorded kernel: a line a fact, so that two kernels are compared by `diff`.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{Member, RecordedKernel};

/// Stands for what the kernel lacks.
const NONE: &str = "-";

/// A line of such a file that says nothing known.
#[derive(Debug, thiserror::Error)]
#[error("malformed line {line:?}")]
pub(super) struct Malformed {
    line: String,
}

/// The file's text.
pub(super) fn text(kernel: &RecordedKernel) -> String {
    let mut text = String::from("# Written by `cargo xtask kernel-facts`.\n");
    let mut line = |key: &str, name: &str, value: Option<String>| {
        let value = value.unwrap_or_else(|| NONE.to_owned());
        writeln!(text, "{}", format!("{key} {name} {value}").trim_end()).unwrap();
    };
    line("kernel", &kernel.release, Some(kernel.architecture.clone()));
    for (name, arguments) in &kernel.tracepoints {
        line("tracepoint", name, arguments.clone());
    }
    for (name, value) in &kernel.enumerators {
        line("enumerator", name, value.map(|value| value.to_string()));
    }
    for (name, bytes) in &kernel.sizes {
        line("size", name, bytes.map(|bytes| bytes.to_string()));
    }
    for (name, place) in &kernel.members {
        line("member", name, place.map(|place| place_text(&place)));
    }
    for (name, suffixes) in &kernel.functions {
        let found: Vec<_> = suffixes.iter().map(String::as_str).collect();
        line(
            "function",
            name,
            (!found.is_empty()).then(|| found.join(" ")),
        );
    }
    for (name, members) in &kernel.enums {
        for (value, member) in members {
            line(name, member, Some(value.to_string()));
        }
    }
    text
}

/// Bits, the width of a bit field, and a mark for what is no plain number: `128`, `1024:3`, `64 structure`.
fn place_text(place: &Member) -> String {
    let mut text = place.bit_offset.to_string();
    if let Some(width) = place.bit_width {
        write!(text, ":{width}").unwrap();
    }
    if !place.is_scalar {
        text.push_str(" structure");
    }
    text
}

/// Reads a file's text.
///
/// # Errors
/// The line that is malformed.
pub(super) fn parse(text: &str) -> Result<RecordedKernel, Malformed> {
    let mut kernel = RecordedKernel::default();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        take(&mut kernel, line).ok_or_else(|| Malformed {
            line: line.to_owned(),
        })?;
    }
    Ok(kernel)
}

fn take(kernel: &mut RecordedKernel, line: &str) -> Option<()> {
    let (key, rest) = line.split_once(' ')?;
    let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
    let name = name.to_owned();
    let found = (value != NONE).then_some(value);
    match key {
        "kernel" => (kernel.release, kernel.architecture) = (name, value.to_owned()),
        "tracepoint" => {
            kernel.tracepoints.insert(name, found.map(str::to_owned));
        }
        "enumerator" => {
            let value = found.map(str::parse).transpose().ok()?;
            kernel.enumerators.insert(name, value);
        }
        "size" => {
            let bytes = found.map(str::parse).transpose().ok()?;
            kernel.sizes.insert(name, bytes);
        }
        "member" => {
            let place = match found {
                Some(text) => Some(place(text)?),
                None => None,
            };
            kernel.members.insert(name, place);
        }
        "function" => {
            let suffixes: BTreeSet<String> = match found {
                Some(text) => text.split(' ').map(str::to_owned).collect(),
                None => BTreeSet::new(),
            };
            kernel.functions.insert(name, suffixes);
        }
        enumeration => {
            let members = kernel.enums.entry(enumeration.to_owned()).or_default();
            members.push((value.parse().ok()?, name));
        }
    }
    Some(())
}

fn place(text: &str) -> Option<Member> {
    let (bits, is_scalar) = match text.strip_suffix(" structure") {
        Some(bits) => (bits, false),
        None => (text, true),
    };
    let (offset, width) = match bits.split_once(':') {
        Some((offset, width)) => (offset, Some(width.parse().ok()?)),
        None => (bits, None),
    };
    Some(Member {
        bit_offset: offset.parse().ok()?,
        bit_width: width,
        is_scalar,
    })
}
