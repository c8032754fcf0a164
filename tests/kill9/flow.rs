//! Random documents: 10 to 40 tasks of every kind whose order, locks and retries matter.

use partitur_tests::Dice;
use serde_json::{Value, json};

/// How many tasks live at once.
pub const AT_ONCE: &str = "5";

/// A document, and the sub-flows that it uses, by their names.
pub struct Flow {
    pub document: Value,
    pub sub_flows: Vec<(String, Value)>,
}

/// Makes a document; the same seed makes the same.
pub fn random(seed: u64) -> Flow {
    let mut maker = Maker {
        dice: Dice::new(seed),
        document: json!({
            "name": format!("random-{seed}"),
            "resources": { "gpu": 3 },
            "tasks": {},
            "outputs": {},
        }),
        yields: Vec::new(),
        lists: Vec::new(),
        sub_flows: Vec::new(),
    };
    let count = maker.dice.between(10, 40);
    for index in 0..count {
        maker.add(&format!("t{index}"));
    }
    Flow { document: maker.document, sub_flows: maker.sub_flows }
}

struct Maker {
    dice: Dice,
    document: Value,
    /// The tasks so far, and where the output of each has its sum.
    yields: Vec<(String, String)>,
    /// Those that yield a list.
    lists: Vec<String>,
    sub_flows: Vec<(String, Value)>,
}

impl Maker {
    fn add(&mut self, name: &str) {
        let before = self.some_before();
        let (mut task, sum) = match self.dice.below(12) {
            0 | 1 => self.fan(name, &before),
            2 => (self.wait(&before), None),
            3 => (self.looping(name), Some("1.ask.sum".to_owned())),
            4 => (self.sub_flow(name, &before), Some("sum".to_owned())),
            _ => (self.command(name, &before), Some("sum".to_owned())),
        };
        let mut needs: Vec<String> = before.iter().map(|(name, _)| name.clone()).collect();
        if let Some(list) = task["for-each"].as_str().map(|text| text[2..].split('.').next().unwrap_or("")) {
            needs.push(list.to_owned());
        }
        needs.sort();
        needs.dedup();
        task["needs"] = json!(needs);
        self.document["tasks"][name] = task;
        self.document["outputs"][name] = json!(format!("${{{name}.output}}"));
        if let Some(sum) = sum {
            self.yields.push((name.to_owned(), format!("${{{name}.output.{sum}}}")));
        }
    }

    /// Up to three earlier tasks whose outputs the next one takes.
    fn some_before(&mut self) -> Vec<(String, String)> {
        let count = self.dice.below(4).min(self.yields.len());
        let mut some: Vec<_> =
            (0..count).map(|_| self.yields[self.dice.below(self.yields.len())].clone()).collect();
        some.sort();
        some.dedup();
        some
    }

    fn command(&mut self, name: &str, before: &[(String, String)]) -> Value {
        let mut run = self.work(before);
        if self.dice.once_in(4) {
            run.extend(["--list".to_owned(), self.dice.between(2, 5).to_string()]);
            self.lists.push(name.to_owned());
        }
        let mut task = self.fragile(run);
        self.claim(&mut task);
        task
    }

    /// A command that fails as often as it may: if a crash used up an attempt, one would be missing.
    fn fragile(&mut self, mut run: Vec<String>) -> Value {
        let mut task = json!({});
        if self.dice.once_in(3) {
            let failures = self.dice.between(1, 3);
            run.extend(["--fail-first".to_owned(), failures.to_string()]);
            task["retry"] = json!({ "attempts": failures + 1, "base": "20ms", "errors": ["exit-75"] });
        }
        task["run"] = json!(run);
        task
    }

    fn work(&mut self, before: &[(String, String)]) -> Vec<String> {
        let mut run = vec!["./task".to_owned(), "work".to_owned()];
        run.extend(["--ms".to_owned(), self.dice.between(5, 120).to_string()]);
        if self.dice.once_in(3) {
            run.push("--children".to_owned());
        }
        for (_, sum) in before {
            run.extend(["--input".to_owned(), sum.clone()]);
        }
        run
    }

