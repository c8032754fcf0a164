//! Fields that nobody is shown: the workers alone get their values.

use std::borrow::Cow;

use partitur_model::Payload;

/// What stands in place of a value.
const MASK: &str = "***";

/// A payload without the values of these fields, at whatever depth.
pub fn masked<'a>(payload: &'a Payload, fields: &[String]) -> Cow<'a, Payload> {
    if fields.is_empty() { Cow::Borrowed(payload) } else { Cow::Owned(without(payload, fields)) }
}

fn without(payload: &Payload, fields: &[String]) -> Payload {
    if let Some(entries) = payload.entries() {
        let entry = |(key, value): (std::sync::Arc<str>, Payload)| {
            let value = if fields.iter().any(|field| **field == *key) {
                Payload::string(MASK)
            } else {
                without(&value, fields)
            };
            (key, value)
        };
        Payload::Object(entries.into_iter().map(entry).collect())
    } else if let Some(elements) = payload.elements() {
        Payload::list(elements.iter().map(|element| without(element, fields)))
    } else {
        payload.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_masked_at_every_depth_and_everything_else_stays() {
        let payload = Payload::parse(r#"{"card":{"no":1},"list":[{"card":2,"sum":0.10}],"b":null}"#).unwrap();
        let shown = masked(&payload, &["card".to_owned()]).render();
        assert_eq!(shown, r#"{"card":"***","list":[{"card":"***","sum":0.10}],"b":null}"#);
        assert_eq!(masked(&payload, &[]).render(), payload.render());
    }
}
