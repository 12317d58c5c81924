//! The part of a schema's validation that server-side apply is known for: one undeclared field refuses the whole write.

use serde_json::Value;

/// The refusal of a body by a schema: the status and the message of the real API server.
pub(super) fn refusal(body: &Value, schema: &Value, name: &str) -> Option<(u16, String)> {
    let mut undeclared = Vec::new();
    for part in ["spec", "status"] {
        if let Some(value) = body.get(part) {
            collect_undeclared(
                &format!(".{part}"),
                value,
                &schema["properties"][part],
                &mut undeclared,
            );
        }
    }
    let named = match undeclared.as_slice() {
        [] => return missing(body, schema),
        [only] => only.clone(),
        several => format!("errors:\n  {}", several.join("\n  ")),
    };
    let kind = body["kind"].as_str().unwrap_or_default();
    let message = format!(
        "failed to create typed patch object (/{name}; netdiag.dev/v1alpha1, Kind={kind}): {named}"
    );
    Some((500, message))
}

/// An object with an undeclared field hides those below it, as the real API server does.
fn collect_undeclared(path: &str, value: &Value, schema: &Value, undeclared: &mut Vec<String>) {
    match value {
        Value::Object(members) if schema["additionalProperties"].is_null() => {
            let known = |name: &String| !schema["properties"][name].is_null();
            let before = undeclared.len();
            for name in members.keys().filter(|name| !known(name)) {
                undeclared.push(format!("{path}.{name}: field not declared in schema"));
            }
            if undeclared.len() > before {
                return;
            }
            for (name, member) in members {
                collect_undeclared(
                    &format!("{path}.{name}"),
                    member,
                    &schema["properties"][name],
                    undeclared,
                );
            }
        }
        Value::Array(items) => {
            let key = schema["x-kubernetes-list-map-keys"][0].as_str();
            for (position, item) in items.iter().enumerate() {
                let place = match key {
                    Some(key) => format!("{path}[{key}={}]", item[key]),
                    None => format!("{path}[{position}]"),
                };
                collect_undeclared(&place, item, &schema["items"], undeclared);
            }
        }
        _ => {}
    }
}

/// The first required field of spec or status that is not there.
fn missing(body: &Value, schema: &Value) -> Option<(u16, String)> {
    let parts = ["spec", "status"].into_iter();
    let mut missing =
        parts.filter_map(|part| first_missing(part, body.get(part)?, &schema["properties"][part]));
    let message = format!("invalid: {}: Required value", missing.next()?);
    Some((422, message))
}

fn first_missing(path: &str, value: &Value, schema: &Value) -> Option<String> {
    match value {
        Value::Object(members) => {
            let required = schema["required"].as_array().into_iter().flatten();
            let mut absent = required
                .filter_map(Value::as_str)
                .filter(|name| !members.contains_key(*name));
            if let Some(name) = absent.next() {
                return Some(format!("{path}.{name}"));
            }
            let mut members = members.iter();
            members.find_map(|(name, member)| {
                first_missing(
                    &format!("{path}.{name}"),
                    member,
                    &schema["properties"][name],
                )
            })
        }
        Value::Array(items) => {
            let mut items = items.iter();
            items.find_map(|item| first_missing(&format!("{path}[]"), item, &schema["items"]))
        }
        _ => None,
    }
}
