//! What a later D1 might say: members that nobody knows yet.

use serde_json::{Value, json};

/// So many members with their names, of every kind of value.
pub(crate) fn later_members(count: u32) -> impl Iterator<Item = (String, Value)> {
    (0..count).map(|n| {
        let value = match n % 5 {
            0 => json!("of a later version"),
            1 => json!({"nested": [1, 2.5, null]}),
            2 => json!(true),
            3 => Value::Null,
            _ => json!([{"a": "b"}]),
        };
        (format!("laterMember{}", n + 1), value)
    })
}
