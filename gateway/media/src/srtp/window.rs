//! Which packets came already, and in which turn of the 16-bit sequence number a packet belongs
//! (RFC 3711 3.3.1 and 3.3.2).

/// The last 128 indices: taken or not.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Window {
    highest: Option<u64>,
    /// Bit n: `highest - n` was taken.
    taken: u128,
}

impl Window {
    /// Whether this index was taken, or is too old to tell.
    pub fn has_seen(&self, index: u64) -> bool {
        let Some(highest) = self.highest else { return false };
        match highest.checked_sub(index) {
            None => false,
            Some(age) => age >= 128 || self.taken >> age & 1 == 1,
        }
    }

    /// Takes an index of a packet that has proved itself.
    pub fn take(&mut self, index: u64) {
        let highest = *self.highest.get_or_insert(index);
        if index > highest {
            let ahead = u32::try_from(index - highest).unwrap_or(u32::MAX);
            self.taken = self.taken.checked_shl(ahead).unwrap_or(0);
            self.highest = Some(index);
        }
        let age = self.highest.unwrap_or(index).saturating_sub(index);
        if age < 128 {
            self.taken |= 1 << age;
        }
    }
}

/// Sequence numbers of one source, unwrapped to 48 bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sequences {
    pub window: Window,
}

impl Sequences {
    /// Begins at the first index.
    pub fn new(index: u64) -> Self {
        Self { window: Window { highest: Some(index), taken: 0 } }
    }

    /// The index nearest to the highest one that ends in this number.
    pub fn guess(&self, sequence: u16) -> u64 {
        let highest = self.window.highest.unwrap_or(u64::from(sequence));
        let distance = i64::from(sequence.wrapping_sub(highest as u16).cast_signed());
        highest.checked_add_signed(distance).unwrap_or(u64::from(sequence))
    }
}
