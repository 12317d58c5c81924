//! The tables of a chart's values, from the comments in values.yaml.
//!
//! It reads the YAML that values.yaml is written in: two spaces a level, a comment above each value that people set. A
//! value below which nothing has a comment is one row, with all that it holds as its default.

use std::fmt::Write as _;

use anyhow::{Result, bail};

/// A key of values.yaml.
struct Entry<'a> {
    /// The keys from the outermost to this one.
    path: Vec<&'a str>,
    /// The comment above it, as one line.
    comment: String,
    /// The text behind the colon.
    value: &'a str,
    /// The lines below it that are deeper.
    below: Vec<&'a str>,
}

/// The tables as Markdown: one for each outermost key that holds others, after one for those that hold none.
///
/// # Errors
/// If a value has no comment.
pub fn tables(values: &str) -> Result<String> {
    let entries = entries(values);
    let has_comments_below = |entry: &Entry| {
        let inner = |other: &&Entry| {
            other.path.len() > entry.path.len() && other.path.starts_with(&entry.path)
        };
        entries
            .iter()
            .filter(inner)
            .any(|other| !other.comment.is_empty())
    };
    let mut general = String::new();
    let mut sections = String::new();
    let mut of_a_row: Option<&[&str]> = None;
    for entry in &entries {
        if of_a_row.is_some_and(|path| entry.path.starts_with(path)) {
            continue;
        }
        let name = entry.path.join(".");
        if has_comments_below(entry) {
            if entry.path.len() == 1 {
                let comment = separated(&entry.comment);
                write!(sections, "\n### {name}\n{comment}\n{HEAD}")?;
            } else if !entry.comment.is_empty() {
                writeln!(sections, "| `{name}` | | {} |", cell(&entry.comment))?;
            }
            continue;
        }
        if entry.comment.is_empty() {
            bail!("values.yaml: {name} has no comment above it");
        }
        of_a_row = Some(&entry.path);
        let default = entry.default();
        let row = format!(
            "| `{name}` | `{}` | {} |\n",
            cell(&default),
            cell(&entry.comment)
        );
        if entry.path.len() == 1 {
            general.push_str(&row);
        } else {
            sections.push_str(&row);
        }
    }
    Ok(format!("{HEAD}{general}{}", sections.trim_end()))
}

const HEAD: &str = "| value | default | |\n|---|---|---|\n";

fn separated(comment: &str) -> String {
    if comment.is_empty() {
        String::new()
    } else {
        format!("\n{comment}\n")
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn entries(values: &str) -> Vec<Entry<'_>> {
    let lines: Vec<&str> = values.lines().collect();
    let mut path: Vec<&str> = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    let mut entries = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let text = line.trim_start();
        if let Some(words) = text.strip_prefix('#') {
            comment.push(words.trim());
        } else if let Some((key, value)) = key_of(text) {
            path.truncate(indent(line) / 2);
            path.push(key);
            let rest = lines.iter().skip(number + 1);
            let below = rest.take_while(|below| is_below(below, line)).copied();
            entries.push(Entry {
                path: path.clone(),
                comment: std::mem::take(&mut comment).join(" "),
                value: without_comment(value),
                below: below.filter(|below| !is_empty(below)).collect(),
            });
        } else {
            comment.clear();
        }
    }
    entries
}

fn key_of(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once(':')?;
    (!text.starts_with('-')).then_some((key, value))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn is_empty(line: &str) -> bool {
    let text = line.trim_start();
    text.is_empty() || text.starts_with('#')
}

fn is_below(line: &str, of: &str) -> bool {
    is_empty(line) || indent(line) > indent(of)
}

fn without_comment(value: &str) -> &str {
    value.split(" #").next().unwrap_or_default().trim()
}

impl Entry<'_> {
    fn default(&self) -> String {
        if self.below.is_empty() {
            self.value.to_owned()
        } else {
            flow(&self.below)
        }
    }
}

