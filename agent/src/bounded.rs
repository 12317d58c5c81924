//! Bounded readings whose overflow cannot be ignored: a caller that takes the value says where the overflow is noted, and the
//! notes become `unchecked`.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

use netdiag_diagnosis::evidence::Missing;

/// The value of a reading that had a bound.
#[must_use = "a bound that was met has to be told"]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bounded<T> {
    value: T,
    overflow: Option<Overflow>,
}

/// The part of one reading that its bound left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Overflow {
    /// The plural name of the entries.
    what: &'static str,
    /// The bound.
    most: usize,
    /// The number of entries beyond it, where it is known.
    left_out: Option<usize>,
}

/// The overflows of several readings, added up by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Overflows(BTreeMap<&'static str, Sum>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    most: usize,
    left_out: usize,
    readings: usize,
}

impl<T> Bounded<T> {
    /// A reading that met no bound.
    pub(crate) fn whole(value: T) -> Self {
        Self {
            value,
            overflow: None,
        }
    }

    /// A reading that was ended at `most` of these, with more to come.
    pub(crate) fn ended(value: T, what: &'static str, most: usize) -> Self {
        let left_out = None;
        Self {
            value,
            overflow: Some(Overflow {
                what,
                most,
                left_out,
            }),
        }
    }

    /// A reading without `left_out` of these; whole when that is 0.
    pub(crate) fn without(value: T, what: &'static str, most: usize, left_out: usize) -> Self {
        let overflow = Overflow {
            what,
            most,
            left_out: Some(left_out),
        };
        Self {
            value,
            overflow: (left_out > 0).then_some(overflow),
        }
    }

    /// True when nothing was left out.
    pub(crate) fn is_whole(&self) -> bool {
        self.overflow.is_none()
    }

    /// The value; what was left out is noted.
    pub(crate) fn noted(self, overflows: &mut Overflows) -> T {
        if let Some(overflow) = self.overflow {
            overflows.note(overflow);
        }
        self.value
    }

    /// The value, for a use to which the rest makes no difference.
    pub(crate) fn part(self) -> T {
        self.value
    }

    /// The same reading in another form.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Bounded<U> {
        Bounded {
            value: change(self.value),
            overflow: self.overflow,
        }
    }
}

impl Overflows {
    fn note(&mut self, overflow: Overflow) {
        let sum = self.0.entry(overflow.what).or_default();
        sum.most = sum.most.max(overflow.most);
        sum.left_out += overflow.left_out.unwrap_or(0);
        sum.readings += 1;
    }

    /// The missing parts in words.
    pub(crate) fn missing(&self) -> impl Iterator<Item = Missing> {
        self.0.iter().map(|(what, sum)| {
            let Sum {
                most,
                left_out,
                readings,
            } = *sum;
            let number = match left_out {
                0 => String::new(),
                left_out => format!("{left_out} "),
            };
            Missing::failed(match readings {
                1 => format!("{number}{what} beyond the limit of {most}"),
                _ => format!("{number}{what} beyond the limit of {most} in {readings} readings"),
            })
        })
    }
}

/// Collects at most so many, and counts the rest.
pub(crate) fn at_most<T>(
    entries: impl IntoIterator<Item = T>,
    most: usize,
    what: &'static str,
) -> Bounded<Vec<T>> {
    let mut entries = entries.into_iter();
    let kept = entries.by_ref().take(most).collect();
    Bounded::without(kept, what, most, entries.count())
}

/// Keeps at most so many in their order, a fair share for each owner: an owner with few keeps all, and what is left out
/// is of those that have most.
pub(crate) fn shared<T, K: Eq + Hash>(
    entries: Vec<T>,
    most: usize,
    what: &'static str,
    owner: impl Fn(&T) -> K,
) -> Bounded<Vec<T>> {
    let all = entries.len();
    if all <= most {
        return Bounded::whole(entries);
    }
    let mut of_owners = HashMap::<K, usize>::new();
    for entry in &entries {
        *of_owners.entry(owner(entry)).or_default() += 1;
    }
    let share = fair_share(of_owners.into_values().collect(), most);
    let mut kept_of = HashMap::<K, usize>::new();
    let mut kept = entries;
    kept.retain(|entry| {
        let kept = kept_of.entry(owner(entry)).or_default();
        *kept += 1;
        *kept <= share
    });
    let left_out = all - kept.len();
    Bounded::without(kept, what, most, left_out)
}

/// The largest share such that the owners together keep no more than `most`.
fn fair_share(mut sizes: Vec<usize>, most: usize) -> usize {
    sizes.sort_unstable();
    let mut left = most;
    let mut owners = sizes.len();
    for size in sizes {
        let share = left / owners.max(1);
        if size > share {
            return share;
        }
        left -= size;
        owners -= 1;
    }
    usize::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(overflows: &Overflows) -> Vec<String> {
        overflows.missing().map(|missing| missing.text).collect()
    }

    #[test]
    fn what_a_bound_leaves_out_is_told_with_its_number() {
        let mut overflows = Overflows::default();
        assert_eq!(at_most(0..3, 3, "links").noted(&mut overflows), [0, 1, 2]);
        assert_eq!(texts(&overflows), [""; 0]);
        assert_eq!(at_most(0..9, 3, "links").noted(&mut overflows), [0, 1, 2]);
        assert_eq!(texts(&overflows), ["6 links beyond the limit of 3"]);
        let more = at_most(0..5, 3, "links").map(|kept| kept.len());
        assert!(!more.is_whole());
        assert_eq!(more.noted(&mut overflows), 3);
        Bounded::ended((), "bytes", 16).noted(&mut overflows);
        assert_eq!(
            texts(&overflows),
            [
                "bytes beyond the limit of 16",
                "8 links beyond the limit of 3 in 2 readings"
            ]
        );
    }

    #[test]
    fn an_owner_with_many_takes_nothing_from_those_with_few() {
        let few = (1..=5).map(|owner| (owner, 0));
        let many = (0..1_000).map(|number| (9, number));
        let entries: Vec<_> = many.chain(few).collect();
        let mut overflows = Overflows::default();
        let kept = shared(entries, 20, "sockets", |entry| entry.0).noted(&mut overflows);
        assert_eq!(kept.len(), 20);
        for owner in 1..=5 {
            assert!(kept.contains(&(owner, 0)), "{owner}");
        }
        assert_eq!(
            kept[..15],
            (0..15).map(|number| (9, number)).collect::<Vec<_>>()
        );
        assert_eq!(texts(&overflows), ["985 sockets beyond the limit of 20"]);
    }

    #[test]
    fn shares_fill_the_bound_and_never_go_beyond_it() {
        assert_eq!(fair_share(vec![1, 2, 3], 6), usize::MAX);
        assert_eq!(fair_share(vec![5, 5], 6), 3);
        assert_eq!(fair_share(vec![1, 50, 50], 11), 5);
        assert_eq!(fair_share(vec![9; 4], 3), 0);
        for most in 0..60 {
            let sizes = [1, 1, 2, 7, 30, 30];
            let share = fair_share(sizes.to_vec(), most);
            let kept: usize = sizes.iter().map(|size| *size.min(&share)).sum();
            assert!(kept <= most || share == usize::MAX, "{most}");
        }
    }
}
