//! The waiting line in front of the workers: by lane, then by arrival. Bounded; the bound refuses.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use record::Lane;

/// Jobs in the order they will be taken.
#[derive(Debug)]
pub(crate) struct Queue<J> {
    waiting: BTreeMap<Ticket, J>,
    next: u64,
    bound: usize,
}

/// A place in the line; sorts in the order of service.
pub(crate) type Ticket = (Reverse<u8>, u64);

impl<J> Queue<J> {
    pub(crate) fn new(bound: usize) -> Self {
        Self { waiting: BTreeMap::new(), next: 0, bound }
    }

    /// The job's place, or the job back when the line is full.
    pub(crate) fn push(&mut self, lane: Lane, job: J) -> Result<Ticket, J> {
        if self.waiting.len() >= self.bound {
            return Err(job);
        }
        let ticket = (Reverse(urgency(lane)), self.next);
        self.next += 1;
        self.waiting.insert(ticket, job);
        Ok(ticket)
    }

    pub(crate) fn pop(&mut self) -> Option<J> {
        self.waiting.pop_first().map(|(_, job)| job)
    }

    /// Takes a job out whose owner lost interest; nothing if it is already being worked on.
    pub(crate) fn remove(&mut self, ticket: Ticket) -> Option<J> {
        self.waiting.remove(&ticket)
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }
}

/// Which lane's text is needed first. Everybody's comes; this is only the order.
fn urgency(lane: Lane) -> u8 {
    match lane {
        Lane::Crisis => 7,
        Lane::Transfer110 => 6,
        Lane::PriorityRep => 5,
        Lane::LeaderDay => 4,
        Lane::Elderly => 3,
        Lane::Language => 2,
        Lane::Enterprise => 1,
        Lane::Standard => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crisis_goes_first_and_equals_go_by_arrival() {
        let mut queue = Queue::new(4);
        queue.push(Lane::Standard, "first").unwrap();
        let gone = queue.push(Lane::Standard, "second").unwrap();
        queue.push(Lane::Standard, "third").unwrap();
        queue.push(Lane::Crisis, "crisis").unwrap();
        assert_eq!(queue.push(Lane::Crisis, "too many"), Err("too many"));
        assert_eq!(queue.remove(gone), Some("second"));
        assert_eq!(queue.remove(gone), None);
        let order: Vec<&str> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, ["crisis", "first", "third"]);
    }
}
