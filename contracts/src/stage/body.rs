//! A body as it leaves: JSON, with what cannot stand in a file, or in a value, filled in.

use serde_json::Value;

/// What is filled in.
pub(crate) struct Filling<'a> {
    /// Counts the answers of the operation.
    pub(crate) number: usize,
    /// Seals a plaintext toward the gateway, if it can.
    pub(crate) seal: &'a dyn Fn(String) -> Option<String>,
}

impl Filling<'_> {
    /// The text of a body. In it `{$sealed: VALUE}` stands for a JWE with that plaintext, `{$numbered: TEXT}` for the text
    /// with the number behind it, `{$members: [[NAME, VALUE], ...]}` for an object in this order, `{$literal: TEXT}` for the
    /// text as it is, which is JSON itself.
    pub(crate) fn written(&self, body: &Value) -> String {
        let mut text = String::new();
        self.write(body, &mut text);
        text
    }

    fn write(&self, value: &Value, text: &mut String) {
        match value {
            Value::Object(members) => {
                if let Some(plaintext) = members.get("$sealed") {
                    // A plaintext that cannot be sealed leaves a text that no contract allows, so that the case fails.
                    let sealed = (self.seal)(self.written(plaintext));
                    let sealed = sealed.unwrap_or_else(|| "not sealed".to_owned());
                    text.push_str(&Value::String(sealed).to_string());
                } else if let Some(Value::String(begin)) = members.get("$numbered") {
                    text.push_str(&Value::String(format!("{begin}{}", self.number)).to_string());
                } else if let Some(Value::String(literal)) = members.get("$literal") {
                    text.push_str(literal);
                } else if let Some(Value::Array(ordered)) = members.get("$members") {
                    let pair =
                        |pair: &'_ Value| Some((pair.get(0)?.as_str()?.to_owned(), pair.get(1)?.clone()));
                    let pairs: Vec<(String, Value)> = ordered.iter().filter_map(pair).collect();
                    self.write_object(pairs.iter().map(|(name, member)| (name, member)), text);
                } else {
                    self.write_object(members.iter(), text);
                }
            }
            Value::Array(items) => {
                text.push('[');
                for (place, item) in items.iter().enumerate() {
                    text.push_str(if place == 0 { "" } else { "," });
                    self.write(item, text);
                }
                text.push(']');
            }
            plain => text.push_str(&plain.to_string()),
        }
    }

    fn write_object<'v>(&self, members: impl Iterator<Item = (&'v String, &'v Value)>, text: &mut String) {
        text.push('{');
        for (place, (name, member)) in members.enumerate() {
            text.push_str(if place == 0 { "" } else { "," });
            text.push_str(&Value::String(name.clone()).to_string());
            text.push(':');
            self.write(member, text);
        }
        text.push('}');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_is_json_with_what_cannot_stand_in_it() {
        let filling = Filling { number: 3, seal: &|plaintext| Some(format!("sealed {plaintext}")) };
        let body = json!({
            "a": [1, null, {"b": "\"é\n"}],
            "life": {"$literal": "9e2"},
            "text": {"$numbered": "t"},
            "jwe": {"$sealed": {"$members": [["z", "1"], ["a", {"$literal": "2.0"}]]}},
        });
        let wanted =
            r#"{"a":[1,null,{"b":"\"é\n"}],"jwe":"sealed {\"z\":\"1\",\"a\":2.0}","life":9e2,"text":"t3"}"#;
        assert_eq!(filling.written(&body), wanted);
    }

    #[test]
    fn what_is_plain_is_written_as_serde_writes_it() {
        let filling = Filling { number: 1, seal: &|_| None };
        for plain in [json!({"a": {}, "b": [], "c": 1.5, "d": true}), json!("x"), json!(null)] {
            assert_eq!(filling.written(&plain), plain.to_string());
        }
        assert_eq!(filling.written(&json!({"$sealed": {}})), r#""not sealed""#);
    }
}
