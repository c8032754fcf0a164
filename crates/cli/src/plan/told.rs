//! What follows from a plan, in words and as JSON.

use std::time::Duration;

use partitur_graph::{Change, Cut};
use partitur_report::short;
use serde_json::{Value, json};

use super::study::{Advice, Split, Study};
use super::{Plan, listed, listed_with};
use crate::shape::Shape;

/// What follows from the plan.
impl Plan {
    /// For people.
    pub fn study_text(&self, shape: &Shape<'_>, splits: &[Split]) -> String {
        let Some(study) = self.study.as_ref().filter(|_| self.tasks() > 0) else { return String::new() };
        let name = |&node: &u32| shape.nodes[node as usize].name.clone();
        let time = |millis: u64| short(Duration::from_millis(millis));
        let critical: Vec<String> = study.critical.iter().map(name).collect();
        let mut text =
            format!("\ncritical path  {}: {}\n", time(study.critical_length), listed_with(&critical, " → "));
        text += &format!(
            "parallelism    {} at most, {:.1} on average\n",
            study.parallelism.widest, study.parallelism.average
        );
        text += &groups_text(study, shape);
        text += "\nat once     takes   speed-up\n";
        for &(workers, makespan) in &study.curve {
            let factor = study.work as f64 / makespan.max(1) as f64;
            text += &format!("{workers:>7}  {:>8}   {factor:.2} ×\n", time(makespan));
        }
        text += &self.advice_text(study);
        for split in splits {
            text += &self.split_text(shape, split);
        }
        text
    }

    fn advice_text(&self, study: &Study) -> String {
        if study.advice.is_empty() {
            return "\nno single dependency, lock or limit costs time\n".to_owned();
        }
        let mut text = "\nwhat costs time, found by planning without it\n".to_owned();
        for Advice { words, makespan, .. } in &study.advice {
            let gain = study.makespan - makespan;
            let percent = gain as f64 * 100.0 / study.makespan as f64;
            text += &format!("{:>8}  {percent:>3.0} %  {words}\n", short(Duration::from_millis(gain)));
        }
        text
    }

    fn split_text(&self, shape: &Shape<'_>, split: &Split) -> String {
        let time = |millis: u64| short(Duration::from_millis(millis));
        let partition = &split.partition;
        let mut text = format!(
            "\non {} machines by {}, {} at once on each: {}, {} lost against one queue for all\n\
             {} of {} dependencies cross, {} sent\n",
            partition.loads.len(),
            cut_name(split.cut),
            self.at_once,
            time(partition.makespan),
            time(split.lost),
            partition.crossing,
            shape.csr.edges(),
            match partition.transfers {
                1 => "1 result is".to_owned(),
                many => format!("{many} results are"),
            },
        );
        for (machine, load) in partition.loads.iter().enumerate() {
            text += &format!(
                "  {}  {:>7}  {}\n",
                machine + 1,
                time(*load),
                listed(&members(shape, split, machine))
            );
        }
        text
    }

    /// For programs, with all that the plan says.
    pub fn study_json(&self, shape: &Shape<'_>, splits: &[Split]) -> Value {
        let mut told = self.json();
        let Some(study) = &self.study else { return told };
        let name = |&node: &u32| shape.nodes[node as usize].name.clone();
        let names = |nodes: &[u32]| nodes.iter().map(name).collect::<Vec<_>>();
        told["critical_path"] = json!({"ms": study.critical_length, "tasks": names(&study.critical)});
        told["parallelism"] =
            json!({"widest": study.parallelism.widest, "average": study.parallelism.average});
        told["work_ms"] = json!(study.work);
        told["groups"] = study.groups.iter().map(|group| json!(names(group))).collect();
        let step =
            |&(workers, makespan): &(u32, u64)| json!({"concurrency": workers, "makespan_ms": makespan});
        told["curve"] = study.curve.iter().map(step).collect();
        told["advice"] = study.advice.iter().map(|advice| advice_json(shape, study, advice)).collect();
        if !splits.is_empty() {
            told["partitions"] = splits.iter().map(|split| split_json(shape, split)).collect();
        }
        told
    }
}

fn groups_text(study: &Study, shape: &Shape<'_>) -> String {
    let groups = &study.groups;
    if groups.len() == 1 {
        return String::new();
    }
    let first = |group: &Vec<u32>| {
        let name = &shape.nodes[group[0] as usize].name;
        if group.len() == 1 { name.clone() } else { format!("{name} and {} with it", group.len() - 1) }
    };
    format!(
        "independent    {} groups: {}\n",
        groups.len(),
        listed(&groups.iter().map(first).collect::<Vec<_>>())
    )
}

fn cut_name(cut: Cut) -> &'static str {
    match cut {
        Cut::Levels => "levels",
        Cut::Chains => "chains",
    }
}

fn members(shape: &Shape<'_>, split: &Split, machine: usize) -> Vec<String> {
    let here = shape.nodes.iter().zip(&split.partition.machine).filter(|(_, at)| **at as usize == machine);
    here.map(|(node, _)| node.name.clone()).collect()
}

fn advice_json(shape: &Shape<'_>, study: &Study, advice: &Advice) -> Value {
    let name = |node: u32| &shape.nodes[node as usize].name;
    let change = match advice.change {
        Change::WithoutEdge(from, to) => {
            json!({"without": "dependency", "task": name(to), "needs": name(from)})
        }
        Change::WithoutLimit(_) => json!({"without": "limit"}),
    };
    json!({
        "change": change,
        "words": advice.words,
        "makespan_ms": advice.makespan,
        "saves_ms": study.makespan - advice.makespan,
    })
}

fn split_json(shape: &Shape<'_>, split: &Split) -> Value {
    let partition = &split.partition;
    let machine =
        |(machine, load): (usize, &u64)| json!({"ms": load, "tasks": members(shape, split, machine)});
    json!({
        "by": cut_name(split.cut),
        "makespan_ms": partition.makespan,
        "lost_ms": split.lost,
        "crossing": partition.crossing,
        "transfers": partition.transfers,
        "machines": partition.loads.iter().enumerate().map(machine).collect::<Vec<_>>(),
    })
}
