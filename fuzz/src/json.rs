//! Documents with a few values changed, as the fuzzer's bytes say.
//!
//! Bytes that are to become a document by themselves hardly ever do. Changes of a real one reach what reads it.

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use serde_json::{Value, json};

/// More changes than this hide each other.
const MOST_CHANGES: usize = 16;

/// Changes values somewhere in the tree until the bytes end.
pub(crate) fn change(value: &mut Value, bytes: &mut Unstructured<'_>) {
    for _ in 0..MOST_CHANGES {
        if bytes.is_empty() || change_one(value, bytes).is_err() {
            return;
        }
    }
}

fn change_one(value: &mut Value, bytes: &mut Unstructured<'_>) -> Result<()> {
    let mut place = value;
    loop {
        let size = match &*place {
            Value::Array(list) => list.len(),
            Value::Object(map) => map.len(),
            _ => 0,
        };
        // The last choice is the list or map itself.
        let chosen = if size == 0 {
            0
        } else {
            bytes.choose_index(size + 1)?
        };
        if chosen == size {
            break;
        }
        let inner = match &mut *place {
            Value::Array(list) => list.get_mut(chosen),
            Value::Object(map) => map.values_mut().nth(chosen),
            _ => None,
        };
        match inner {
            Some(inner) => place = inner,
            None => return Ok(()),
        }
    }
    *place = changed(place, bytes)?;
    Ok(())
}

fn changed(value: &Value, bytes: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match value {
        Value::Number(_) => number(bytes)?,
        Value::String(text) => Value::String(new_text(text, bytes)?),
        Value::Bool(flag) => json!(!flag),
        Value::Array(list) => match bytes.choose_index(4)? {
            0 => json!([]),
            1 => list.iter().chain(list).cloned().collect(),
            2 => list.iter().rev().cloned().collect(),
            _ => list.iter().take(1).cloned().collect(),
        },
        Value::Object(map) => {
            let mut map = map.clone();
            let at = bytes.choose_index(map.len().max(1))?;
            if let Some(key) = map.keys().nth(at).cloned() {
                let taken = map.remove(&key);
                if bytes.arbitrary()? {
                    map.insert(new_text(&key, bytes)?, taken.unwrap_or_default());
                }
            }
            Value::Object(map)
        }
        Value::Null => match bytes.choose_index(4)? {
            0 => number(bytes)?,
            1 => Value::String(new_text("", bytes)?),
            2 => json!({}),
            _ => json!([]),
        },
    })
}

fn number(bytes: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match bytes.choose_index(10)? {
        0 => json!(0),
        1 => json!(u64::MAX),
        2 => json!(i64::MIN),
        3 => json!(u32::MAX),
        4 => json!(-1),
        5 => json!(1_u64 << 47),
        6 => json!(bytes.arbitrary::<u64>()?),
        7 => json!(bytes.arbitrary::<u16>()?),
        8 => json!(1),
        _ => json!(bytes.arbitrary::<u8>()?),
    })
}

fn new_text(text: &str, bytes: &mut Unstructured<'_>) -> Result<String> {
    Ok(match bytes.choose_index(7)? {
        0 => String::new(),
        1 => "\u{1b}[2J\u{202e}$(reboot)\n'\"`".to_owned(),
        2 => "é".repeat(bytes.arbitrary::<u8>()?.into()),
        3 => text.chars().rev().collect(),
        4 => text.chars().take(bytes.arbitrary::<u8>()?.into()).collect(),
        5 => {
            let mut text = text.to_owned();
            let added: char = bytes.arbitrary()?;
            text.push(added);
            text
        }
        _ => {
            let length = usize::from(bytes.arbitrary::<u8>()?) % 32;
            let length = length.min(bytes.len());
            String::from_utf8_lossy(bytes.bytes(length)?).into_owned()
        }
    })
}