/// Block lines as one line: `{a: 1, b: [c]}`.
fn flow(lines: &[&str]) -> String {
    let base = lines.first().map_or(0, |line| indent(line));
    let begins = |number: &usize| indent(lines[*number]) == base;
    let starts: Vec<usize> = (0..lines.len()).filter(begins).collect();
    let ends = starts.iter().skip(1).copied().chain([lines.len()]);
    let is_list = lines
        .first()
        .is_some_and(|line| line.trim_start().starts_with("- "));
    let parts: Vec<String> = starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| part(lines[start].trim_start(), &lines[start + 1..end]))
        .collect();
    let (open, close) = if is_list { ('[', ']') } else { ('{', '}') };
    format!("{open}{}{close}", parts.join(", "))
}

/// One item of a list or one key of a map, with the lines below it.
fn part(first: &str, below: &[&str]) -> String {
    let first = without_comment(first);
    if let Some(item) = first.strip_prefix("- ") {
        return match (item.contains(": "), below) {
            (false, []) => item.to_owned(),
            _ => format!("{{{}}}", part(item, below)),
        };
    }
    match below {
        [] => first.to_owned(),
        _ => format!("{first} {}", flow(below)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const VALUES: &str = include_str!("../../../../charts/netdiag/values.yaml");
    const SCHEMA: &str = include_str!("../../../../charts/netdiag/values.schema.json");

    #[test]
    fn comments_become_rows_and_sections() {
        let values = "\
# Of the file, and of no value.

# First line,
# second line.
name: \"\"

# About the part.
part:
  # One.
  one: [a]  # aside
  # A | in it.
  many:
    - key: x
    - y  # aside
  inner:
    # Deep.
    deep:
      a: 1
      b:
        c: 2
";
        let expected = "\
| value | default | |
|---|---|---|
| `name` | `\"\"` | First line, second line. |

### part

About the part.

| value | default | |
|---|---|---|
| `part.one` | `[a]` | One. |
| `part.many` | `[{key: x}, y]` | A \\| in it. |
| `part.inner.deep` | `{a: 1, b: {c: 2}}` | Deep. |";
        assert_eq!(tables(values).unwrap(), expected);
    }

    #[test]
    fn a_value_without_a_comment_is_an_error() {
        let error = tables("# A.\na: 1\nb: 2\n").unwrap_err();
        assert_eq!(error.to_string(), "values.yaml: b has no comment above it");
    }

    /// Paths of what the schema allows, as far as it names keys.
    fn allowed(schema: &Value, at: &Value, path: &str, into: &mut Vec<String>) {
        let at = match at["$ref"].as_str() {
            Some(reference) => schema.pointer(&reference[1..]).unwrap(),
            None => at,
        };
        let strict = at["additionalProperties"] == false || path.is_empty() || path == "global";
        let properties = at["properties"].as_object().filter(|_| strict);
        if properties.is_none() && !path.is_empty() {
            into.push(path.to_owned());
        }
        for (key, value) in properties.into_iter().flatten() {
            let dot = if path.is_empty() { "" } else { "." };
            allowed(schema, value, &format!("{path}{dot}{key}"), into);
        }
    }

    #[test]
    fn the_schema_allows_the_values_and_nothing_else() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let mut allowed_paths = Vec::new();
        allowed(&schema, &schema, "", &mut allowed_paths);
        let known: Vec<String> = entries(VALUES)
            .iter()
            .map(|entry| entry.path.join("."))
            .collect();
        for path in &allowed_paths {
            // The values of a map without names are the user's, and so is what a profile needs besides its type, and
            // a probe besides its times.
            let is_part = ["Profile.", ".resources.", "Probe."]
                .iter()
                .any(|part| path.contains(part));
            assert!(
                is_part || known.contains(path),
                "{path} is not in values.yaml"
            );
        }
        for path in &known {
            let leads = |allowed: &String| {
                let inner = |long: &str, short: &str| {
                    long == short
                        || long
                            .strip_prefix(short)
                            .is_some_and(|rest| rest.starts_with('.'))
                };
                inner(allowed, path) || inner(path, allowed)
            };
            assert!(
                allowed_paths.iter().any(leads),
                "{path} is not in the schema"
            );
        }
    }

    #[test]
    fn every_value_of_the_chart_has_a_row() {
        let tables = tables(VALUES).unwrap();
        let row = "| `agent.tolerations` | `[{operator: Exists}]` | A node that is not watched has no answer";
        assert!(tables.contains(row), "{tables}");
    }
}
