//! The order in which gateways are tried: by priority, and among equals by weighted chance, in the manner of SRV
//! records ([RFC 2782](https://www.rfc-editor.org/rfc/rfc2782)). Other than there, weights 1 and 3 mean exactly
//! one and three quarters, and weight 0 means "only when the others are used up".

/// One that may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) id: u64,
    pub(crate) priority: u16,
    pub(crate) weight: u16,
}

/// All of them in the order of trying; `below(n)` gives a random number from 0 to n - 1.
pub(crate) fn order(mut candidates: Vec<Candidate>, mut below: impl FnMut(u32) -> u32) -> Vec<u64> {
    candidates.sort_by_key(|candidate| (candidate.priority, candidate.weight == 0));
    let mut ordered = Vec::with_capacity(candidates.len());
    while let Some(first) = candidates.first() {
        let priority = first.priority;
        let equals = candidates.iter().take_while(|candidate| candidate.priority == priority);
        let total: u32 = equals.clone().map(|candidate| u32::from(candidate.weight)).sum();
        let mark = if total == 0 { 0 } else { below(total) + 1 };
        let mut sum = 0;
        let at = equals.clone().position(|candidate| {
            sum += u32::from(candidate.weight);
            sum >= mark
        });
        ordered.push(candidates.remove(at.unwrap_or(0)).id);
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: u64, priority: u16, weight: u16) -> Candidate {
        Candidate { id, priority, weight }
    }

    /// A small generator: the test must not depend on luck.
    fn generator(mut state: u32) -> impl FnMut(u32) -> u32 {
        move |limit| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % limit
        }
    }

    #[test]
    fn priority_comes_first_and_weight_decides_among_equals() {
        let mut below = generator(7);
        let mut first = [0_u32; 5];
        for _ in 0..10_000 {
            let candidates =
                vec![candidate(4, 20, 100), candidate(1, 10, 30), candidate(2, 10, 10), candidate(3, 10, 0)];
            let ordered = order(candidates, &mut below);
            assert_eq!(ordered.len(), 4);
            assert_eq!(ordered[3], 4, "the lower priority only after all others");
            first[ordered[0] as usize] += 1;
        }
        assert!((7_300..7_700).contains(&first[1]), "30 to 10, not {first:?}");
        assert!((2_300..2_700).contains(&first[2]), "{first:?}");
        assert_eq!(first[3], 0, "weight 0 waits for the others");
    }

    #[test]
    fn nothing_to_choose_is_no_choice() {
        assert!(order(Vec::new(), |_| 0).is_empty());
    }
}
