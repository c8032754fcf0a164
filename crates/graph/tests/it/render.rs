//! Pictures as people and other programs get them, and that no name in them becomes code.

use insta::assert_snapshot;
use partitur_graph::render::{Form, Group, Item, Link, Picture, State, dot, html, mermaid, svg, text};

fn item(name: &str, detail: &str) -> Item {
    Item { name: name.to_owned(), detail: detail.to_owned(), ..Item::default() }
}

fn link(from: u32, to: u32) -> Link {
    Link { from, to, ..Link::default() }
}

/// A run that has come to its middle: two tests in a container, one of them on the critical path.
fn build() -> Picture {
    let mut items = vec![
        item("compile", "~3.0s"),
        item("tests", "for-each · 2 parts"),
        item("unit", ""),
        item("whole", ""),
        item("good?", ""),
        item("publish", "~1.0s"),
        item("tell", ""),
    ];
    items[1].form = Form::Container;
    items[2].inside = Some(1);
    items[3].inside = Some(1);
    items[4].form = Form::Choice;
    let states = [State::Succeeded, State::Running, State::Succeeded, State::Retrying];
    for (item, state) in items.iter_mut().zip(states) {
        item.state = Some(state);
    }
    let mut links = vec![link(0, 1), link(2, 3), link(1, 4), link(4, 5), link(4, 6)];
    links[3].label = "case yes".to_owned();
    for critical in [0, 1, 4] {
        items[critical].critical = true;
    }
    links[0].critical = true;
    links[2].critical = true;
    Picture {
        title: "build".to_owned(),
        subtitle: "7 tasks".to_owned(),
        items,
        links,
        groups: vec![Group { name: "all".to_owned(), kind: "tag" }],
    }
}

/// Names that would be code if a writer let them.
const HOSTILE: [&str; 9] = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"]; evil [label=\"",
    "a\"] --> b; click a href \"javascript:alert(1)\"",
    "`**bold**` #quot; 1. one\nend\n",
    "\\\" \\N \\",
    "]]> & &lt; <!--",
    "\u{1b}[2J\u{0}\u{202e}back",
    "{{script}} {{data}} \u{2028}",
];

fn hostile() -> Picture {
    let mut picture = Picture {
        title: HOSTILE[0].to_owned(),
        subtitle: HOSTILE[1].to_owned(),
        groups: HOSTILE.map(|name| Group { name: name.to_owned(), kind: "prefix" }).to_vec(),
        ..Picture::default()
    };
    for (number, name) in (0u32..).zip(HOSTILE) {
        let state = Some(State::ALL[number as usize]);
        picture.items.push(Item { state, group: Some(number), ..item(name, name) });
        if number > 0 {
            picture.links.push(Link { label: name.to_owned(), ..link(number - 1, number) });
        }
    }
    picture
}

