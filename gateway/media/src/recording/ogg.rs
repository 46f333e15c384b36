//! Ogg pages ([RFC 3533](https://www.rfc-editor.org/rfc/rfc3533)): written one by one, and found again in a
//! file that a crash has cut.
//!
//! Only what a recording needs: one logical stream, packets that begin and end on their page.

/// Bytes of a page before its segment table.
const HEADER: usize = 27;
/// Segments a page may have; each holds 255 bytes at most.
const MAX_SEGMENTS: usize = 255;
/// Largest page there can be.
const MAX_PAGE: usize = HEADER + MAX_SEGMENTS + MAX_SEGMENTS * 255;
const CAPTURE: [u8; 4] = *b"OggS";
const FIRST: u8 = 0x02;
const LAST: u8 = 0x04;

/// Packets on their way into pages.
#[derive(Debug)]
pub struct Pages {
    serial: u32,
    sequence: u32,
    granule: u64,
    segments: Vec<u8>,
    body: Vec<u8>,
    page: Vec<u8>,
}

impl Pages {
    /// A stream without a page.
    #[must_use]
    pub fn new(serial: u32) -> Self {
        Self {
            serial,
            sequence: 0,
            granule: 0,
            segments: Vec::with_capacity(MAX_SEGMENTS),
            body: Vec::new(),
            page: Vec::new(),
        }
    }

    /// Whether a packet of this length still fits this page.
    #[must_use]
    pub fn fits(&self, packet: usize) -> bool {
        self.segments.len() + packet / 255 < MAX_SEGMENTS
    }

    /// Puts a packet, which must fit, on the page; `granule` is the position its sound ends at.
    pub fn put(&mut self, packet: &[u8], granule: u64) {
        self.segments.extend(std::iter::repeat_n(255, packet.len() / 255));
        self.segments.push((packet.len() % 255) as u8);
        self.body.extend_from_slice(packet);
        self.granule = granule;
    }

    /// Changes the position the page ends at: the end of the stream is cut to the sample by it.
    pub fn set_granule(&mut self, granule: u64) {
        self.granule = granule;
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Closes the page and returns its bytes.
    pub fn close(&mut self, last: bool) -> &[u8] {
        let flags = if self.sequence == 0 { FIRST } else { 0 } | if last { LAST } else { 0 };
        let page = &mut self.page;
        page.clear();
        page.extend_from_slice(&CAPTURE);
        page.extend_from_slice(&[0, flags]);
        page.extend_from_slice(&self.granule.to_le_bytes());
        page.extend_from_slice(&self.serial.to_le_bytes());
        page.extend_from_slice(&self.sequence.to_le_bytes());
        page.extend_from_slice(&[0; 4]);
        page.push(self.segments.len() as u8);
        page.extend_from_slice(&self.segments);
        page.extend_from_slice(&self.body);
        seal(page);
        self.sequence = self.sequence.wrapping_add(1);
        self.segments.clear();
        self.body.clear();
        &self.page
    }
}

/// What a cut file needs: be cut further to `length`, then have `last_page` written at `last_page_at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// Length of the file up to its last whole page.
    pub length: u64,
    /// Where its last page begins.
    pub last_page_at: u64,
    /// That page, marked as the last.
    pub last_page: Vec<u8>,
    /// Samples at 48 kHz up to the end, pre-skip included.
    pub granule: u64,
    /// Samples at 48 kHz to leave out at the beginning (RFC 7845 4.2).
    pub pre_skip: u16,
}

impl Repair {
    /// How long the repaired file plays.
    #[must_use]
    pub fn duration(&self) -> std::time::Duration {
        let samples = self.granule.saturating_sub(u64::from(self.pre_skip));
        std::time::Duration::from_nanos(samples.saturating_mul(1_000_000_000 / 48_000))
    }
}

