//! The calls to make.

use std::time::Duration;

use golden::load::load::v1::Job;
use golden::load::load::v1::job::{Deed, Moment};

/// The calls that are still to be made.
pub(crate) struct Plan {
    pub(crate) caller: u32,
    pub(crate) lanes: u32,
    /// Calls per second, instead of lanes; 0 for none.
    pub(crate) rate: u64,
    pub(crate) deadline: Duration,
    ballast_bytes: usize,
    harm: Harm,
    /// The steps in reverse order, so that the next one is the last.
    steps: Vec<Step>,
    sent: u64,
}

/// Deeds that replace jobs that do nothing.
#[derive(Default)]
struct Harm {
    /// One job in this many; 0 is never.
    every: u64,
    deeds: Vec<Deed>,
    seed: u64,
}

/// The next task of a lane.
pub(crate) enum Task {
    Call {
        job: Job,
        /// Drop the call as soon as it is made.
        dropped: bool,
    },
    /// Panic.
    Die,
}

struct Step {
    deed: Deed,
    dropped: bool,
    moment: Moment,
    amount: u32,
    left: Left,
}

enum Left {
    /// Panic instead of a call.
    Death,
    Times(u64),
    /// Calls until so many of them are answered. A call belongs to the step if its number is at
    /// least `from`, which the step's first call sets.
    UntilAnswered {
        from: Option<u64>,
        answers: u64,
    },
}

impl Plan {
    /// Parses the arguments that the head of this crate describes.
    pub(crate) fn read(args: &[String]) -> Self {
        let mut plan = Plan {
            caller: 0,
            lanes: 1,
            rate: 0,
            deadline: Duration::from_secs(1),
            ballast_bytes: 0,
            harm: Harm::default(),
            steps: Vec::new(),
            sent: 0,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if arg.starts_with("--") {
                plan.set(arg, args.next().expect("an option has a value"));
            } else {
                plan.steps.push(Step::read(arg));
            }
        }
        plan.steps.reverse();
        plan
    }

    fn set(&mut self, name: &str, value: &str) {
        match name {
            "--caller" => self.caller = number(value) as u32,
            "--lanes" => self.lanes = number(value) as u32,
            "--rate" => self.rate = number(value),
            "--deadline-ms" => self.deadline = Duration::from_millis(number(value)),
            "--ballast-bytes" => self.ballast_bytes = number(value) as usize,
            "--harm-every" => self.harm.every = number(value),
            "--harms" => self.harm.deeds = value.split(',').map(deed).collect(),
            "--seed" => self.harm.seed = number(value),
            _ => panic!("unknown option {name}"),
        }
    }

    /// Returns the number of calls made.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Returns the next task, or `None` after the last.
    pub(crate) fn next(&mut self) -> Option<Task> {
        let step = self.steps.last_mut()?;
        let Step {
            deed,
            dropped,
            moment,
            amount,
            ..
        } = *step;
        let number = self.sent;
        match &mut step.left {
            Left::Death => return Some(Task::Die),
            Left::UntilAnswered { from, .. } => _ = from.get_or_insert(number),
            Left::Times(1) => drop(self.steps.pop()),
            Left::Times(times) => *times -= 1,
        }
        self.sent += 1;
        let deed = if deed == Deed::Nothing {
            self.harm.at(number)
        } else {
            deed
        };
        let ballast = vec![7; self.ballast_bytes];
        let job = Job {
            caller: self.caller,
            number,
            deadline_ns: 0,
            deed: deed.into(),
            moment: moment.into(),
            amount,
            ballast,
        };
        Some(Task::Call { job, dropped })
    }

    /// Records that a call was answered.
    pub(crate) fn answered(&mut self, number: u64) {
        let Some(step) = self.steps.last_mut() else {
            return;
        };
        match &mut step.left {
            Left::UntilAnswered {
                from: Some(from),
                answers,
            } if *from <= number => *answers -= 1,
            _ => return,
        }
        if matches!(step.left, Left::UntilAnswered { answers: 0, .. }) {
            self.steps.pop();
        }
    }
}

impl Step {
    fn read(word: &str) -> Self {
        let simple = |left| Step {
            deed: Deed::Nothing,
            dropped: false,
            moment: Moment::InMethod,
            amount: 0,
            left,
        };
        let (word, times) = word.split_once('*').unwrap_or((word, "1"));
        match word {
            "Again" => {
                return simple(Left::UntilAnswered {
                    from: None,
                    answers: number(times),
                });
            }
            "Die" => return simple(Left::Death),
            _ => {}
        }
        let (word, dropped) = word
            .strip_suffix('!')
            .map_or((word, false), |word| (word, true));
        let (word, moment) = match word.strip_suffix('~') {
            Some(word) => (word, Moment::InBackground),
            None => (word, Moment::InMethod),
        };
        let (name, amount) = word.split_once(':').unwrap_or((word, "0"));
        let left = Left::Times(number(times));
        Step {
            deed: deed(name),
            dropped,
            moment,
            amount: number(amount) as u32,
            left,
        }
    }
}

impl Harm {
    /// Returns the deed of the call of that number.
    fn at(&self, number: u64) -> Deed {
        let chance = mix(self.seed ^ mix(number));
        if self.every == 0 || !chance.is_multiple_of(self.every) {
            return Deed::Nothing;
        }
        self.deeds[(chance / self.every) as usize % self.deeds.len()]
    }
}

/// The finalizer of splitmix64, a hash in which neighbouring numbers give unrelated results.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

fn deed(name: &str) -> Deed {
    Deed::from_str_name(name).unwrap_or_else(|| panic!("unknown deed {name}"))
}

fn number(text: &str) -> u64 {
    text.parse()
        .unwrap_or_else(|_| panic!("not a number: {text}"))
}
