//! The reference, made from the table of routes: as OpenAPI for programs, as a page for people; both need no network.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::answer::{Answer, html, raw};
use super::routes::{Route, table};

static DOCUMENT: LazyLock<String> = LazyLock::new(|| as_openapi(&table()).to_string());
static PAGE: LazyLock<String> = LazyLock::new(|| as_page(&table()));

pub(crate) async fn document() -> Answer {
    Ok(raw(DOCUMENT.clone()))
}

pub(crate) async fn page() -> Answer {
    Ok(html(PAGE.clone()))
}

fn as_openapi(routes: &[Route]) -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in routes {
        let operation = json!({
            "tags": [route.group],
            "summary": route.summary,
            "operationId": operation_id(route),
            "parameters": parameters(route),
            "responses": {"200": {"description": "done"}, "default": {"description": "an error, with its message"}},
        });
        paths.entry(route.path).or_default().insert(route.method.as_str().to_ascii_lowercase(), operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Partitur", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
    })
}

fn operation_id(route: &Route) -> String {
    let path = route.path.trim_start_matches('/').replace(['/', '-'], "_").replace(['{', '}'], "");
    format!("{}_{path}", route.method.as_str().to_ascii_lowercase())
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = in_path
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
    let in_query =
        query_names(route).map(|name| json!({"name": name, "in": "query", "schema": {"type": "string"}}));
    in_path.chain(in_query).collect()
}

/// `count=1, timeout=100 (ms, at most 5000)` names `count` and `timeout`.
fn query_names(route: &Route) -> impl Iterator<Item = &str> {
    let is_name =
        |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let parts = route.query.split(',').map(|part| part.trim().split(['=', ' ']).next().unwrap_or_default());
    parts.filter(is_name).filter(|name| *name != "at")
}

fn as_page(routes: &[Route]) -> String {
    let mut out = String::from(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Partitur: routes</title><style>\
         body{font:15px/1.5 system-ui;margin:2rem auto;max-width:70rem;padding:0 1rem}\
         td{padding:.2rem .8rem .2rem 0;vertical-align:top}code{white-space:nowrap}small{color:#666}</style>\
         <h1>Partitur</h1><p>Also as <a href=\"/api-docs\">OpenAPI</a>.</p>",
    );
    let mut group = "";
    for route in routes {
        if route.group != group {
            out.push_str(if group.is_empty() { "" } else { "</table>" });
            group = route.group;
            out.push_str(&format!("<h2>{group}</h2><table>"));
        }
        let query = if route.query.is_empty() {
            String::new()
        } else {
            format!("<br><small>{}</small>", route.query)
        };
        out.push_str(&format!(
            "<tr><td><code>{}</code><td><code>{}</code><td>{}{query}",
            route.method, route.path, route.summary
        ));
    }
    out.push_str("</table></html>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_an_id_of_its_own() {
        let routes = table();
        let ids: std::collections::BTreeSet<String> = routes.iter().map(operation_id).collect();
        assert_eq!(ids.len(), routes.len());
    }

    #[test]
    fn the_names_of_parameters_are_read_from_their_sentence() {
        let document = as_openapi(&table());
        let parameters = &document["paths"]["/api/tasks/poll/batch/{tasktype}"]["get"]["parameters"];
        let names: Vec<&str> =
            parameters.as_array().unwrap().iter().filter_map(|it| it["name"].as_str()).collect();
        assert_eq!(names, ["tasktype", "workerid", "domain", "count", "timeout"]);
    }
}