/// Reads a file piece by piece and remembers its last whole page.
#[derive(Debug, Default)]
pub struct Scan {
    /// Bytes not yet understood.
    rest: Vec<u8>,
    /// Bytes understood.
    length: u64,
    pages: u32,
    pre_skip: u16,
    last: Option<(u64, Vec<u8>)>,
    broken: bool,
}

impl Scan {
    /// Reads on.
    pub fn read(&mut self, piece: &[u8]) {
        if self.broken {
            return;
        }
        self.rest.extend_from_slice(piece);
        let mut from = 0;
        loop {
            match page(self.rest.get(from..).unwrap_or_default()) {
                Found::Page(page) => {
                    if self.pages == 0 {
                        self.pre_skip = pre_skip(page).unwrap_or(0);
                    }
                    self.last = Some((self.length, page.to_vec()));
                    self.pages += 1;
                    self.length += page.len() as u64;
                    from += page.len();
                }
                Found::More => break,
                Found::Nothing => {
                    self.broken = true;
                    break;
                }
            }
        }
        self.rest.drain(..from);
    }

    /// What is to be done; none when not even the headers are whole: there is no sound to save.
    #[must_use]
    pub fn finish(self) -> Option<Repair> {
        let (last_page_at, mut last_page) = self.last?;
        if self.pages < 2 {
            return None;
        }
        *last_page.get_mut(5)? |= LAST;
        seal(&mut last_page);
        let granule = last_page.get(6..14)?.first_chunk().map(|&bytes| u64::from_le_bytes(bytes))?;
        Some(Repair { length: self.length, last_page_at, last_page, granule, pre_skip: self.pre_skip })
    }
}

enum Found<'a> {
    /// A whole page with the right checksum.
    Page(&'a [u8]),
    /// So far it could be one.
    More,
    /// None begins here.
    Nothing,
}

fn page(bytes: &[u8]) -> Found<'_> {
    if bytes.len() < HEADER {
        let begun = CAPTURE.iter().zip(bytes).all(|(wanted, found)| wanted == found);
        return if begun { Found::More } else { Found::Nothing };
    }
    let count = usize::from(bytes.get(26).copied().unwrap_or(0));
    let Some(table) = bytes.get(HEADER..HEADER + count) else { return Found::More };
    let length = HEADER + count + table.iter().map(|&segment| usize::from(segment)).sum::<usize>();
    let Some(page) = bytes.get(..length) else { return Found::More };
    debug_assert!(length <= MAX_PAGE, "255 segments of 255 bytes");
    let told = page.get(22..26).and_then(|field| field.first_chunk()).map(|&field| u32::from_le_bytes(field));
    if page.starts_with(&CAPTURE) && told == Some(checksum(page)) {
        Found::Page(page)
    } else {
        Found::Nothing
    }
}

fn pre_skip(page: &[u8]) -> Option<u16> {
    let count = usize::from(*page.get(26)?);
    let head = page.get(HEADER + count..)?.strip_prefix(b"OpusHead")?;
    head.get(2..4)?.first_chunk().map(|&field| u16::from_le_bytes(field))
}

/// Writes the checksum into a page.
fn seal(page: &mut [u8]) {
    let sum = checksum(page).to_le_bytes();
    if let Some(field) = page.get_mut(22..26) {
        field.copy_from_slice(&sum);
    }
}

/// CRC-32 of RFC 3533 section 6, the checksum's own field counting as zero.
fn checksum(page: &[u8]) -> u32 {
    page.iter().enumerate().fold(0u32, |sum, (at, &byte)| {
        let byte = if (22..26).contains(&at) { 0 } else { byte };
        // In bounds: a u32 shifted right by 24 is below 256.
        sum << 8 ^ TABLE[((sum >> 24) as u8 ^ byte) as usize]
    })
}

static TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut sum = (index as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 0x8000_0000 == 0 { sum << 1 } else { sum << 1 ^ 0x04c1_1db7 };
            bit += 1;
        }
        table[index] = sum;
        index += 1;
    }
    table
}
