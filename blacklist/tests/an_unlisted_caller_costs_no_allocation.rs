//! Nearly every caller is on no list; for them a check must not touch the allocator.

mod support;

use std::alloc::System;

use record::{Caller, Presentation};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::{caller, csv, now, user};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn a_check_without_a_match_does_not_allocate() {
    let lists = csv("block,number,13912345678,骚扰,,,2027-01-01,,,,\n\
                     watch,prefix,+86138,,,,,,,,\n\
                     watch,network,203.0.113.0/24,,,,,,,,\n\
                     watch,email,a@b.example,,,,,,,,\n\
                     watch,channel_user,weibo:1,,,,,,,,\n");
    let restricted = Caller { presentation: Presentation::Restricted, ..caller("+85291234567") };
    let with_address = Caller { address: Some([198, 51, 100, 1].into()), ..user("weibo", "2") };
    for unlisted in [caller("13912345679"), restricted, with_address] {
        let now = now();
        // The first call may set up thread-local state of arc-swap.
        assert!(lists.check(&unlisted, now).entries.is_empty());
        let region = Region::new(ALLOCATOR);
        let verdict = lists.check(&unlisted, now);
        let change = region.change();
        assert!(verdict.entries.is_empty());
        assert_eq!((change.allocations, change.reallocations), (0, 0));
    }
    // The measure itself works: a match does allocate.
    let region = Region::new(ALLOCATOR);
    let _ = lists.check(&caller("13912345678"), now());
    assert!(region.change().allocations > 0);
}
