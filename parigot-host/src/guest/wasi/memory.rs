//! Access of the imports to the guest's memory, and the errors that imports return.

/// Error numbers of `wasi_snapshot_preview1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Errno {
    Acces = 2,
    Again = 6,
    Badf = 8,
    Fault = 21,
    Inval = 28,
    Notsup = 58,
    Spipe = 70,
}

/// Memory of a guest. Every address comes from the guest and is checked here.
pub(super) struct GuestMemory<'a>(pub(super) &'a mut [u8]);

impl GuestMemory<'_> {
    pub(super) fn bytes(&self, address: u32, bytes: usize) -> Result<&[u8], Errno> {
        self.0
            .get(address as usize..)
            .and_then(|rest| rest.get(..bytes))
            .ok_or(Errno::Fault)
    }

    pub(super) fn bytes_mut(&mut self, address: u32, bytes: usize) -> Result<&mut [u8], Errno> {
        self.0
            .get_mut(address as usize..)
            .and_then(|rest| rest.get_mut(..bytes))
            .ok_or(Errno::Fault)
    }

    fn array<const N: usize>(&self, address: u32) -> Result<[u8; N], Errno> {
        Ok(*self
            .bytes(address, N)?
            .first_chunk()
            .expect("the slice must have the length of the array"))
    }

    pub(super) fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), Errno> {
        self.bytes_mut(address, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn write_u32(&mut self, address: u32, number: u32) -> Result<(), Errno> {
        self.write(address, &number.to_le_bytes())
    }

    /// Returns the address `bytes` behind `address`. An overflow returns the largest address, where
    /// no access fits, so that the access fails instead of this sum.
    pub(super) fn behind(address: u32, bytes: usize) -> u32 {
        u32::try_from(bytes)
            .ok()
            .and_then(|bytes| address.checked_add(bytes))
            .unwrap_or(u32::MAX)
    }

    /// Returns one `(address, length)` pair of a list of buffers.
    pub(super) fn buffer(&self, list: u32, index: u32) -> Result<(u32, usize), Errno> {
        let entry: [u8; 8] = self.array(Self::behind(list, index as usize * 8))?;
        Ok((u32_at(&entry, 0), u32_at(&entry, 4) as usize))
    }

    /// Writes strings one after the other at `buffer`, and the address of each at `pointers`.
    pub(super) fn write_strings(
        &mut self,
        strings: &[Vec<u8>],
        pointers: u32,
        buffer: u32,
    ) -> Result<(), Errno> {
        let mut at = buffer;
        for (k, string) in strings.iter().enumerate() {
            self.write_u32(Self::behind(pointers, k * 4), at)?;
            self.write(at, string)?;
            at = Self::behind(at, string.len());
        }
        Ok(())
    }

    /// Writes the number of strings at `count`, and the sum of their lengths at `bytes`.
    pub(super) fn write_sizes(
        &mut self,
        strings: &[Vec<u8>],
        count: u32,
        bytes: u32,
    ) -> Result<(), Errno> {
        self.write_u32(count, strings.len() as u32)?;
        self.write_u32(bytes, strings.iter().map(Vec::len).sum::<usize>() as u32)
    }
}

/// Reads a little-endian number of a record.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(
        *bytes[at..]
            .first_chunk()
            .expect("a field must lie within its record"),
    )
}

/// Reads a little-endian number of a record.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(
        *bytes[at..]
            .first_chunk()
            .expect("a field must lie within its record"),
    )
}
