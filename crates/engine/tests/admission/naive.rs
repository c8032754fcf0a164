//! Who may hold what together, said as plainly as possible: every pair of claims is compared.

use std::collections::BTreeMap;

use partitur_engine::admission::TaskKey;

/// A claim as the model sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The full name.
    pub name: String,
    /// Alone.
    pub exclusive: bool,
    /// Of a counted resource.
    pub units: u32,
}

/// Who holds what.
#[derive(Clone, Debug, Default)]
pub struct Naive {
    pub capacities: BTreeMap<String, u32>,
    pub holders: BTreeMap<TaskKey, Vec<Claim>>,
    pub waiting: BTreeMap<TaskKey, Vec<Claim>>,
}

impl Naive {
    /// Whether a task with these claims may hold them beside all others.
    pub fn admits(&self, claims: &[Claim]) -> bool {
        claims.iter().all(|claim| match path(&claim.name) {
            Some(wanted) => self.all_held().all(|held| {
                path(&held.name).is_none_or(|held_path| {
                    !overlap(wanted, held_path) || !(claim.exclusive || held.exclusive)
                })
            }),
            None => self.admits_units(claim, claims),
        })
    }

    fn admits_units(&self, claim: &Claim, own: &[Claim]) -> bool {
        let mine = own.iter().filter(|other| other.name == claim.name);
        let units = mine.clone().filter(|claim| claim.exclusive).map(|claim| claim.units).max();
        let held =
            || self.holders.values().map(|claims| claims.iter().filter(|held| held.name == claim.name));
        let readers =
            held().any(|mut claims| claims.clone().next().is_some() && claims.all(|held| !held.exclusive));
        let used: u32 = held()
            .filter_map(|claims| claims.filter(|held| held.exclusive).map(|held| held.units).max())
            .sum();
        match units {
            Some(units) => !readers && used + units <= self.capacities.get(&claim.name).copied().unwrap_or(1),
            None => used == 0,
        }
    }

    fn all_held(&self) -> impl Iterator<Item = &Claim> {
        self.holders.values().flatten()
    }
}

fn path(name: &str) -> Option<&str> {
    name.strip_prefix("file:").or_else(|| name.strip_prefix("dir:"))
}

/// One is the other, or lies above it.
fn overlap(a: &str, b: &str) -> bool {
    let parts =
        |path: &str| path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    parts(a).iter().zip(parts(b).iter()).all(|(a, b)| a == b)
}
