//! Copies of a value with one thing changed: what a schema and a loader have to agree on.

use serde_json::{Value, json};

/// Everything in `value` replaced by each of `others`, every member left out, and every object with one member more; each
/// copy with what was done to it. What stands in an object at the end of a pointer of `free` stays as it is.
pub(crate) fn copies(value: &Value, others: &[Value], free: &[&str]) -> Vec<(String, Value)> {
    let mut pointers = Vec::new();
    collect(value, String::new(), free, &mut pointers);
    let mut all = Vec::new();
    for at in pointers {
        for other in others {
            let mut copy = value.clone();
            *copy.pointer_mut(&at).expect("it is there") = other.clone();
            all.push((format!("{at} = {other}"), copy));
        }
        let Some(members) = value.pointer(&at).and_then(Value::as_object) else { continue };
        for name in members.keys() {
            let mut copy = value.clone();
            copy.pointer_mut(&at).and_then(Value::as_object_mut).expect("an object").remove(name);
            all.push((format!("{at} without {name}"), copy));
        }
        let mut copy = value.clone();
        let object = copy.pointer_mut(&at).and_then(Value::as_object_mut).expect("an object");
        object.insert("zzz".into(), json!("zzz"));
        all.push((format!("{at} with zzz"), copy));
    }
    all
}

fn collect(value: &Value, at: String, free: &[&str], pointers: &mut Vec<String>) {
    if let Some(members) = value.as_object().filter(|_| !free.iter().any(|end| at.ends_with(end))) {
        for (name, member) in members {
            collect(member, format!("{at}/{name}"), free, pointers);
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        collect(item, format!("{at}/{index}"), free, pointers);
    }
    pointers.push(at);
}
