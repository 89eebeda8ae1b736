//! The crate [prost](https://docs.rs/prost), as generated code sees it.

pub use ::prost::*;

/// What derived code calls for each field.
#[doc(hidden)]
pub mod encoding {
    pub use ::prost::encoding::*;

    /// Fields of type `bytes`.
    pub mod bytes {
        use alloc::vec::Vec;

        use ::prost::DecodeError;
        use ::prost::bytes::{Buf, BufMut};
        pub use ::prost::encoding::bytes::{encoded_len, encoded_len_repeated};
        use ::prost::encoding::{DecodeContext, WireType, check_wire_type, decode_varint, encode_key, encode_varint};

        /// Writes a field.
        #[expect(clippy::ptr_arg, reason = "a map takes this for a function of what it has")]
        pub fn encode(tag: u32, value: &Vec<u8>, buf: &mut impl BufMut) {
            encode_key(tag, WireType::LengthDelimited, buf);
            encode_varint(value.len() as u64, buf);
            put(value, buf);
        }

        /// Writes each of several.
        pub fn encode_repeated(tag: u32, values: &[Vec<u8>], buf: &mut impl BufMut) {
            values.iter().for_each(|value| encode(tag, value, buf));
        }

        /// Appends bytes, a few of them piece by piece: to copy so many as are not known here is a call out of wasm, which takes as
        /// long as twenty pieces.
        #[inline]
        fn put(bytes: &[u8], buf: &mut impl BufMut) {
            if bytes.len() >= 32 {
                return buf.put_slice(bytes);
            }
            let rest = put_piece::<16>(bytes, buf);
            let rest = put_piece::<8>(rest, buf);
            let rest = put_piece::<4>(rest, buf);
            let rest = put_piece::<2>(rest, buf);
            put_piece::<1>(rest, buf);
        }

        /// Appends the first `N` bytes, if there are so many, and returns the rest.
        #[inline]
        fn put_piece<'a, const N: usize>(bytes: &'a [u8], buf: &mut impl BufMut) -> &'a [u8] {
            match bytes.split_first_chunk::<N>() {
                Some((piece, rest)) => {
                    buf.put_slice(piece);
                    rest
                }
                None => bytes,
            }
        }

        /// Reads a field. prost's own copies it twice, the first time into memory that it gets and gives back for that.
        pub fn merge(
            wire_type: WireType,
            value: &mut Vec<u8>,
            buf: &mut impl Buf,
            ctx: DecodeContext,
        ) -> Result<(), DecodeError> {
            check_wire_type(WireType::LengthDelimited, wire_type)?;
            let bytes = decode_varint(buf)?;
            let field = usize::try_from(bytes).ok().and_then(|bytes| buf.chunk().get(..bytes));
            let Some(field) = field else { return merge_other(bytes, value, buf, ctx) };
            *value = Vec::with_capacity(field.len());
            put(field, value);
            buf.advance(value.len());
            Ok(())
        }

        /// A field whose length is read, and which does not lie in one piece or is longer than the message: prost knows what to do.
        #[cold]
        fn merge_other(
            bytes: u64,
            value: &mut Vec<u8>,
            buf: &mut impl Buf,
            ctx: DecodeContext,
        ) -> Result<(), DecodeError> {
            let mut length = Vec::new();
            encode_varint(bytes, &mut length);
            ::prost::encoding::bytes::merge(WireType::LengthDelimited, value, &mut length.chain(buf), ctx)
        }

        /// Reads one of several.
        pub fn merge_repeated(
            wire_type: WireType,
            values: &mut Vec<Vec<u8>>,
            buf: &mut impl Buf,
            ctx: DecodeContext,
        ) -> Result<(), DecodeError> {
            let mut value = Vec::new();
            merge(wire_type, &mut value, buf, ctx)?;
            values.push(value);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::Message;
    use super::bytes::Buf;

    /// As the generator writes it.
    #[derive(Clone, PartialEq, Message)]
    #[prost(prost_path = "crate::prost")]
    struct Letter {
        #[prost(bytes = "vec", tag = "1")]
        text: Vec<u8>,
        #[prost(bytes = "vec", repeated, tag = "2")]
        copies: Vec<Vec<u8>>,
    }

    fn letter() -> Letter {
        Letter { text: b"a text".into(), copies: [&b"one"[..], b"", b"three"].map(Vec::from).into() }
    }

    #[test]
    fn a_message_is_read_in_one_piece_or_in_many() {
        let bytes = letter().encode_to_vec();
        assert_eq!(Letter::decode(&*bytes), Ok(letter()));
        for at in 0..=bytes.len() {
            let (first, second) = bytes.split_at(at);
            assert_eq!(Letter::decode(first.chain(second)), Ok(letter()), "in pieces of {at} and more bytes");
        }
    }

    #[test]
    fn fields_of_all_lengths_are_written_as_prost_writes_them() {
        let bytes: Vec<u8> = (0..70).collect();
        for text in (0..bytes.len()).map(|length| &bytes[..length]) {
            let letter = Letter { text: text.into(), copies: [text.into()].into() };
            let mut expected = Vec::new();
            if !text.is_empty() {
                ::prost::encoding::bytes::encode(1, &letter.text, &mut expected);
            }
            ::prost::encoding::bytes::encode_repeated(2, &letter.copies, &mut expected);
            assert_eq!(letter.encode_to_vec(), expected);
            assert_eq!(Letter::decode(&*expected), Ok(letter));
        }
    }

    #[test]
    fn the_last_of_two_values_counts() {
        let twice = [letter().encode_to_vec(), Letter { text: b"other".into(), copies: Vec::new() }.encode_to_vec()];
        assert_eq!(Letter::decode(&*twice.concat()), Ok(Letter { text: b"other".into(), ..letter() }));
    }

    #[test]
    fn what_is_longer_than_the_message_or_no_bytes_is_refused_as_prost_does() {
        #[derive(Clone, PartialEq, Message)]
        #[prost(prost_path = "::prost")]
        struct Other {
            #[prost(bytes = "vec", tag = "1")]
            text: Vec<u8>,
        }
        let said = |error: super::DecodeError| alloc::format!("{error}").replace("Other", "Letter");
        for bad in [&[10, 4, 1, 2][..], &[10, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], &[8, 1], &[10]] {
            let expected = Other::decode(bad).map_err(said).expect_err("it is bad");
            assert_eq!(Letter::decode(bad).map_err(said).expect_err("it is bad"), expected);
        }
    }
}