#[test]
fn a_terminal_shows_who_waits_for_whom() {
    assert_snapshot!(text(&build(), false), @r"
    build  7 tasks

    ✓    compile  ~3.0s  ◆
    ▸    tests  for-each · 2 parts  ◆
    │    ✓  unit
    │    ↻  whole
    ●    good?  ◆
    ├─●  publish  ~1.0s
    ●    tell

    ◆ critical path
    ");
}

#[test]
fn graphviz_gets_clusters_and_looks() {
    assert_snapshot!(dot(&build()), @r##"
    digraph "build" {
      rankdir=LR;
      node [shape=box, style="rounded,filled", fillcolor="#fffdf8", color="#b3ab9c", fontname="Helvetica"];
      edge [color="#aaa294", fontname="Helvetica", fontsize=10];
      n0 [label="✓ compile\n~3.0s", color="#b4533a", penwidth=2.6, fillcolor="#e3f0e2"];
      subgraph cluster_1 {
        n1 [label="▸ tests\nfor-each · 2 parts", shape=folder, style=filled, color="#b4533a", penwidth=2.6, fillcolor="#dcecf6"];
        n2 [label="✓ unit", color="#3b7d55", fillcolor="#e3f0e2"];
        n3 [label="↻ whole", color="#a86a12", fillcolor="#fbeccd", style="rounded,filled,dashed"];
      }
      n4 [label="good?", shape=diamond, style=filled, color="#b4533a", penwidth=2.6];
      n5 [label="publish\n~1.0s"];
      n6 [label="tell"];
      n0 -> n1 [color="#b4533a", penwidth=2.6];
      n2 -> n3 [penwidth=1.2];
      n1 -> n4 [color="#b4533a", penwidth=2.6];
      n4 -> n5 [label="case yes", style=dashed, penwidth=1.2];
      n4 -> n6 [penwidth=1.2];
    }
    "##);
}

#[test]
fn mermaid_gets_sub_graphs_and_classes() {
    assert_snapshot!(mermaid(&build()), @r#"
    flowchart LR
      n0["✓ compile<br/>~3.0s"]
      subgraph n1["▸ tests<br/>for-each · 2 parts"]
        n2["✓ unit"]
        n3["↻ whole"]
      end
      n4{"good#63;"}
      n5["publish<br/>~1.0s"]
      n6["tell"]
      n0 ==> n1
      n2 --> n3
      n1 ==> n4
      n4 -.->|"case yes"| n5
      n4 --> n6
      classDef s2 fill:#dcecf6,stroke:#1f6fa8
      class n1 s2
      classDef s3 fill:#fbeccd,stroke:#a86a12,stroke-dasharray:6 3
      class n3 s3
      classDef s4 fill:#e3f0e2,stroke:#3b7d55
      class n0,n2 s4
      classDef critical stroke:#b4533a,stroke-width:3px
      class n0,n1,n4 critical
    "#);
}

#[test]
fn no_name_becomes_code_for_graphviz_mermaid_or_a_terminal() {
    assert_snapshot!(dot(&hostile()).lines().skip(4).take(9).collect::<Vec<_>>().join("\n"), @r##"
    n0 [label="· </script><script>alert(1)</script>\n</script><script>alert(1)</script>", color="#a59d90", fillcolor="#f6f2e8", style="rounded,filled,dashed"];
    n1 [label="◦ <img src=x onerror=alert(1)>\n<img src=x onerror=alert(1)>", color="#6d6878", fillcolor="#fffdf8"];
    n2 [label="▸ \"]; evil [label=\"\n\"]; evil [label=\"", color="#1f6fa8", fillcolor="#dcecf6"];
    n3 [label="↻ a\"] --> b; click a href \"javascript:alert(1)\"\na\"] --> b; click a href \"javascript:alert(1)\"", color="#a86a12", fillcolor="#fbeccd", style="rounded,filled,dashed"];
    n4 [label="✓ `**bold**` #quot; 1. one\nend\n\n`**bold**` #quot; 1. one\nend\n", color="#3b7d55", fillcolor="#e3f0e2"];
    n5 [label="✗ \\\" \\N \\\n\\\" \\N \\", color="#b3261e", fillcolor="#f9dcd6"];
    n6 [label="∅ ]]> & &lt; <!--\n]]> & &lt; <!--", color="#a59d90", fillcolor="#f1ede3", style="rounded,filled,dashed"];
    n7 [label="⊘ �[2J��back\n�[2J��back", color="#8a5a2b", fillcolor="#f3e6d6", style="rounded,filled,dashed"];
    n8 [label="↶ {{script}} {{data}}  \n{{script}} {{data}}  ", color="#7d5191", fillcolor="#eee2f3", style="rounded,filled,dashed"];
    "##);
    assert_snapshot!(mermaid(&hostile()).lines().skip(1).take(9).collect::<Vec<_>>().join("\n"), @r#"
    n0["· #60;/script#62;#60;script#62;alert(1)#60;/script#62;<br/>#60;/script#62;#60;script#62;alert(1)#60;/script#62;"]
    n1["◦ #60;img src=x onerror=alert(1)#62;<br/>#60;img src=x onerror=alert(1)#62;"]
    n2["▸ #34;#93;#59; evil #91;label=#34;<br/>#34;#93;#59; evil #91;label=#34;"]
    n3["↻ a#34;#93; --#62; b#59; click a href #34;javascript:alert(1)#34;<br/>a#34;#93; --#62; b#59; click a href #34;javascript:alert(1)#34;"]
    n4["✓ #96;#42;#42;bold#42;#42;#96; #35;quot#59; 1. one end <br/>#96;#42;#42;bold#42;#42;#96; #35;quot#59; 1. one end "]
    n5["✗ #92;#34; #92;N #92;<br/>#92;#34; #92;N #92;"]
    n6["∅ #93;#93;#62; #38; #38;lt#59; #60;#33;--<br/>#93;#93;#62; #38; #38;lt#59; #60;#33;--"]
    n7["⊘ �#91;2J��back<br/>�#91;2J��back"]
    n8["↶ #123;#123;script#125;#125; #123;#123;data#125;#125;  <br/>#123;#123;script#125;#125; #123;#123;data#125;#125;  "]
    "#);
    let told = text(&hostile(), false);
    assert!(!told.contains(['\u{1b}', '\u{0}', '\u{202e}']), "{told}");
    assert!(told.lines().count() < 2 * HOSTILE.len(), "no name makes a line of its own: {told}");
}

#[test]
fn no_name_becomes_markup_in_an_svg() {
    let drawn = svg(&hostile());
    let known = ["svg", "title", "style", "rect", "text", "tspan", "g", "path"]
        .map(|tag| [tag.to_owned(), format!("/{tag}")]);
    let known = known.concat();
    for tag in drawn.split('<').skip(1) {
        let name: String = tag.chars().take_while(|c| !matches!(c, ' ' | '>')).collect();
        assert!(known.contains(&name), "<{tag}");
        assert!(tag.matches('>').count() == 1, "<{tag}");
    }
    // An ampersand begins one of the five entities, or nothing was escaped.
    for after in drawn.split('&').skip(1) {
        assert!(
            ["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|entity| after.starts_with(entity)),
            "&{after}"
        );
    }
    assert!(!drawn.contains(|c: char| c.is_control() && c != '\n'));
}

#[test]
fn a_page_gets_names_as_data_and_asks_nobody_for_anything() {
    let page = html(&hostile());
    let (_, after) = page.split_once("<script id=\"data\" type=\"application/json\">").unwrap();
    let (data, _) = after.split_once("</script>").unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    for (item, name) in data["items"].as_array().unwrap().iter().zip(HOSTILE) {
        let shown = item[0].as_str().unwrap();
        assert_eq!(shown.chars().count(), name.chars().count());
        assert!(!shown.contains(|c: char| c.is_control()));
    }
    assert_eq!(page.matches("<script").count(), 2, "the data and the viewer");
    assert!(page.contains("default-src 'none'"));
    for loader in ["src=\"", "href=\"", "@import", "url(", "fetch(", "XMLHttpRequest", "import("] {
        let viewer = html(&Picture::default());
        assert!(!viewer.contains(loader), "{loader}");
    }
}

#[test]
fn nothing_is_drawn_too() {
    let nothing = Picture { title: "nothing".to_owned(), ..Picture::default() };
    assert!(svg(&nothing).contains("nothing"));
    assert!(html(&nothing).contains("nothing"));
    assert_eq!(text(&nothing, false), "nothing\n\n");
    assert!(dot(&nothing).starts_with("digraph \"nothing\" {"));
    assert_eq!(mermaid(&nothing), "flowchart LR\n");
}

#[test]
fn a_state_never_differs_by_colour_alone() {
    let mut seen: Vec<String> = Vec::new();
    for state in State::ALL {
        let picture =
            Picture { items: vec![Item { state: Some(state), ..item("x", "") }], ..Picture::default() };
        seen.push(text(&picture, false));
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), State::ALL.len());
}
