//! Plain bytes: numbers little-endian, texts with their length before them.

/// Bytes that are written one after the other.
#[derive(Default)]
pub(crate) struct Out(pub Vec<u8>);

impl Out {
    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub fn small(&mut self, number: u32) {
        self.0.extend(number.to_le_bytes());
    }

    pub fn number(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    /// With its length. Nothing of ours has four gigabytes.
    pub fn text(&mut self, bytes: &[u8]) {
        self.small(u32::try_from(bytes.len()).expect("nothing kept has four gigabytes"));
        self.raw(bytes);
    }
}

/// Bytes that are taken from the front; `None` if there are too few.
pub(crate) struct In<'a>(pub &'a [u8]);

impl<'a> In<'a> {
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    pub fn small(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.array()?))
    }

    pub fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.array()?))
    }

    pub fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.small()?;
        self.take(length as usize)
    }
}
