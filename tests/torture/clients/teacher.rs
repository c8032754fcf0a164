//! Registers definitions, replaces them and forgets them again.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Hand, Life};

/// Teaches for as long as the server lives.
pub fn live(mut hand: Hand<'_>) -> Life {
    while hand.shared.goes_on() && !hand.shared.finishes() {
        match hand.dice.below(3) {
            0 => task(&mut hand)?,
            _ => workflow(&mut hand)?,
        }
        std::thread::sleep(Duration::from_millis(hand.dice.below(20) as u64));
    }
    Ok(())
}

fn workflow(hand: &mut Hand<'_>) -> Life {
    let (name, version) = (format!("taught{}", hand.dice.below(6)), hand.dice.between(1, 3));
    let path = format!("/api/metadata/workflow/{name}?version={version}");
    if hand.dice.once_in(3) {
        return forget(hand, &path, &format!("/api/metadata/workflow/{name}/{version}"));
    }
    let mark = hand.shared.ledger().mark();
    let definition = json!({
        "name": name, "version": version, "schemaVersion": 2, "description": mark, "ownerEmail": "a@b.cd",
        "tasks": [{"name": "none", "taskReferenceName": "a", "type": "SIMPLE"}],
    });
    let (method, at, body) = match hand.dice.below(2) {
        0 => ("POST", "/api/metadata/workflow?overwrite=true", definition.clone()),
        _ => ("PUT", "/api/metadata/workflow", json!([definition])),
    };
    keep(hand, &path, definition, method, at, &body)
}

fn task(hand: &mut Hand<'_>) -> Life {
    let path = format!("/api/metadata/taskdefs/taught{}", hand.dice.below(6));
    if hand.dice.once_in(3) {
        return forget(hand, &path, &path);
    }
    let mark = hand.shared.ledger().mark();
    let name = path.rsplit('/').next().expect("a path has parts");
    let definition = json!({
        "name": name, "description": mark, "retryCount": 1, "timeoutSeconds": 0, "responseTimeoutSeconds": 10,
        "ownerEmail": "a@b.cd",
    });
    keep(hand, &path, definition.clone(), "POST", "/api/metadata/taskdefs", &json!([definition]))
}

fn keep(hand: &mut Hand<'_>, path: &str, definition: Value, method: &str, at: &str, body: &Value) -> Life {
    hand.shared.ledger().teaches(path, Some(definition));
    hand.must(method, at, Some(body))?;
    hand.shared.ledger().taught(path);
    Ok(())
}

fn forget(hand: &mut Hand<'_>, path: &str, at: &str) -> Life {
    hand.shared.ledger().teaches(path, None);
    let reply = hand.change("DELETE", at, None)?;
    assert!(matches!(reply.status, 200 | 404), "{at}: {reply:?}");
    hand.shared.ledger().taught(path);
    Ok(())
}