    /// Some tasks hold a lock, and prove that it holds.
    fn claim(&mut self, task: &mut Value) {
        let file = format!("shared/{}", self.dice.below(2));
        let (claim, proof) = match self.dice.below(6) {
            0 => (json!(format!("file:{file}")), vec!["--alone".to_owned(), file.replace('/', ":")]),
            1 => (
                json!({ "resource": format!("file:{file}"), "mode": "shared" }),
                vec!["--among".to_owned(), file.replace('/', ":")],
            ),
            2 => {
                let units = self.dice.between(1, 2);
                let proof = ["--units", &units.to_string(), "--of", "3", "gpu"].map(str::to_owned).to_vec();
                (json!({ "resource": "gpu", "units": units }), proof)
            }
            _ => return,
        };
        task["locks"] = json!([claim]);
        let run = task["run"].as_array_mut().expect("commands are lists");
        run.extend(proof.into_iter().map(Value::from));
    }

    fn fan(&mut self, name: &str, before: &[(String, String)]) -> (Value, Option<String>) {
        let mut work = self.work(before);
        work.extend(["--input".to_owned(), "${each.value}".to_owned()]);
        let mut task = self.fragile(work);
        if self.dice.once_in(2) {
            self.claim(&mut task);
        }
        if self.dice.once_in(3) {
            // The branches are sub-graphs of two tasks.
            let mut second = vec!["./task", "work", "--ms", "10", "--input"].into_iter().map(str::to_owned);
            let second: Vec<String> = second.by_ref().chain([format!("${{{name}a.output.sum}}")]).collect();
            let (first, last) = (format!("{name}a"), format!("{name}b"));
            let body = json!({ first.clone(): task, last: { "needs": [first], "run": second } });
            task = json!({ "tasks": body });
        }
        task["for-each"] = match self.lists.last() {
            Some(list) if self.dice.once_in(2) => json!(format!("${{{list}.output.list}}")),
            _ => json!((0..self.dice.between(2, 5)).map(|branch| format!("c{branch}")).collect::<Vec<_>>()),
        };
        task["key"] = json!("${each.value}");
        if self.dice.once_in(2) {
            task["max-parallel"] = json!(2);
        }
        (task, None)
    }

    fn wait(&mut self, before: &[(String, String)]) -> Value {
        match before.first() {
            // The file is there when the wait begins, or comes later.
            Some(_) if self.dice.once_in(2) => json!({ "wait": { "file": "journal", "at-most": "1h" } }),
            _ => json!({ "wait": format!("{}ms", self.dice.between(10, 150)) }),
        }
    }

    fn looping(&mut self, name: &str) -> Value {
        let rounds = self.dice.between(2, 4);
        let run = ["./task", "work", "--ms", "15", "--input", name];
        json!({ "loop": {
            "tasks": { "ask": { "run": run } },
            "while": format!("self.iteration < {rounds}"),
            "at-most": rounds,
        } })
    }

    fn sub_flow(&mut self, name: &str, before: &[(String, String)]) -> Value {
        let file = format!("{name}.json");
        let inner = |number: usize| format!("{name}s{number}");
        let given = ["--input".to_owned(), "${inputs.given}".to_owned()];
        let first: Vec<String> = self.work(&[]).into_iter().chain(given).collect();
        let first = self.fragile(first);
        let second = self.work(&[(inner(0), format!("${{{}.output.sum}}", inner(0)))]);
        let sub = json!({
            "name": name,
            "inputs": { "given": { "type": "string", "default": "nothing" } },
            "tasks": { inner(0): first, inner(1): { "needs": [inner(0)], "run": second } },
            "outputs": { "sum": format!("${{{}.output.sum}}", inner(1)) },
        });
        self.sub_flows.push((file.clone(), sub));
        match before.first() {
            Some((_, sum)) => json!({ "flow": file, "with": { "given": sum } }),
            None => json!({ "flow": file }),
        }
    }
}
