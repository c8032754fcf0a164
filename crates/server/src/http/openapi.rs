//! The reference, made from the table of routes: as OpenAPI for programs, as a page for people; both need no network.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::answer::{Answer, html, raw};
use super::routes::{Route, table};
use crate::auth::Right;

static DOCUMENT: LazyLock<String> = LazyLock::new(|| as_openapi(&table()).to_string());
static PAGE: LazyLock<String> = LazyLock::new(|| as_page(&table()));

pub(crate) async fn document() -> Answer {
    Ok(raw(DOCUMENT.clone()))
}

pub(crate) async fn page() -> Answer {
    Ok(html(PAGE.clone()))
}

fn as_openapi(routes: &[Route]) -> Value {
    let mut generator = generator();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in routes {
        let mut operation = json!({
            "tags": [route.group],
            "summary": route.summary,
            "operationId": operation_id(route),
            "parameters": parameters(route),
            "responses": {"200": {"description": "done"}, "default": {"description": "an error, with its message"}},
            "x-right": route.right.name(),
        });
        if route.right == Right::Open {
            operation["security"] = json!([]);
        }
        if let Some(body) = route.body {
            operation["requestBody"] = request_body(&body(&mut generator));
        }
        paths.entry(route.path).or_default().insert(route.method.as_str().to_ascii_lowercase(), operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Partitur", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
        "security": [{"token": []}, {"key": []}, {"bearer": []}, {}],
        "components": {"schemas": generator.take_definitions(true), "securitySchemes": security_schemes()},
    })
}

/// How clients say who they are; an open server asks nobody.
fn security_schemes() -> Value {
    let header = |name: &str, about: &str| json!({"type": "apiKey", "in": "header", "name": name, "description": about});
    json!({
        "token": header("X-Authorization", "a token from POST /api/token"),
        "key": header("X-API-Key", "an API key"),
        "bearer": {"type": "http", "scheme": "bearer", "description": "an API key"},
    })
}

/// Named schemas stand where OpenAPI has them.
fn generator() -> SchemaGenerator {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    settings.into_generator()
}

/// A text is sent as it is; whatever may be null may be left out.
fn request_body(schema: &Schema) -> Value {
    let is_text = schema.get("type").is_some_and(|kind| kind == "string");
    let content_type = if is_text { "text/plain" } else { "application/json" };
    json!({"required": !takes_null(schema), "content": {content_type: {"schema": schema}}})
}

fn takes_null(schema: &Schema) -> bool {
    let is_null = |kind: &Value| kind == "null";
    let by_type = schema.get("type").and_then(Value::as_array).is_some_and(|kinds| kinds.iter().any(is_null));
    let choices = schema.get("anyOf").and_then(Value::as_array);
    by_type || choices.is_some_and(|any| any.iter().any(|choice| choice.get("type").is_some_and(is_null)))
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
         :root{color-scheme:light dark}body{font:15px/1.5 system-ui;margin:2rem auto;max-width:70rem;padding:0 1rem}\
         td{padding:.2rem .8rem .2rem 0;vertical-align:top}code{white-space:nowrap}small{opacity:.7}nav a{margin-right:1rem}</style>\
         <h1>Partitur</h1><p>Also as <a href=\"/api-docs\">OpenAPI</a>.</p><nav>",
    );
    let mut groups: Vec<&str> = routes.iter().map(|route| route.group).chain(["Bodies"]).collect();
    groups.dedup();
    out.extend(groups.iter().map(|group| format!("<a href=\"#{}\">{group}</a> ", anchor(group))));
    out.push_str("</nav>");
    let mut generator = generator();
    let mut group = "";
    for route in routes {
        if route.group != group {
            out.push_str(if group.is_empty() { "" } else { "</table>" });
            group = route.group;
            out.push_str(&format!("<h2 id=\"{}\">{group}</h2><table>", anchor(group)));
        }
        let body = route.body.map(|body| format!("body: {}", type_name(&body(&mut generator))));
        let query = Some(route.query).filter(|query| !query.is_empty()).map(|query| format!("? {query}"));
        let below: Vec<String> = query.into_iter().chain(body).collect();
        out.push_str(&format!(
            "<tr><td><code>{}</code><td><code>{}</code><td><small>{}</small><td>{}<br><small>{}</small>",
            route.method,
            route.path,
            route.right.name(),
            route.summary,
            below.join("<br>")
        ));
    }
    out.push_str("</table><h2 id=\"bodies\">Bodies</h2>");
    for (name, schema) in generator.take_definitions(true) {
        out.push_str(&format!("<h3 id=\"{name}\">{name}</h3>{}", properties(&schema)));
    }
    out.push_str("</html>");
    out
}

