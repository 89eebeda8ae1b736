//! The two messages of `load.v1.Work`, read and written without generated code.

/// The fields of a `load.v1.Job` that this guest uses.
pub(crate) struct Job {
    pub(crate) caller: u64,
    pub(crate) number: u64,
    pub(crate) has_deed: bool,
}

impl Job {
    /// Reads fields 1, 2 and 4, and skips the others.
    pub(crate) fn read(mut payload: &[u8]) -> Self {
        let mut fields = [0; 8];
        while let Some((tag, rest)) = payload.split_first() {
            payload = rest;
            let value = match tag & 7 {
                1 => {
                    payload = &payload[8..];
                    0
                }
                _ => take_varint(&mut payload),
            };
            fields[usize::from(tag >> 3)] = value;
        }
        Job {
            caller: fields[1],
            number: fields[2],
            has_deed: fields[4] != 0,
        }
    }

    /// Returns the encoded `load.v1.Done` that answers the job.
    pub(crate) fn done(&self) -> Vec<u8> {
        let mut done = Vec::new();
        if self.number != 0 {
            done.push(1 << 3);
            put_varint(self.number, &mut done);
        }
        done
    }
}

fn take_varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes
            .split_first()
            .expect("the host must write valid varints");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
