//! Fields that the API server's CustomResourceDefinition does not have, because it is older than the program that
//! writes.
//!
//! Server-side apply refuses a whole write for one of them, and names them all.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use kube::core::Status;
use serde_json::Value;

/// The end of each line that names such a field.
const NOT_DECLARED: &str = ": field not declared in schema";
/// The mark of a list in a path.
const LIST: &str = "[]";

/// Paths of fields that are not declared, without the places of list items: what one item may not have, none may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undeclared(BTreeSet<Vec<String>>);

impl Undeclared {
    /// The fields that a refusal names. None, where the API server refused for another reason.
    pub fn of(refusal: &Status) -> Self {
        let named = refusal.message.lines().filter_map(|line| {
            let (before, _) = line.split_once(NOT_DECLARED)?;
            // A key of a list map may have anything but a line break in it.
            let path = before.find(" .").map_or(before, |start| &before[start..]);
            segments(path.trim_start())
        });
        Self(named.collect())
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True if one of them is this field, given as `status.members`.
    pub fn has(&self, path: &str) -> bool {
        self.0.iter().any(|own| {
            let own = own.iter().map(|name| name.trim_end_matches(LIST));
            own.eq(path.split('.'))
        })
    }

    /// Adds others. Whether some of them are new.
    pub fn add(&mut self, others: Self) -> bool {
        let before = self.0.len();
        self.0.extend(others.0);
        self.0.len() > before
    }

    /// Takes the fields out of an object.
    pub fn take_from(&self, object: &mut Value) {
        for path in &self.0 {
            take(path, object);
        }
    }
}

impl fmt::Display for Undeclared {
    /// `status.summary: harm, lost; status.results[].findings[]: harm`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for path in &self.0 {
            if let Some((field, parents)) = path.split_last() {
                let named = field.trim_end_matches(LIST);
                fields.entry(parents.join(".")).or_default().push(named);
            }
        }
        for (position, (parent, fields)) in fields.iter().enumerate() {
            if position > 0 {
                formatter.write_str("; ")?;
            }
            write!(formatter, "{parent}: {}", fields.join(", "))?;
        }
        Ok(())
    }
}

/// The names of `.status.results[diagnosis="a"].findings[3].harm`; `None` for what is no path of the object.
fn segments(path: &str) -> Option<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    let mut characters = path.chars();
    while let Some(character) = characters.next() {
        match character {
            '.' => names.push(String::new()),
            '[' => {
                skip_key(&mut characters);
                names.last_mut()?.push_str(LIST);
            }
            plain => names.last_mut()?.push(plain),
        }
    }
    (!names.is_empty() && names.iter().all(|name| !name.is_empty())).then_some(names)
}

/// Goes behind the bracket that closes the key or position of a list item. A key is quoted as Go quotes it.
fn skip_key(characters: &mut std::str::Chars<'_>) {
    let mut is_quoted = false;
    while let Some(character) = characters.next() {
        match character {
            '"' => is_quoted = !is_quoted,
            '\\' if is_quoted => {
                characters.next();
            }
            ']' if !is_quoted => return,
            _ => {}
        }
    }
}

fn take(path: &[String], value: &mut Value) {
    if let Value::Array(items) = value {
        for item in items {
            take(path, item);
        }
        return;
    }
    let (Some((name, rest)), Value::Object(members)) = (path.split_first(), value) else {
        return;
    };
    let name = name.trim_end_matches(LIST);
    if rest.is_empty() {
        members.remove(name);
    } else if let Some(member) = members.get_mut(name) {
        take(rest, member);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(message: &str) -> Undeclared {
        Undeclared::of(&Status::failure(message, ""))
    }

    const HEAD: &str =
        "failed to create typed patch object (/n; netdiag.dev/v1alpha1, Kind=NodeNetReport): ";

    #[test]
    fn what_a_refusal_names_is_taken_out_of_every_item() {
        let undeclared = named(&format!(
            "{HEAD}errors:\n  .status.facts: field not declared in schema\n  \
             .status.results[diagnosis=\"a b].c\\\"\"].findings[1].harm: field not declared in schema\n  \
             .status.results[diagnosis=\"x\"].findings[0].harm: field not declared in schema"
        ));
        let finding = json!({"id": "f", "harm": "Loss"});
        let mut object = json!({
            "status": {"facts": [{"name": "kernel"}], "results": [{"findings": [finding, finding]}, {}]},
        });
        undeclared.take_from(&mut object);
        let kept = json!({"id": "f"});
        let expected = json!({"status": {"results": [{"findings": [kept, kept]}, {}]}});
        assert_eq!(object, expected);
        assert_eq!(
            undeclared.to_string(),
            "status: facts; status.results[].findings[]: harm"
        );
    }

    #[test]
    fn a_single_field_is_named_in_the_first_line() {
        let undeclared = named(&format!(
            "{HEAD}.status.summary.lost: field not declared in schema"
        ));
        assert_eq!(undeclared.to_string(), "status.summary: lost");
    }

    #[test]
    fn other_refusals_name_no_field() {
        for message in [
            "etcd is away",
            "NodeNetReport.netdiag.dev \"n\" is invalid: status.results[0].message: Too long: may not be more than 1",
            ": field not declared in schema",
            ".: field not declared in schema",
        ] {
            assert!(named(message).is_empty(), "{message}");
        }
    }

    #[test]
    fn only_new_fields_are_news() {
        let of = |field: &str| {
            named(&format!(
                "{HEAD}.status.{field}: field not declared in schema"
            ))
        };
        let mut known = of("a");
        assert!(!known.add(of("a")));
        assert!(known.add(of("b")));
        assert_eq!(known.to_string(), "status: a, b");
    }
}