fn anchor(group: &str) -> String {
    group.to_ascii_lowercase().replace(' ', "-")
}

/// The properties of an object, the words of an enumeration.
fn properties(schema: &Value) -> String {
    let mut out = format!("<p>{}</p><table>", description(schema));
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let kind = Schema::try_from(property.clone()).map(|schema| type_name(&schema)).unwrap_or_default();
        let about = description(property);
        out.push_str(&format!("<tr><td><code>{name}</code><td>{kind}<td>{about}"));
    }
    let row = |word: &str, about: String| format!("<tr><td><code>{word}</code><td><td>{about}");
    let plain = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    out.extend(plain.map(|word| row(word, String::new())));
    let told = schema["oneOf"].as_array().into_iter().flatten();
    out.extend(told.filter_map(|word| Some(row(word["const"].as_str()?, description(word)))));
    out.push_str("</table>");
    out
}

/// Our own words, in which only backticks mean something.
fn description(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    let parts = escaped.split('`').enumerate();
    parts
        .map(|(at, part)| if at % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() })
        .collect()
}

/// What people call a schema: with a link, if it has a name.
fn type_name(schema: &Schema) -> String {
    let of =
        |value: &Value| Schema::try_from(value.clone()).map(|schema| type_name(&schema)).unwrap_or_default();
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()) {
        return format!("<a href=\"#{name}\">{name}</a>");
    }
    let choices = schema.get("anyOf").or_else(|| schema.get("allOf")).and_then(Value::as_array);
    if let Some(choices) = choices {
        let names: Vec<String> = choices.iter().map(of).filter(|name| name != "null").collect();
        return names.join(" or ");
    }
    let kinds = match schema.get("type") {
        Some(Value::String(kind)) => vec![kind.as_str()],
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect()
        }
        Some(_) | None => vec!["anything"],
    };
    let item = schema.get("items").or_else(|| schema.get("additionalProperties")).map(of);
    match item {
        Some(item) => format!("{} of {item}", kinds.join(" or ")),
        None => kinds.join(" or "),
    }
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

    #[test]
    fn bodies_have_schemas_and_every_reference_leads_somewhere() {
        let document = as_openapi(&table());
        let body = |path: &str, verb: &str| &document["paths"][path][verb]["requestBody"];
        let start = body("/api/workflow", "post");
        assert_eq!(start["required"], true);
        let reference = &start["content"]["application/json"]["schema"]["$ref"];
        assert_eq!(reference, "#/components/schemas/StartWorkflowRequest");
        assert_eq!(body("/api/workflow/{name}", "post")["required"], false);
        assert!(body("/api/tasks/{taskId}/log", "post")["content"]["text/plain"].is_object());
        assert!(body("/api/workflow/{workflowId}/pause", "put").is_null());

        let schemas = document["components"]["schemas"].as_object().unwrap();
        assert!(schemas["WorkflowDef"]["properties"]["inputParameters"].is_object());
        let text = document.to_string();
        for name in text.split("\"$ref\":\"#/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            let name = name.strip_prefix("components/schemas/");
            assert!(name.is_some_and(|name| schemas.contains_key(name)), "{name:?}");
        }
    }

    #[test]
    fn the_page_tells_the_bodies() {
        let page = as_page(&table());
        assert!(page.contains("body: <a href=\"#WorkflowDef\">WorkflowDef</a>"));
        assert!(page.contains("<h3 id=\"TaskResult\">TaskResult</h3>"));
        assert!(page.contains("<code>FAILED_WITH_TERMINAL_ERROR</code>"));
    }
}
