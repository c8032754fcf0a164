//! Rights, one for each route, and roles, which are sets of them.

use std::fmt;
use std::str::FromStr;

/// What a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Right {
    /// Nothing: whoever has no key may ask, too.
    Open,
    /// See runs, tasks, definitions and what they hold.
    Read,
    /// Take tasks and say how they stand.
    Work,
    /// Start runs of what is registered.
    Start,
    /// Tell runs what to do: pause, retry, terminate, remove.
    Operate,
    /// Change definitions, and run what comes with a request.
    Define,
    /// Keys, settings, and what concerns the server as a whole.
    Administer,
}

impl Right {
    /// As the reference calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Right::Open => "open",
            Right::Read => "read",
            Right::Work => "work",
            Right::Start => "start",
            Right::Operate => "operate",
            Right::Define => "define",
            Right::Administer => "administer",
        }
    }
}

/// A set of rights that a key may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Role {
    /// Everything.
    Admin,
    /// Definitions, starts and looking.
    Developer,
    /// Starts, commands to runs, ends of tasks that wait for a person, and looking.
    Operator,
    /// Takes tasks and brings results; sees tasks and runs.
    Worker,
    /// Looks.
    Viewer,
}

impl Role {
    /// All of them, the mightiest first.
    pub const ALL: [Role; 5] = [Role::Admin, Role::Developer, Role::Operator, Role::Worker, Role::Viewer];

    /// As people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Developer => "developer",
            Role::Operator => "operator",
            Role::Worker => "worker",
            Role::Viewer => "viewer",
        }
    }

    const fn rights(self) -> &'static [Right] {
        match self {
            Role::Admin => {
                &[Right::Read, Right::Work, Right::Start, Right::Operate, Right::Define, Right::Administer]
            }
            Role::Developer => &[Right::Read, Right::Start, Right::Define],
            Role::Operator => &[Right::Read, Right::Work, Right::Start, Right::Operate],
            Role::Worker => &[Right::Read, Right::Work],
            Role::Viewer => &[Right::Read],
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Role, String> {
        let names = Role::ALL.map(Role::name).join(", ");
        let known = Role::ALL.into_iter().find(|role| role.name() == text);
        known.ok_or_else(|| format!("there is no role `{text}`; there are {names}"))
    }
}

/// The roles of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// A bit for each role.
    bits: u8,
}

impl Roles {
    /// These.
    pub fn new(roles: impl IntoIterator<Item = Role>) -> Roles {
        Roles { bits: roles.into_iter().fold(0, |bits, role| bits | 1 << role as u8) }
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.bits & (1 << *role as u8) != 0)
    }

    /// Whether one of them allows it.
    pub fn allow(self, right: Right) -> bool {
        right == Right::Open || self.iter().any(|role| role.rights().contains(&right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHTS: [Right; 7] = [
        Right::Open,
        Right::Read,
        Right::Work,
        Right::Start,
        Right::Operate,
        Right::Define,
        Right::Administer,
    ];

    #[test]
    fn each_role_has_its_rights_and_no_others() {
        let told = Role::ALL.map(|role| {
            let rights = RIGHTS.into_iter().filter(|&right| Roles::new([role]).allow(right));
            format!("{role}: {}", rights.map(Right::name).collect::<Vec<_>>().join(" "))
        });
        let expected = [
            "admin: open read work start operate define administer",
            "developer: open read start define",
            "operator: open read work start operate",
            "worker: open read work",
            "viewer: open read",
        ];
        assert_eq!(told, expected);
        assert!(!Roles::default().allow(Right::Read), "without a role, nothing");
    }

    #[test]
    fn roles_add_up() {
        let roles = Roles::new([Role::Worker, Role::Operator]);
        assert!(roles.allow(Right::Work) && roles.allow(Right::Operate) && !roles.allow(Right::Define));
        assert_eq!(roles.iter().collect::<Vec<_>>(), [Role::Operator, Role::Worker]);
    }
}
