//! The remedies of a finding: what each does, from when on and until when, and how to take it back.

use netdiag_crds::report::{Remedy, acts, place, remedy_kind};

use super::text::{hang, wrap_command};
use crate::wording::sentence;

/// The remedies behind their label, numbered where there are several.
pub(super) fn remedies(remedies: &[Remedy], label: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, remedy) in remedies.iter().enumerate() {
        let label = if index == 0 {
            label.to_owned()
        } else {
            " ".repeat(label.len())
        };
        let number = if remedies.len() > 1 {
            format!("{}. ", index + 1)
        } else {
            String::new()
        };
        lines.extend(one(remedy, &format!("{label}{number}"), width));
    }
    lines
}

fn one(remedy: &Remedy, prefix: &str, width: usize) -> Vec<String> {
    let indent = " ".repeat(prefix.len());
    let text = remedy.text.trim_end_matches(['.', ':']);
    let Some(command) = &remedy.command else {
        let mut lines = vec![hang(prefix, &sentence(text), width)];
        lines.extend(effect(remedy, &indent, width));
        return lines;
    };
    let mut lines = vec![
        hang(prefix, &format!("{text}{}:", kind(remedy)), width),
        wrap_command(&indent, command, width),
    ];
    if let Some(undo) = &remedy.undo {
        let wrapped = wrap_command(&format!("{indent}      "), undo, width);
        let behind = wrapped.trim_start();
        lines.push(format!("{indent}undo: {behind}"));
    }
    lines.extend(effect(remedy, &indent, width));
    if let Some(lasting) = &remedy.lasting {
        lines.push(hang(
            &format!("{indent}to keep it: "),
            &sentence(lasting),
            width,
        ));
    }
    lines
}

fn effect(remedy: &Remedy, indent: &str, width: usize) -> Option<String> {
    let effect = remedy.effect.as_ref()?;
    Some(hang(&format!("{indent}effect: "), &sentence(effect), width))
}

/// ` (look)`, ` (change)`, ` (change; for sockets opened from then on)`; nothing where an older agent does not tell.
fn kind(remedy: &Remedy) -> String {
    let place = remedy.place.as_deref().unwrap_or_default();
    match (remedy.kind.as_deref(), remedy.acts.as_deref()) {
        (None, _) => String::new(),
        (Some(remedy_kind::LOOK), _) if place == place::CLUSTER => format!(" (look, on {place})"),
        (Some(remedy_kind::LOOK), _) => " (look)".to_owned(),
        (_, Some(acts::NEXT_SOCKET)) => " (change; for sockets opened from then on)".to_owned(),
        (_, Some(acts::NEXT_LISTEN)) => " (change; from the next listen() on)".to_owned(),
        (_, Some(acts::ELSEWHERE)) => format!(" (change, on {place})"),
        (_, _) => " (change)".to_owned(),
    }
}
