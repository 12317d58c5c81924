use super::*;

/// One node and its properties.
#[derive(Clone, Debug)]
struct Member {
    affected: bool,
    traits: BTreeSet<Trait>,
}

fn common_factors(members: &[Member]) -> Vec<CommonFactor> {
    let splits = Splits::of(members.iter().map(|member| member.traits.clone()));
    let affected: Vec<bool> = members.iter().map(|member| member.affected).collect();
    super::common_factors(&splits, &affected)
}

fn node(affected: bool, traits: &[(&'static str, &str)]) -> Member {
    let traits = traits
        .iter()
        .map(|(factor, value)| Trait {
            factor,
            value: (*value).to_owned(),
        })
        .collect();
    Member { affected, traits }
}

fn nodes(count: usize, affected: bool, traits: &[(&'static str, &str)]) -> Vec<Member> {
    (0..count).map(|_| node(affected, traits)).collect()
}

#[test]
fn fishers_test_gives_the_tea_tasting_table() {
    // Fisher's own example: all 4 of 4 right out of 8 cups has probability 1/70, 3 or more 17/70.
    let logs = LogFactorials::up_to(8);
    assert!((logs.enrichment(8, 4, 4, 4) - 1.0 / 70.0).abs() < 1e-12);
    assert!((logs.enrichment(8, 4, 4, 3) - 17.0 / 70.0).abs() < 1e-12);
    assert!((logs.enrichment(8, 4, 4, 0) - 1.0).abs() < 1e-12);
}

#[test]
fn a_label_that_only_affected_nodes_share_is_named() {
    let mut members = nodes(
        12,
        true,
        &[("node label", "pool=vm-small"), ("kernel", "6.1")],
    );
    members.extend(nodes(
        4,
        false,
        &[("node label", "pool=vm-small"), ("kernel", "6.1")],
    ));
    members.extend(nodes(
        284,
        false,
        &[("node label", "pool=big"), ("kernel", "6.1")],
    ));
    let factors = common_factors(&members);
    let texts: Vec<String> = factors
        .iter()
        .map(|found| format!("{} {} {}", found.common, found.affected, found.unaffected))
        .collect();
    assert_eq!(texts, ["node label pool=vm-small 12/12 4/288"]);
}

#[test]
fn a_trait_as_common_among_the_others_is_not_named() {
    let mut members = nodes(10, true, &[("kernel", "6.1")]);
    members.extend(nodes(80, false, &[("kernel", "6.1")]));
    members.extend(nodes(10, false, &[("kernel", "6.12")]));
    assert_eq!(common_factors(&members), []);
}

#[test]
fn a_significant_but_weak_difference_is_not_named() {
    // 60 of 100 against 400 of 1000: p is far below any threshold, but most of the split is something else.
    let mut members = nodes(60, true, &[("kernel", "6.1")]);
    members.extend(nodes(40, true, &[]));
    members.extend(nodes(400, false, &[("kernel", "6.1")]));
    members.extend(nodes(600, false, &[]));
    assert_eq!(common_factors(&members), []);
}

#[test]
fn two_affected_nodes_have_nothing_in_common_yet() {
    let mut members = nodes(2, true, &[("kernel", "6.1")]);
    members.extend(nodes(500, false, &[("kernel", "6.12")]));
    assert_eq!(common_factors(&members), []);
}

#[test]
fn no_comparison_without_unaffected_nodes() {
    let mut members = nodes(20, true, &[("kernel", "6.1")]);
    members.extend(nodes(20, true, &[("kernel", "6.12")]));
    assert_eq!(common_factors(&members), []);
}

#[test]
fn trying_many_labels_raises_the_bar() {
    // One split by itself (5 of 5 against 0 of 5, p = 1/252) is named; among forty others it is what chance gives.
    let mut members = nodes(5, true, &[("zone", "a")]);
    members.extend(nodes(5, false, &[]));
    assert_eq!(common_factors(&members).len(), 1);
    for (index, member) in members.iter_mut().enumerate() {
        for label in 0..40_usize {
            // Every label splits the nodes in its own way.
            if (index * 7 + label * 3 + (label >> (index % 5))) % 3 == 0 {
                member.traits.insert(Trait {
                    factor: "node label",
                    value: format!("l{label}=x"),
                });
            }
        }
    }
    assert_eq!(common_factors(&members), []);
}

#[test]
fn labels_that_split_alike_count_as_one_question() {
    let labels: Vec<String> = (0..40).map(|number| format!("l{number:02}=x")).collect();
    let traits: Vec<(&'static str, &str)> = labels
        .iter()
        .map(|label| ("node label", label.as_str()))
        .collect();
    let mut members = nodes(5, true, &traits);
    members.extend(nodes(5, false, &[]));
    let factors = common_factors(&members);
    let texts: Vec<String> = factors.iter().map(CommonFactor::to_string).collect();
    let same = "(the same nodes: node label l01=x, node label l02=x and 37 more)";
    assert_eq!(texts, [format!("node label l00=x {same}")]);
}

#[test]
fn what_the_kernel_explains_is_told_as_such() {
    let (old, new) = (("kernel", "6.1"), ("kernel", "6.12"));
    let (bookworm, trixie) = (("OS image", "bookworm"), ("OS image", "trixie"));
    // The fault is the old kernel's; a few nodes run it under the new system and the other way round.
    let mut members = nodes(20, true, &[old, bookworm]);
    members.extend(nodes(2, true, &[old, trixie]));
    members.extend(nodes(4, false, &[new, bookworm]));
    members.extend(nodes(40, false, &[new, trixie]));
    let texts = |members: &[Member]| {
        let factors = common_factors(members).into_iter();
        factors.map(|found| found.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        texts(&members),
        ["kernel 6.1", "OS image bookworm, goes with kernel 6.1"]
    );
    // Where each makes a difference of its own, neither is explained by the other.
    let mut members = nodes(20, true, &[old, bookworm]);
    members.extend(nodes(12, false, &[old, trixie]));
    members.extend(nodes(12, false, &[new, bookworm]));
    members.extend(nodes(40, false, &[new, trixie]));
    let mut both = texts(&members);
    both.sort();
    assert_eq!(both, ["OS image bookworm", "kernel 6.1"]);
    // Where the nodes are the same, one is named and the other beside it.
    let mut members = nodes(10, true, &[old, bookworm]);
    members.extend(nodes(30, false, &[new, trixie]));
    assert_eq!(
        texts(&members),
        ["kernel 6.1 (the same nodes: OS image bookworm)"]
    );
}

#[test]
fn a_value_that_each_node_has_alone_separates_nothing() {
    let members: Vec<Member> = (0..20)
        .map(|n| {
            let mut member = node(n < 10, &[]);
            member.traits.insert(Trait {
                factor: "node label",
                value: format!("serial={n}"),
            });
            member
        })
        .collect();
    assert_eq!(common_factors(&members), []);
}
