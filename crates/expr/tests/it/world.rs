//! The values that the tests look up.

use partitur_expr::{Expression, Lookup, Step, navigate};
use partitur_model::Payload;

/// An object whose members are the heads.
pub struct World(pub Payload);

impl World {
    /// From JSON.
    pub fn of(json: &str) -> World {
        World(Payload::parse(json).unwrap())
    }

    /// The values of the tables.
    pub fn usual() -> World {
        World::of(
            r#"{
                "inputs": {"month": "2024-11", "regions": ["de", "fr"], "limit": 10, "price": 0.10, "flag": true,
                           "nothing": null, "empty": [], "a key": {"x": 1}, "id": 12345678901234567890123,
                           "which": "month"},
                "orders": {"output": {"rows": 42, "total": 1234.50, "note": "say \"hi\"",
                                      "lines": [{"sku": "a", "x": 1, "tags": ["n"]}, {"sku": "b", "x": 2}, {"sku": "c", "x": 3}]}},
                "close-books": {"output": {"ok": true}, "error": null},
                "2024-import": {"output": 7},
                "in": {"output": 1}, "not": {"output": 2}, "true": {"output": 3},
                "pair": {"a": {"x": 1, "y": [2]}, "b": {"y": [2.0], "x": 1}, "c": {"y": [2], "z": 1}}
            }"#,
        )
    }
}

impl Lookup for World {
    fn lookup(&self, head: &str, steps: &[Step]) -> Option<Payload> {
        navigate(&self.0.member(head)?, steps)
    }
}

/// Each line: an expression, `=>`, the JSON of its value or `error: ` and the sentence.
pub fn check(table: &str) {
    check_in(&World::usual(), table);
}

/// As [`check`], with other values.
pub fn check_in(world: &World, table: &str) {
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (source, wanted) = line.rsplit_once("=>").expect("each line has an arrow");
        let expression = Expression::parse(source.trim()).unwrap_or_else(|error| panic!("{source}: {error}"));
        let found = match expression.value(world) {
            Ok(value) => value.render(),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(found, wanted.trim(), "{source}");
    }
}
